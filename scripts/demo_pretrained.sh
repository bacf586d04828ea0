#!/bin/bash
# Three real pretrained networks whole: fetched, run, fitted, drawn, and a page about each. Leaves them in out/pretrained.
# usage: scripts/demo_pretrained.sh PROGRAM [OUTPUT-FOLDER [PHOTOGRAPHS]]    PHOTOGRAPHS: a folder of them [four, which are fetched]
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1 out=${2:-out/pretrained} photographs=${3:-models/photographs}
mkdir -p "$out"

step() { # prints a command as a person would type it, then runs it
    printf '\n$ normscope'
    printf ' %s' "$@"
    printf '\n'
    "$program" "$@"
}
network() { # NAME SITES DATA OPTIONS...
    local name=$1 sites=$2
    shift 2
    echo
    echo "== $name"
    [ -d "models/$name" ] || scripts/fetch_model.sh "$name" "models/$name"
    step dump "models/$name" "$@" --to-the-end -o "$out/$name.h5" --force
    step verify "$out/$name.h5"
    step fit "$out/$name.h5"
    step plot scurve "$out/$name.h5" --layers "$sites" -o "$out/$name.pdf" --force
    step report "$out/$name.h5" -o "$out/$name.html" --force
}

network minilm-l6 3,9,11,13 shakespeare --context 256 -n 16
network smollm2 7,25,56,61 shakespeare --context 256 -n 4 --sample-rows 512
[ -d "$photographs" ] || scripts/fetch_model.sh photographs "$photographs"
network dinov2-s 5,15,20,25 "$photographs"
