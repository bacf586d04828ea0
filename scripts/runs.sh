#!/bin/sh
# Trains the bundled runs again, in out/runs, and puts what is bundled of them into datasets/runs. Each goes on where it stopped. Some
# hours on two cores; docs/RUNS.md says what came out. The bits depend on the number of threads (1, so that two of them can be started
# beside each other) and on the machine's libraries.
#
# usage: scripts/runs.sh [NAME...]     all, or some of: vit-dyt vit-layernorm vit-rmsnorm vit-derf gpt-dyt gpt-layernorm
set -eu
cd "$(dirname "$0")/.."
normscope=${NORMSCOPE:-build/normscope}

go() {
	name=$1
	export OMP_NUM_THREADS="$2"
	shift 2
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
	go "$name" 1 --data fashion-mnist --patch 4 --width 64 --depth 6 --batch 128 --lr 2e-3 --weight-decay 0.1 \
		--drop-path 0 --crop-padding 1 --epochs 40 "$@"
}

gpt() {
	name=$1
	shift
	go "$name" 1 --arch gpt --data shakespeare --characters --width 128 --depth 4 --context 128 --batch 32 --lr 2e-3 \
		--weight-decay 0.3 --warmup 1 --drop-path 0 --label-smoothing 0 --epochs 16 "$@"
}

# The line of a run in accuracy.tsv: the last epoch's accuracy, and of images what dump finds on the bundled 1,000.
state() {
	case $1 in
	gpt-*) top1= ;;
	*) top1=$("$normscope" dump "datasets/runs/$1" fashion-mnist-1000 --mode sketch --to-the-end --force -o out/runs/top1.h5 |
		sed -n 's/.*accuracy:* *\([0-9.]*\) %.*/\1/p') ;;
	esac
	last=$(sed -n 's/.*"validation_accuracy": \([0-9.]*\).*/\1/p' "datasets/runs/$1/train.json" | tail -n 1)
	awk -v name="$1" -v last="$last" -v top1="$top1" 'BEGIN { printf "%s\t%.2f\t%s\n", name, 100 * last, top1 }'
}

all="vit-dyt vit-layernorm vit-rmsnorm vit-derf gpt-dyt gpt-layernorm"
wanted="${*:-$all}"
for name in $wanted; do
	case " $all " in *" $name "*) ;; *)
		echo "runs.sh: $name: expected some of $all" >&2
		exit 2
		;;
	esac
done
mkdir -p out/runs
vit vit-dyt --norm dyt --alpha-init 2
vit vit-layernorm --norm layernorm
vit vit-rmsnorm --norm rmsnorm
vit vit-derf --norm derf --alpha-init 2
gpt gpt-dyt --norm dyt --alpha-init 2
gpt gpt-layernorm --norm layernorm

{
	printf '#text\t%%\t%%\nrun\tvalidation_accuracy\ttop1_of_1000\n'
	for name in $all; do state "$name"; done
} >out/runs/accuracy.tsv
mv out/runs/accuracy.tsv datasets/runs/
