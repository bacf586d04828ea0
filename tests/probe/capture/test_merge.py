"""Runs over parts of a data set, merged, against one run over all of it."""
import os
import subprocess

import h5py
import numpy as np

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model, data = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout}"
    return done.stdout


def dump(name, skip, count, *more, data=data):
    run("dump", model, data, "-o", f"{t}/{name}.h5", "--skip", str(skip), "-n", str(count), "-b", "8", "-l", "1,9,17", "-f", *more)
    return f"{t}/{name}.h5"


def slot(file):
    return -(-int(file["progress/samples_committed"][0]) // int(file.attrs["batch"])) % 2


def extremes(file, site):
    """The extreme rows of either half, whatever their order."""
    s = slot(file)
    rows = list(zip(site["extreme_sample"][s], site["extreme_position"][s], map(bytes, site["extreme_input"][s])))
    return sorted(rows[:32]), sorted(rows[32:])


def same(path, whole, exact, sampled=False):
    """Rows to the last bit; sums of a sketch to rounding, everything else of it exactly."""
    with h5py.File(path) as a, h5py.File(whole) as b:
        assert a["progress/samples_committed"][0] == b["progress/samples_committed"][0]
        for k in ("id", "label"):
            assert np.array_equal(a["samples"][k][()], b["samples"][k][()])
        for name in b["sites"]:
            p, q = a["sites"][name], b["sites"][name]
            for k in ("sample", "position", "kind", "gamma", "beta"):
                assert np.array_equal(p[k][()], q[k][()]), (name, k)
            for k in ("input", "output"):
                x, y = p[k][()].astype("f8"), q[k][()].astype("f8")
                assert np.array_equal(x, y) if exact else np.abs(x - y).max() <= 2e-6 * np.abs(y).max(), (name, k)
            if sampled:
                assert extremes(a, p) == extremes(b, q), name
            for k in q.get("sketch", []):
                x, y = p["sketch"][k][slot(a)], q["sketch"][k][slot(b)]
                if k in ("bins", "moments", "channels", "positions", "part_bins", "part_moments"):
                    assert np.allclose(x, y, rtol=1e-9, atol=1e-9 * np.abs(y).max()), (name, k)
                    if k in ("bins", "part_bins"):
                        assert np.array_equal(x[..., 0], y[..., 0]), (name, k)
                else:
                    assert np.array_equal(x, y), (name, k)


# Parts of 16, 24 and 13 samples in batches of 8: a batch of a part is a batch of the whole, so rows are the same bits.
for mode in (["--mode", "full"], ["--mode", "both"], ["--mode", "sketch", "--sample-rows", "40"], ["--sample-rows", "60", "--dtype", "f16"]):
    whole = dump("whole", 0, 53, *mode)
    parts = [dump("a", 0, 16, *mode), dump("b", 16, 24, *mode), dump("c", 40, 13, *mode)]
    run("merge", *parts, "-o", f"{t}/merged.h5", "-f")
    same(f"{t}/merged.h5", whole, exact=True, sampled="--sample-rows" in mode or "sketch" in mode)
    run("verify", f"{t}/merged.h5")
    assert "53 of 53 complete" in run("info", f"{t}/merged.h5")
# In another order and by steps: the same counts, extremes and sample.
run("merge", f"{t}/c.h5", f"{t}/a.h5", "-o", f"{t}/ca.h5")
run("merge", f"{t}/ca.h5", f"{t}/b.h5", "-o", f"{t}/cab.h5")
with h5py.File(f"{t}/cab.h5") as a, h5py.File(f"{t}/merged.h5") as b:
    for name in b["sites"]:
        rows = [sorted(zip(f["sites"][name]["sample"][()], f["sites"][name]["position"][()])) for f in (a, b)]
        assert rows[0] == rows[1]
        assert extremes(a, a["sites"][name]) == extremes(b, b["sites"][name])

# By reference: the same values, also to h5py; a source that is gone or has changed is told before a value is read.
for mode in ([], ["--dtype", "f16"], ["--mode", "both"]):
    whole = dump("whole", 0, 53, *mode)
    parts = [dump("a", 0, 16, *mode), dump("b", 16, 24, *mode), dump("c", 40, 13, *mode)]
    run("merge", *parts, "--link", "-o", f"{t}/linked.h5", "-f")
    assert mode or os.path.getsize(f"{t}/linked.h5") < os.path.getsize(whole) / 2
    same(f"{t}/linked.h5", whole, exact=True)
    run("verify", f"{t}/linked.h5")
assert "cannot be referred to" in run("merge", dump("d", 0, 8, "--sample-rows", "9"), "--link", "-o", f"{t}/no.h5", status=3)
run("merge", parts[0], parts[1], "--link", "-o", f"{t}/linked.h5", "-f")
assert "expected rows that lie in this file" in run("merge", f"{t}/linked.h5", parts[2], "--link", "-o", f"{t}/no.h5", status=3)
uses = (["info"], ["verify"], ["stats"], ["fit"], ["plot", "scurve", "-o", f"{t}/f.svg"], ["merge", "-o", f"{t}/no.h5"])
os.rename(parts[1], parts[1] + "-moved")
for use in uses:
    assert "refers to" in run(*use, f"{t}/linked.h5", status=3) and not os.path.exists(f"{t}/f.svg"), use
os.rename(parts[1] + "-moved", parts[1])
run("verify", f"{t}/linked.h5")
os.utime(parts[1])  # another time, the same bytes
run("verify", f"{t}/linked.h5")
with open(parts[1], "r+b") as file:
    file.seek(-1000, 2)
    byte = file.read(1)
    file.seek(-1000, 2)
    file.write(bytes([byte[0] ^ 1]))
for use in uses:
    assert "which has changed since" in run(*use, f"{t}/linked.h5", status=3), use
with open(parts[1], "ab") as file:
    file.write(b"more")
assert "has changed: expected" in run("fit", f"{t}/linked.h5", status=3)

# What must not be merged, and what is left then.
a, twice = dump("a", 0, 16), dump("b", 15, 8)
assert "sample 15 of fashion-mnist-1000 is in" in run("merge", a, twice, "-o", f"{t}/no.h5", status=3)
assert "sample_rows: expected '0'" in run("merge", a, dump("b", 16, 8, "--sample-rows", "9"), "-o", f"{t}/no.h5", status=3)
assert "storage_type" in run("merge", a, dump("b", 16, 8, "--dtype", "f16"), "-o", f"{t}/no.h5", status=3)
seeds = [dump("b", 16, 8, "--sample-rows", "9", "--seed", "1"), dump("c", 24, 8, "--sample-rows", "9", "--seed", "2")]
assert "the seed 2" in run("merge", *seeds, "-o", f"{t}/no.h5", status=3)
run("dump", model, data, "-o", f"{t}/sites.h5", "--skip", "30", "-n", "8", "-l", "1,9")
assert "expected 3 sites" in run("merge", a, f"{t}/sites.h5", "-o", f"{t}/no.h5", status=3)
assert "none.h5" in run("merge", a, f"{t}/none.h5", "-o", f"{t}/no.h5", status=3)
assert "is read, so it cannot be what is written" in run("merge", a, "-o", a, status=2)
assert "exists" in run("merge", a, "-o", f"{t}/sites.h5", status=1)
# Messages name the file as it was asked for, not as it is called while it is written.
for out, status, words in ((f"{t}/nowhere/x.h5", 3, "cannot be written: No such file"), (f"{t}/x.h5", 1, "the limit of file sizes")):
    small = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"] if status == 1 else []
    done = subprocess.run([*small, program, "merge", a, "-o", out], capture_output=True, text=True)
    assert done.returncode == status and f"{out}: " in done.stderr and words in done.stderr and "merging" not in done.stderr, done
assert not [f for f in os.listdir(t) if f.startswith(("no", "x")) or "merging" in f or "part" in f], os.listdir(t)
# Other data with the same numbers: they are raised.
pixels = np.random.default_rng(0).standard_normal((6, 1, 28, 28)).astype("f4")
np.save(f"{t}/noise.npy", pixels)
other = dump("b", 0, 6, data=f"{t}/noise.npy")
run("merge", a, other, "-o", f"{t}/two.h5")
with h5py.File(f"{t}/two.h5") as file:
    assert file["samples/id"][()].tolist() == list(range(16)) + list(range(16, 22))
    assert np.array_equal(file["sites/001/sample"][()], np.repeat(np.arange(22), 17))
# Also above those of a run of the first data that comes later.
run("merge", a, other, dump("c", 16, 5), "-o", f"{t}/three.h5")
with h5py.File(f"{t}/three.h5") as file:
    assert file["samples/id"][()].tolist() == [*range(16), *range(21, 27), *range(16, 21)]
