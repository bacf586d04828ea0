"""A figure from a sketch against that from all rows of the same run: as many points, and each covered pixel near one of the other's."""
import os
import subprocess

import numpy as np

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]


def run(*command):
    done = subprocess.run([program, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def bins(mode):
    run("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "200", "-l", "4", "-o", f"{t}/{mode}.h5", "--mode", mode)
    said = run("plot", "scurve", f"{t}/{mode}.h5", "-o", f"{t}/{mode}.svg", "--data", f"{t}/{mode}.tsv", "--dpi", "300")
    assert "326400 points" in said, said
    rows = [line.split("\t") for line in open(f"{t}/{mode}.tsv", encoding="utf-8") if "\tbin\t" in line]
    return np.array([[float(v) for v in (r[3], r[4], r[7])] for r in rows])


full, sketch = bins("full"), bins("sketch")
assert full[:, 2].sum() == sketch[:, 2].sum() == 200 * 17 * 96
width = np.diff(np.unique(full[:, 0])).min()
height = np.diff(np.unique(full[:, 1])).min()
low = np.minimum(full.min(0), sketch.min(0))
place = lambda b: (np.rint((b[:, 0] - low[0]) / width).astype(int), np.rint((b[:, 1] - low[1]) / height).astype(int))
shape = tuple(max(p.max(), q.max()) + 9 for p, q in zip(place(full), place(sketch)))
grids = []
for b in (full, sketch):
    g = np.zeros(shape)
    np.add.at(g, place(b), b[:, 2])
    grids.append(g)
REACH = 2  # a cell of the picture is at most two of these pixels wide


def near(g):
    out = np.zeros(shape, bool)
    for dx in range(-REACH, REACH + 1):
        for dy in range(-REACH, REACH + 1):
            out |= np.roll(np.roll(g > 0, dx, 0), dy, 1)
    return out


for a, b in (grids, grids[::-1]):
    assert (near(b) | (a == 0)).all(), "a pixel is covered where the other figure has nothing near"
# And the density is the same over blocks of 16 x 16 pixels.
blocks = [g[: shape[0] // 16 * 16, : shape[1] // 16 * 16].reshape(shape[0] // 16, 16, shape[1] // 16, 16).sum((1, 3)) for g in grids]
assert np.abs(blocks[0] - blocks[1]).sum() < 0.05 * full[:, 2].sum(), np.abs(blocks[0] - blocks[1]).sum()
