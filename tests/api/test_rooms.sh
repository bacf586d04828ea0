# Data flows one way, and so do includes: each room includes only those before it, the tokenizers, datasets and the rooms of probe/ in this order.
set -eu
check() { # room, pattern of what it may include
    grep -rnE '#include "' "$1" --include='*.[ch]' 2>/dev/null | grep -vE "#include \"($2)" && {
        echo "$1 includes a room that comes after it"
        exit 1
    }
    return 0
}
before='probe/base/'
check probe/base "$before"
for room in datasets/tokenizers datasets probe/norms probe/weights probe/kernels probe/models probe/store probe/sketch probe/train probe/capture; do
    before="$before|$room/"
    check "$room" "$before"
done
check analysis 'analysis/|probe/|datasets/'
check plots 'plots/|analysis/|probe/|datasets/'
