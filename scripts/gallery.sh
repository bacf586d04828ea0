#!/bin/bash
# Draws the pictures of plots/gallery from the bundled runs and data, and the table of ablations.
# usage: scripts/gallery.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."
program="$1"
out=plots/gallery
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export SOURCE_DATE_EPOCH=0
mkdir -p "$out"

draw() { # KIND NAME ARGUMENTS...: a small picture for the README
    local kind=$1 name=$2
    shift 2
    "$program" plot "$kind" "$@" --dpi 150 --force -o "$out/$name.png"
}

"$program" dump datasets/runs/vit-layernorm fashion-mnist-1000 -o "$tmp/layernorm.h5" >/dev/null
"$program" dump datasets/runs/vit-dyt fashion-mnist-1000 -o "$tmp/dyt.h5" >/dev/null
"$program" dump datasets/runs/gpt-layernorm shakespeare --samples 200 -o "$tmp/gpt.h5" >/dev/null
"$program" dump datasets/minilm-l6 shakespeare --context 256 -n 16 -o "$tmp/minilm.h5" >/dev/null
draw scurve minilm "$tmp/minilm.h5" --layers 9,11,13
draw scurve scurve "$tmp/layernorm.h5"
draw scurve scurve-gpt "$tmp/gpt.h5" --style paper
draw tokens tokens "$tmp/layernorm.h5"
draw channels channels "$tmp/layernorm.h5"
draw residual residual "$tmp/layernorm.h5" --layers 7,13
draw rows rows "$tmp/layernorm.h5" "$tmp/dyt.h5"
draw depth depth "$tmp/layernorm.h5" "$tmp/dyt.h5"
draw curves curves --curve all --derivative
draw alpha alpha datasets/runs/vit-dyt
draw alpha alpha-gpt datasets/runs/gpt-dyt
draw training training datasets/runs/vit-layernorm datasets/runs/vit-dyt
awk -F'\t' '/^#/ || $1 != "dyt" || $2 == 0.5' datasets/runs/ablations.tsv >"$tmp/squashing.tsv"
draw sweep sweep "$tmp/squashing.tsv" --x norm --y test_accuracy --y-label "test accuracy (%)" --width 174 --height 70
draw sweep sweep-alpha datasets/runs/ablations.tsv --x alpha_init --y test_accuracy --group norm --log-x --x-label "α₀" --y-label "test accuracy (%)"
"$program" bench norms --widths 1024 --rows 16384 --format tsv >"$tmp/norms.tsv"
draw bench bench "$tmp/norms.tsv"
