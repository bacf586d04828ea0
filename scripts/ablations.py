#!/usr/bin/python3
"""Squashing functions, alpha taken away, and where alpha begins: the DyT paper's tables of ablations on a small budget, three seeds each.

usage: scripts/ablations.py [FOLDER]      runs are kept in FOLDER (out/ablations); those that are there already go on or are done
       scripts/ablations.py --table FOLDER     the table alone

Writes FOLDER/ablations.tsv, which `normscope plot sweep` draws, and prints the means. The budget of a run: six passes over Fashion-MNIST's
55,000 training images, a ViT of 32 channels and 4 blocks, batches of 128, learning rate 3e-3 with a rise over the first pass. What differs is
the norm, alpha's start and the seed; the last figure is on the 10,000 test images, nothing is chosen by it. A run has one thread, and there are
as many at once as cores may be used."""
import concurrent.futures
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUDGET = ["--data", "fashion-mnist", "--width", "32", "--depth", "4", "--epochs", "6", "--lr", "3e-3", "--weight-decay", "0.05",
          "--drop-path", "0", "--crop-padding", "0"]
SQUASHING = ["layernorm", "rmsnorm", "dyt", "derf", "dyisru", "dyt-hardtanh", "dyt-sigmoid", "dyt-noalpha", "none"]
STARTS = [0.1, 0.25, 1.0, 2.0]  # 0.5 is among those above
SEEDS = [0, 1, 2]


def runs():
    for seed in SEEDS:
        for norm in SQUASHING:
            yield norm, None, seed
        for start in STARTS:
            yield "dyt", start, seed


def path_of(folder, norm, start, seed):
    return os.path.join(folder, "%s-%s-%d" % (norm, "own" if start is None else "%g" % start, seed))


def result(path):
    """What a finished run says, or None."""
    try:
        with open(os.path.join(path, "train.json")) as f:
            run = json.load(f)
    except FileNotFoundError:
        return None
    return run if "test" in run else None


def train(program, folder, norm, start, seed):
    path = path_of(folder, norm, start, seed)
    words = [program, "train", *BUDGET, "--norm", norm, "--seed", str(seed), "-o", path]
    if start is not None:
        words += ["--alpha-init", str(start)]
    if os.path.exists(os.path.join(path, "train.json")):
        words.append("--resume")
    one_thread = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=one_thread)
    if done.returncode:
        print(path + ": " + done.stderr.strip(), file=sys.stderr)
    return done.returncode == 0


def train_all(program, folder):
    """Whether all of them ended well."""
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        try:
            return all(list(pool.map(lambda one: train(program, folder, *one), runs())))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def write_table(folder):
    rows, groups = [], {}
    for norm, start, seed in runs():
        run = result(path_of(folder, norm, start, seed))
        if not run:
            continue
        dynamic = norm.startswith("dy") and norm != "dyt-noalpha" or norm == "derf"
        alpha = start if start is not None else 0.5 if dynamic else ""
        test, last = 100 * run["test"]["accuracy"], run["epochs"][-1]
        rows.append([norm, alpha, seed, "%.2f" % test, "%.4f" % run["test"]["loss"], "%.2f" % (100 * last["validation_accuracy"])])
        groups.setdefault((norm, alpha), []).append(test)
    with open(os.path.join(folder, "ablations.tsv"), "w") as f:
        f.write("#text\t1\t1\t%\tnat\t%\nnorm\talpha_init\tseed\ttest_accuracy\ttest_loss\tvalidation_accuracy\n")
        f.writelines("\t".join(map(str, row)) + "\n" for row in rows)
    print("%-14s %10s  %5s  %7s  %s" % ("norm", "alpha_init", "runs", "mean %", "range"))
    for (norm, alpha), values in groups.items():
        print("%-14s %10s  %5d  %7.2f  %.2f to %.2f" % (norm, alpha, len(values), sum(values) / len(values), min(values), max(values)))


if __name__ == "__main__":
    only_table = "--table" in sys.argv[1:]
    words = [w for w in sys.argv[1:] if w != "--table"]
    where = words[0] if words else os.path.join(ROOT, "out", "ablations")
    os.makedirs(where, exist_ok=True)
    tool = os.environ.get("NORMSCOPE", os.path.join(ROOT, "build", "normscope"))
    good = only_table or train_all(tool, where)
    write_table(where)
    sys.exit(not good)
