"""A sketch in a file against NumPy over the rows of the same run: counts exactly, sums to rounding, and the same whatever the order."""
import os
import subprocess

import h5py
import numpy as np

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model, data = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"
SIDE, PER_OCTAVE, LOW = 48 * 32, 32, -24


def dump(name, *more):
    done = subprocess.run([program, "dump", model, data, "-o", f"{t}/{name}.h5", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return h5py.File(f"{t}/{name}.h5", "r")


def sketch(file, site):
    slot = -(-int(file["progress/samples_committed"][0]) // int(file.attrs["batch"])) % 2
    return {k: v[slot] for k, v in site["sketch"].items()}


def close(a, b, tolerance=1e-12):
    a, b = np.asarray(a, "f8"), np.asarray(b, "f8")
    return np.all(np.abs(a - b) <= tolerance * np.maximum(np.abs(b).max(), 1e-300))


def size_bin(size):
    mantissa, exponent = np.frexp(size.astype("f8"))
    k = (exponent - 1 - LOW) * PER_OCTAVE + np.floor((mantissa * 2 - 1) * PER_OCTAVE)
    return np.clip(np.where(size == 0, 0, k), 0, SIDE - 1).astype(int)


def check(file, site):
    x4, y4 = site["input"][()], site["output"][()]
    s, c, positions = sketch(file, site), x4.shape[1], site.attrs["positions"]
    x, y = x4.astype("f8"), y4.astype("f8")
    assert s["counts"].tolist() == [len(x), 0, x.size, 0]
    d = x - x.mean()
    assert close(s["moments"], [x.size, x.mean(), (d**2).sum(), (d**3).sum(), (d**4).sum()], 1e-9)
    sigma = x.std(1)
    assert close(s["extent"].ravel()[:4], [x.min(), x.max(), y.min(), y.max()], 0)
    assert close(s["extent"].ravel()[4:], [sigma.min(), sigma.max()], 1e-7)
    # Bins by x.
    k = size_bin(np.abs(x4))
    bin_ = np.where(np.signbit(x4), SIDE - 1 - k, SIDE + k).ravel()
    for column, weight in enumerate((np.ones(x.size), x.ravel(), y.ravel(), (x * x).ravel(), (x * y).ravel(), (y * y).ravel())):
        wanted = np.bincount(bin_, weight, 2 * SIDE)
        assert close(s["bins"][:, column], wanted, 0 if column == 0 else 1e-12), column
    # The picture.
    ex, ey = s["grid_exponents"]
    assert 2.0**ex * 256 <= np.abs(x).max() * 1.01 and 2.0**ey * 128 <= np.abs(y).max() * 1.01, "cells twice as large as they must be"
    column, row = np.floor(x4 * 2.0**-ex).astype(int) + 512, np.floor(y4 * 2.0**-ey).astype(int) + 256
    wanted = np.bincount((row * 1024 + column).ravel(), minlength=1024 * 512).reshape(512, 1024)
    assert np.array_equal(s["grid"], wanted)
    ch = s["channels"]
    for column, wanted in enumerate((np.full(c, len(x)), x.sum(0), (x * x).sum(0), x.min(0), x.max(0), (np.abs(x) >= 6).sum(0))):
        assert close(ch[:, column], wanted, 1e-12 if column in (1, 2) else 0), column
    of = [x[p::positions] for p in range(positions)]
    for column, wanted in enumerate(([v.size for v in of], [v.sum() for v in of], [(v * v).sum() for v in of], [v.min() for v in of], [v.max() for v in of])):
        assert close(s["positions"][:, column], wanted, 1e-10 if column in (1, 2) else 0), column
    found = np.bincount(size_bin(sigma.astype("f4")), minlength=SIDE)
    assert s["row_sigma"].sum() == len(x) and np.abs(s["row_sigma"].astype(int) - found).sum() <= 4
    order = np.lexsort((np.tile(np.arange(c), len(x)), np.repeat(site["position"][()], c), np.repeat(site["sample"][()], c), -np.abs(x4).ravel()))[:32]
    assert np.array_equal(s["top_input"], x4.ravel()[order]) and np.array_equal(s["top_output"], y4.ravel()[order])
    assert np.array_equal(s["top_sample"], np.repeat(site["sample"][()], c)[order])
    assert np.array_equal(s["top_channel"], order % c)


with dump("both", "-n", "200", "--mode", "both") as file:
    for name in ("001", "004", "009", "017"):
        check(file, file["sites"][name])
    full = {k: sketch(file, v) for k, v in file["sites"].items()}

# One row at a time in another order: counts, extremes and the picture are the same up to what the forward pass rounds otherwise.
with dump("one", "-n", "200", "--mode", "sketch", "--order", "stratified", "--sample-rows", "10") as file:
    assert file["sites/001/input"].shape[0] == 10
    shuffled = {k: sketch(file, v) for k, v in file["sites"].items()}
with dump("again", "-n", "200", "--mode", "sketch") as file:
    assert file["sites/001/input"].shape[0] == 1024 and file.attrs["mode"] in ("sketch", b"sketch")
    for k, v in file["sites"].items():
        for name, wanted in full[k].items():
            assert np.array_equal(sketch(file, v)[name], wanted), f"{k}: {name}: other bits with the rows and without"
assert os.path.getsize(f"{t}/again.h5") < 17 * 7.5e6

# verify looks into sketches: parts that tell of other points are found.
run = lambda *a: subprocess.run([program, *a], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
assert "17 sketches are whole" in run("verify", f"{t}/again.h5").stdout
for part, message in (("grid", "grid: other points"), ("bins", "bins: other points"), ("channels", "channels: other points"), ("counts", "counts")):
    with h5py.File(f"{t}/again.h5", "r+") as file:
        kept = file["sites/003/sketch"][part][()]
        broken = kept.copy()
        broken.reshape(2, -1)[:, 0] += 1
        file["sites/003/sketch"][part][...] = broken
    done = run("verify", f"{t}/again.h5")
    assert done.returncode in (1, 3) and message in done.stdout and "site 3" in done.stdout, (part, done.stdout)
    with h5py.File(f"{t}/again.h5", "r+") as file:
        file["sites/003/sketch"][part][...] = kept
assert run("verify", f"{t}/again.h5").returncode == 0
