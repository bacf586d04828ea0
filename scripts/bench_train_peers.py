#!/usr/bin/python3
"""A training step beside PyTorch's, in turn on the same machine: a ViT of 96 channels, 8 blocks, 4 heads and 17 tokens, batches of 128;
forward, backward, clipping, AdamW. Needs Debian's python3-torch (scripts/setup.sh oracle).

usage: scripts/bench_train_peers.py [ROUNDS]    (3)"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("NORMSCOPE", os.path.join(ROOT, "build", "normscope"))


def ours(threads):
    done = subprocess.run([PROGRAM, "bench", "train", "--runs", "3", "--format", "json"], capture_output=True, text=True, check=True,
                          env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
    rows = {(r["measure"], r["unit"]): r["median"] for r in json.loads(done.stdout)["rows"]}
    return rows["training step", "s"], rows["share that is not these products", "1"]


def torch_step(threads):
    code = ("import sys; sys.path.insert(0, %r); import oracle_train as o; t = o.speed(%d); print(t[len(t) // 2])"
            % (os.path.join(ROOT, "scripts"), threads))
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("threads  normscope s  PyTorch s  ratio  not products")
    for threads in (1, 2):
        mine, theirs, shares = [], [], []
        for _ in range(rounds):
            step, share = ours(threads)
            mine.append(step)
            shares.append(share)
            theirs.append(torch_step(threads))
        middle = [sorted(v)[len(v) // 2] for v in (mine, theirs, shares)]
        print("%7d  %11.4f  %9.4f  %5.3f  %10.1f %%" % (threads, middle[0], middle[1], middle[0] / middle[1], 100 * middle[2]))


if __name__ == "__main__":
    main()
