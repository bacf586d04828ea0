#!/bin/sh
# Trains the bundled runs again, in out/runs, and puts what is bundled of them into datasets/runs. Each goes on where it stopped. Some
# hours on two cores; datasets/RUNS.md says what came out. The bits depend on the number of threads (2) and on the machine's libraries.
#
# usage: scripts/runs.sh [NAME...]     all, or some of: vit-dyt vit-layernorm gpt-dyt gpt-layernorm
set -eu
cd "$(dirname "$0")/.."
normscope=${NORMSCOPE:-build/normscope}
export OMP_NUM_THREADS=2

go() {
	name=$1
	shift
	case " $wanted " in *" $name "*) ;; *) return 0 ;; esac
	resume=
	if [ -f "out/runs/$name/train.json" ]; then resume=--resume; fi
	"$normscope" train "$@" $resume -o "out/runs/$name"
	mkdir -p "datasets/runs/$name"
	for file in config.json model.safetensors train.json training.h5; do
		cp "out/runs/$name/$file" "datasets/runs/$name/"
	done
}

vit() {
	name=$1
	shift
	go "$name" --data fashion-mnist --patch 4 --width 64 --depth 6 --lr 2e-3 --weight-decay 0.1 --drop-path 0 \
		--crop-padding 1 "$@"
}

gpt() {
	name=$1
	shift
	go "$name" --arch gpt --data shakespeare --characters --width 128 --depth 4 --context 128 --batch 32 --lr 2e-3 \
		--weight-decay 0.3 --warmup 1 --drop-path 0 --label-smoothing 0 "$@"
}

wanted="${*:-vit-dyt vit-layernorm gpt-dyt gpt-layernorm}"
mkdir -p out/runs
vit vit-dyt --norm dyt --epochs 18
vit vit-layernorm --norm layernorm --epochs 18
gpt gpt-dyt --norm dyt --alpha-init 2 --epochs 6
gpt gpt-layernorm --norm layernorm --epochs 6
