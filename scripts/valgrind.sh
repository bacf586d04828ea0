#!/bin/bash
# The program's main commands under valgrind: any error of memory ends it with status 1. Takes some minutes.
# usage: scripts/valgrind.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."
program="$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_NUM_THREADS=2
check() {
    echo "$ $*"
    valgrind -q --error-exitcode=1 --leak-check=no --suppressions=tests/valgrind.supp "$program" "$@" >"$out/said" || {
        cat "$out/said"
        exit 1
    }
}
model=datasets/vit-fmnist-layernorm
check list "$model"
check dump "$model" fashion-mnist-1000 -n 6 -b 2 -l 1,17 --mode both -o "$out/run.h5"
check dump "$model" fashion-mnist-1000 --skip 6 -n 4 -b 2 -l 1,17 --mode both --dtype f32 -o "$out/more.h5"
check merge "$out/run.h5" "$out/more.h5" -o "$out/all.h5"
check info "$out/all.h5"
check verify "$out/all.h5"
check stats "$out/all.h5" --store
check fit "$out/all.h5" --curve all --store
check fit "$out/all.h5" --from sketch
check correlate "$out/all.h5" --resamples 100
check plot scurve "$out/all.h5" -o "$out/figure.pdf"
check plot scurve "$out/all.h5" -o "$out/figure.svg"
echo "valgrind is silent"
