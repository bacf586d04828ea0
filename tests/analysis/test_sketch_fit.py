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
assert "from sketch" in shown and max(len(line) for line in shown.splitlines()) <= 100
