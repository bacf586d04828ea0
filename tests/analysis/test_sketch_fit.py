"""A fit from a sketch against the fit to all points of the same run: parameters within what it says of itself, and within 1e-4."""
import csv
import os
import subprocess

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout}"
    return done.stdout


def table(command, path, *more):
    lines = run(command, path, "--format", "tsv", *more).splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))


def compare(path, *more):
    rows, sketch = table("fit", path, *more), table("fit", path, "--from", "sketch", *more)
    assert len(rows) == len(sketch)
    decided = 0
    for a, b in zip(rows, sketch):
        assert (a["from"], b["from"]) == ("rows", "sketch") and a["points"] == b["points"]
        for k in ("alpha_se", "s_se", "slope_se", "held_out_rmse", "tail_rmse"):
            assert b[k] == "", k  # what a sketch cannot give
        error = float(b["sketch_error"])
        assert abs(float(b["slope"]) / float(a["slope"]) - 1) <= max(error, 1e-7), (a["name"], more)
        assert abs(float(b["r2"]) - float(a["r2"])) <= (1e-4 if "hardtanh" in more else 1e-6)
        if a["degenerate"] == "1":
            assert b["degenerate"] == "1", (a["name"], a["reason"], b["reason"])
            continue
        decided += 1
        for k in ("alpha", "s"):
            off = abs(float(b[k]) / float(a[k]) - 1)
            assert off <= error and (off <= 1e-4 or "hardtanh" in more), (a["name"], more, k, off, error)
        assert not a["alpha_se_nominal"] or abs(float(b["alpha_se_nominal"]) / float(a["alpha_se_nominal"]) - 1) < (0.1 if "hardtanh" in more else 1e-3), (a["name"], more, a["alpha_se_nominal"], b["alpha_se_nominal"])
    return decided


model, data = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"
both = t + "/both.h5"
run("dump", model, data, "-n", "60", "-o", both, "--mode", "both", "-l", "1,4,9,13,17")
for curve in ("tanh", "erf", "isru", "arctan", "softsign", "hardtanh", "linear"):
    for more in ([], ["--shift", "--offset"]) if curve in ("tanh", "hardtanh") else ([],):
        assert compare(both, "-c", curve, *more) >= (0 if curve == "linear" else 4), (curve, more)
# A file with a sketch and a sample of rows is fitted from the sketch; with another weighting from the sample.
small = t + "/sketch.h5"
run("dump", model, data, "-n", "60", "-o", small, "-l", "1,4,9,13,17", "--mode", "sketch")
assert [r["alpha"] for r in table("fit", small)] == [r["alpha"] for r in table("fit", both, "--from", "sketch")]
assert {r["from"] for r in table("fit", small, "-w", "density")} == {"sample"}
run("dump", model, data, "-n", "20", "-o", t + "/full.h5")
assert "expected a sketch, found none" in run("fit", t + "/full.h5", "--from", "sketch", status=3)
assert "weighting" in run("fit", small, "--from", "sketch", "-w", "huber", status=2)
shown = run("fit", small)
assert "  sketch\n" in shown and "no standard errors.\n" in shown and max(map(len, shown.splitlines())) <= 80
# Nobody is left to guess on what a figure stands.
assert "From a sample" not in run("fit", small, "-w", "density")  # all of its 1,020 rows were kept
run("dump", model, data, "-n", "60", "-o", t + "/sampled.h5", "-l", "1,4", "--sample-rows", "300", "--mode", "both")
for words in (["fit", "-w", "density"], ["fit", "--from", "rows"], ["stats", "--from", "rows"], ["fit", "--from", "rows", "-c", "tanh,erf"]):
    assert "From a sample of rows: 300 of 1020 at each of 2 sites.\n" in run(words[0], t + "/sampled.h5", *words[1:]), words
assert "From a sample of rows: 300 of 1020.\n" in run("stats", t + "/sampled.h5", "--from", "rows", "-l", "4")
for words in (["fit", t + "/full.h5"], ["stats", t + "/full.h5"], ["fit", small], ["stats", small]):
    assert "From a sample" not in run(*words), words
assert "no errors on samples left out, no ranks." in run("fit", small, "-c", "tanh,erf")
assert "--held-out: a sketch does not tell samples apart" in run("fit", small, "--held-out", status=2)
run("fit", small, "--held-out", "--from", "rows")
# The sizes that info tells are those of the data sets.
import h5py  # noqa: E402

for path in (small, t + "/sampled.h5", t + "/full.h5"):
    sizes = []
    with h5py.File(path) as f:
        for site in f["sites"].values():
            sizes.append(0)
            site.visititems(lambda _, o: sizes.__setitem__(-1, sizes[-1] + (o.id.get_storage_size() if isinstance(o, h5py.Dataset) else 0)))
    assert [int(r["bytes"]) for r in table("info", path)] == sizes, path
assert " rows    of  size" in run("info", t + "/sampled.h5") and "  of  " not in run("info", t + "/full.h5")
