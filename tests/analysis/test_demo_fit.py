"""The fit on every site of the bundled model: its sum of squares is not above SciPy's minimum, its parameters are SciPy's."""
import csv
import os
import subprocess
import sys

import h5py

sys.path.insert(0, "scripts")
from oracle_demo_fit import minimum

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]


def fit(count, name):
    run = [program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", str(count), "-o", f"{t}/{name}.h5"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    out = subprocess.run([program, "fit", f"{t}/{name}.h5", "--format", "tsv"], check=True, capture_output=True, text=True).stdout
    return list(csv.DictReader((line for line in out.splitlines() if not line.startswith("#")), delimiter="\t"))


rows = fit(40, "small")
with h5py.File(f"{t}/small.h5", "r") as run:
    for row, site in zip(rows, run["sites"].values()):
        alpha, s, sse = minimum(site["input"][()], site["output"][()])
        assert float(row["sse"]) <= sse * (1 + 1e-10), (row["name"], row["sse"], sse)
        assert abs(float(row["alpha"]) / alpha - 1) < 1e-5 and abs(float(row["s"]) / s - 1) < 1e-5, (row["name"], row["alpha"], alpha)
# The whole demo, against the table: another processor rounds the forward pass otherwise, by some 1e-7.
golden = list(csv.DictReader((line for line in open("tests/golden/demo-fit.tsv", encoding="utf-8") if not line.startswith("#")), delimiter="\t"))
rows = fit(1000, "whole")
assert len(rows) == len(golden) == 17
for row, want in zip(rows, golden):
    assert row["site"] == want["site"]
    for k, room in (("alpha", 1e-5), ("s", 1e-5), ("sse", 1e-6)):
        assert abs(float(row[k]) / float(want[k]) - 1) < room, (row["name"], k, row[k], want[k])
