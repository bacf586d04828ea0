# The backward passes against central differences, by the program that the Makefile builds for double.
set -eu
OMP_NUM_THREADS=1 "$BUILD/gradients"
