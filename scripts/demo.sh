#!/bin/bash
# The main jobs on the bundled runs and images: list, dump, verify, stats, fit, plot; alpha against 1/sigma; and a short training. Leaves
# its results in out/demo.
# usage: scripts/demo.sh PROGRAM [OUTPUT-FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
program="$1"
out="${2:-out/demo}"
model=datasets/runs/vit-layernorm
dyt=datasets/runs/vit-dyt
run="$out/activations.h5"
mkdir -p "$out"

step() { # prints a command as a person would type it, then runs it
    printf '\n$ normscope'
    printf ' %s' "$@"
    printf '\n'
    "$program" "$@"
}

echo "A ViT with LayerNorm, trained by normscope train: what its layers do to 1,000 images"
step list "$model"
step dump "$model" fashion-mnist-1000 -o "$run" --force
step verify "$run"
step stats "$run"
"$program" stats "$run" --format tsv >"$out/stats.tsv"
step fit "$run"
"$program" fit "$run" --format tsv >"$out/fits.tsv"
for kind in pdf svg png; do
    step plot scurve "$run" -o "$out/scurve.$kind" --force
done

printf '\nThe same network with DyT: the alpha that each layer learned, against 1/sigma of its input\n'
step plot alpha "$dyt" -o "$out/alpha.pdf" --force
"$program" plot alpha "$dyt" -o "$out/alpha.png" --force >/dev/null
step correlate "$dyt"

printf '\nA smaller one, trained now for some 300 steps on the 1,000 images: watch alpha move\n'
step train --norm dyt --data fashion-mnist-1000 --width 48 --depth 4 --batch 32 --epochs 11 --lr 3e-3 -o "$out/live" --force
step plot alpha "$out/live" -o "$out/live.pdf" --force

cat <<END

In this small network the S is weak but for the last layer: the S-index, the share of what a straight line leaves unexplained that tanh explains, is
$(awk -F'\t' '/^#/ {next} !seen {for (i = 1; i <= NF; i++) if ($i == "s_index") c = i; seen = 1; next}
      $c != "" {if (n == 0 || $c < least) least = $c; if (n == 0 || $c > most) most = $c; n++}
      END {printf "%.3f to %.3f over %d sites.", least, most, n}' "$out/fits.tsv") The paper's S appears in large pretrained networks; put
the config.json and model.safetensors of a pretrained ViT-B/16 (timm's, torchvision's or Hugging Face's names) into a folder,
some hundred photographs into another, and look at the paper's layers:

  normscope dump FOLDER PHOTOGRAPHS -o vit-b.h5 --layers 5,15,20,25
  normscope plot scurve vit-b.h5 -o vit-b.pdf

Results in $out:
  activations.h5           input and output of every site (open it with h5py, h5dump or normscope info)
  stats.tsv, fits.tsv      one line a site
  scurve.pdf, .svg, .png   output against input
  alpha.pdf, .png          alpha and 1/sigma of the bundled DyT run
  live/, live.pdf          the run that was trained just now
END
