# Data flows one way, and so do includes: each room includes only those before it; the floor includes itself alone.
set -eu
check() { # room, pattern of what it may include
    grep -rnE '#include "' "$1" --include='*.[ch]' 2>/dev/null | grep -vE "#include \"($2)" && {
        echo "$1 includes a room that comes after it"
        exit 1
    }
    return 0
}
check probe/base 'probe/base/'
check datasets 'datasets/|probe/base/'
check probe 'probe/|datasets/'
check analysis 'analysis/|probe/|datasets/'
check plots 'plots/|analysis/|probe/|datasets/'
