#!/bin/bash
# The main job on the bundled checkpoint and images: list, dump, verify, stats, fit, plot. Leaves its results in out/demo.
# usage: scripts/demo.sh PROGRAM [OUTPUT-FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
program="$1"
out="${2:-out/demo}"
model=datasets/vit-fmnist-layernorm
run="$out/activations.h5"
mkdir -p "$out"

step() { # prints a command as a person would type it, then runs it
    printf '\n$ normscope'
    printf ' %s' "$@"
    printf '\n'
    "$program" "$@"
}

step list "$model"
step dump "$model" fashion-mnist-1000 -o "$run" --force
step verify "$run"
step stats "$run"
"$program" stats "$run" --format tsv >"$out/stats.tsv"
step fit "$run"
"$program" fit "$run" --format tsv >"$out/fits.tsv"
for kind in pdf svg png; do
    step plot scurve "$run" --layers 4,8,12,16 -o "$out/scurve.$kind" --force
done

cat <<END

In this small network the S is weak: the S-index, the share of what a straight line leaves unexplained that tanh explains, is
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
  scurve.pdf, .svg, .png   the figure
END
