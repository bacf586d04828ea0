#!/bin/bash
# The finding on a real pretrained network; alpha against 1/sigma of a bundled DyT run; and a short training. Leaves its results in out/demo.
# usage: scripts/demo.sh PROGRAM [OUTPUT-FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
program="$1"
out="${2:-out/demo}"
model=datasets/minilm-l6
dyt=datasets/runs/vit-dyt
run="$out/minilm.h5"
mkdir -p "$out"

step() { # prints a command as a person would type it, then runs it
    local word
    printf '\n$ normscope'
    for word; do case $word in *[!A-Za-z0-9_./,=:@+-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac done
    printf '\n'
    "$program" "$@"
}
column() { # FILE SITE NAME: a field of a table
    awk -F'\t' -v site="$2" -v name="$3" '/^#/ {next} !seen {for (i = 1; i <= NF; i++) at[$i] = i; seen = 1; next}
        $at["site"] == site {printf "%.2f", $at[name]}' "$1"
}

echo "all-MiniLM-L6-v2, a pretrained BERT: what its LayerNorms do to 16 stretches of Shakespeare"
step list "$model"
step dump "$model" shakespeare --context 256 -n 16 -o "$run" --force
step verify "$run"
step fit "$run"
"$program" fit "$run" --format tsv >"$out/fits.tsv"
"$program" stats "$run" --format tsv >"$out/stats.tsv"
step fit "$run" --layers 3,5,7,9,11,13 --rows 'not first'
"$program" fit "$run" --rows 'not first' --format tsv >"$out/fits-without-first.tsv"
for kind in pdf svg png; do
    step plot scurve "$run" --layers 9,11,13 -o "$out/scurve.$kind" --force
done

cat <<END

Sites 11 and 13 have the paper's S: two arms that saturate, and branches. Of what a straight line leaves unexplained tanh explains $(column "$out/fits.tsv" 11 s_index) and
$(column "$out/fits.tsv" 13 s_index) (the S-index), with the first token of each sample, [CLS], and without it. At site 9 half of it is made by one value of [CLS]:
$(column "$out/fits.tsv" 9 s_index) with it, $(column "$out/fits-without-first.tsv" 9 s_index) without. At sites 3, 5 and 7 nearly all is: $(column "$out/fits.tsv" 3 s_index), $(column "$out/fits.tsv" 5 s_index) and $(column "$out/fits.tsv" 7 s_index) with it, $(column "$out/fits-without-first.tsv" 3 s_index), $(column "$out/fits-without-first.tsv" 5 s_index) and $(column "$out/fits-without-first.tsv" 7 s_index) without.
END

printf '\nA small ViT with DyT in place of LayerNorm: the alpha that each layer learned, against 1/sigma of its input\n'
step plot alpha "$dyt" -o "$out/alpha.pdf" --force
"$program" plot alpha "$dyt" -o "$out/alpha.png" --force >/dev/null
step correlate "$dyt"

printf '\nA smaller one, trained now for some 300 steps on 1,000 images: watch alpha move\n'
step train --norm dyt --data fashion-mnist-1000 --width 48 --depth 4 --batch 32 --epochs 11 --lr 3e-3 -o "$out/live" --force
step plot alpha "$out/live" -o "$out/live.pdf" --force

cat <<END

Results in $out:
  minilm.h5                input and output of every site (open it with h5py, h5dump or normscope info)
  stats.tsv, fits.tsv, fits-without-first.tsv
                           one line a site
  scurve.pdf, .svg, .png   output against input
  alpha.pdf, .png          alpha and 1/sigma of the bundled DyT run
  live/, live.pdf          the run that was trained just now

Your own network next, from its checkpoint:

  normscope list CHECKPOINT
  normscope dump CHECKPOINT DATA -o run.h5
  normscope fit run.h5
  normscope plot scurve run.h5 -o run.pdf
END
