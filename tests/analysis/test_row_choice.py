"""Rows that are chosen, and the S-index by kind of row: against NumPy's own choice fitted by SciPy, from rows and from sketches, and a made token
that is the whole S."""
import csv
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
from scipy.optimize import minimize_scalar

sys.path.insert(0, "tests/tools")
import stores  # noqa: E402

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
rng = np.random.default_rng(5)


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout}"
    return done.stdout


def table(command, path, *more):
    lines = run(command, path, "--format", "tsv", *more).splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))


def s_index(x, y):
    """Of s tanh(alpha x): s follows from alpha, which a scan over ten decades brackets and SciPy's bounded minimum then finds."""
    x, y = x.astype("f8").ravel(), y.astype("f8").ravel()
    line = ((y - x * (x @ y) / (x @ x)) ** 2).sum()

    def left(log_alpha):
        f = np.tanh(np.exp(log_alpha) * x)
        return ((y - f * (f @ y) / (f @ f)) ** 2).sum()

    grid = np.log(np.geomspace(1e-4, 1e4, 65) / np.abs(x).max())
    at = int(np.argmin([left(g) for g in grid]))
    found = minimize_scalar(left, bounds=(grid[max(at - 1, 0)], grid[min(at + 1, 64)]), method="bounded", options={"xatol": 1e-9})
    return max(0.0, 1 - found.fun / line)


# A network whose first word alone bends, as attention sinks do, and one where it hides the S of the others.
samples, positions, channels = 8, 20, 32
x = rng.standard_normal((2, samples, positions, channels))
x[0, :, 0] *= 40
y = np.stack([np.where(np.arange(positions)[:, None] == 0, 6 * np.tanh(x[0] / 9), 0.7 * x[0]), 1.5 * np.tanh(1.4 * x[1])])
y[1, :, 0] = 1.5 * x[1, :, 0]
x[1, :, 0] *= 30
y[1, :, 0] *= 30
y += 0.01 * rng.standard_normal(y.shape)
kinds = np.full((samples, positions), stores.WORD)
kinds[3:, 17:] = stores.PADDING
x, y = x.astype("f4"), y.astype("f4")
path = stores.write(t + "/made.h5", [{"x": x[i], "y": y[i], "kinds": kinds} for i in range(2)])
word, first = kinds == stores.WORD, np.broadcast_to(np.arange(positions) == 0, kinds.shape)
largest = np.abs(x).max(-1)
place = np.broadcast_to(np.arange(positions), kinds.shape)
fits = table("fit", path)
assert [r["flag"] for r in fits] == ["S of position 0", "near-linear, but for an S behind position 0"], [(r["flag"], r["s_index"], r["s_index_not_first"]) for r in fits]
for i, row in enumerate(fits):
    for name, rows in (("s_index", word), ("s_index_not_first", word & ~first), ("s_index_first", word & first), ("s_index_word", word)):
        assert abs(float(row[name]) - s_index(x[i][rows], y[i][rows])) < 1e-5, (i, name, row[name])
    assert row["s_index_class"] == row["s_index_patch"] == row["s_index_register"] == "" and row["chosen_rows"] == "all" and row["rows_left_out"] == "0"
for words, rows in (("not first", lambda i: ~first), ("first", lambda i: first), ("position 1-4,9,15-", lambda i: ((place >= 1) & (place <= 4)) | (place == 9) | (place >= 15)),
                    ("|x| < 4", lambda i: largest[i] < 4), ("|x|>=30 or position 3", lambda i: (largest[i] >= 30) | (place == 3)),
                    ("word and not position 0-2 and |x| <= 3.5", lambda i: ~(place <= 2) & (largest[i] <= 3.5)), ("not not word", lambda i: word)):
    chosen, told = table("fit", path, "--rows", words), table("stats", path, "--rows", words)
    for i, (row, s) in enumerate(zip(chosen, told)):
        rows_i = word & rows(i)
        assert int(row["points"]) == rows_i.sum() * channels and int(row["rows_left_out"]) == (word & ~rows_i).sum() == int(s["rows_left_out"])
        assert int(row["padding_rows"]) == (~word).sum() == int(s["padding_rows"]) and row["chosen_rows"] == s["chosen_rows"] == words
        if row["degenerate"] == "0":
            assert abs(float(row["s_index"]) - s_index(x[i][rows_i], y[i][rows_i])) < 1e-7, (words, i)
        assert abs(float(s["sigma"]) / x[i][rows_i].astype("f8").std() - 1) < 1e-12 and abs(float(s["max"]) - x[i][rows_i].max()) < 1e-6
shown = run("fit", path, "--rows", "not first")
assert "Rows: not first; 8 others of a site are left out." in shown
one, other = table("correlate", path, "--pairs"), table("correlate", path, "--pairs", "--rows", "not first")
assert float(one[0]["inverse_sigma"]) < 0.5 < 0.9 < float(other[0]["inverse_sigma"])
for wrong, message in (("last", "expected first, class"), ("first and", "'the end'"), ("position 4-2", "a range that rises"), ("|x| = 3", "expected <"),
                       ("first word", "expected and, or, or the end"), ("|x| < inf", "a number"), ("position", "a position"), ("firsts", "expected first")):
    assert message in run("fit", path, "--rows", wrong, status=2), wrong
assert "no points" in run("fit", path, "--rows", "class")

# The same from sketches: of class tokens, patches and words, and of files from before their parts were kept.
vit, gpt = ("datasets/vit-fmnist-layernorm", "fashion-mnist-1000"), ("datasets/runs/gpt-layernorm", "datasets/shakespeare/shakespeare.txt.gz")
for name, (model, data) in (("vit", vit), ("gpt", gpt)):
    run("dump", model, data, "-n", "30", "-b", "7", "-o", f"{t}/{name}.h5", "--mode", "both", "-l", "2,7", "--force")
    names = ("first", "not first", "class", "patch") if name == "vit" else ("first", "not first", "word")
    by_kind = table("fit", f"{t}/{name}.h5"), table("fit", f"{t}/{name}.h5", "--from", "sketch"), table("stats", f"{t}/{name}.h5", "--from", "sketch")
    for words in names:
        rows, sketch = (table("fit", f"{t}/{name}.h5", "--rows", words, "--from", f) for f in ("rows", "sketch"))
        a, b = (table("stats", f"{t}/{name}.h5", "--rows", words, "--from", f) for f in ("rows", "sketch"))
        for i in range(2):
            assert rows[i]["points"] == sketch[i]["points"] == a[i]["points"] == b[i]["points"] and rows[i]["rows_left_out"] == sketch[i]["rows_left_out"] == b[i]["rows_left_out"]
            for column in ("slope", "r2", "s_index"):
                assert abs(float(rows[i][column]) - float(sketch[i][column])) < 1e-4, (name, words, column)
            for column in ("mean", "sigma", "min", "max", "excess_kurtosis", "max_abs_y", "row_sigma_min", "row_sigma_max", "line_slope"):
                assert abs(float(a[i][column]) - float(b[i][column])) < 1e-6 * max(1, abs(float(a[i][column]))), (name, words, column)
            assert abs(float(a[i]["row_sigma_median"]) / float(b[i]["row_sigma_median"]) - 1) < 1 / 32 and b[i]["outlier_channels"] == ""
            for fit in by_kind:
                assert abs(float(fit[i]["s_index_" + words.replace(" ", "_")]) - float(rows[i]["s_index"])) < 1e-5, (name, words)
assert "tells position 0 and the kinds of rows apart, nothing" in run("fit", f"{t}/vit.h5", "--from", "sketch", "--rows", "|x| < 3", status=2)
with h5py.File(f"{t}/vit.h5", "r") as file:
    for site in file["sites"].values():
        s = {k: v[0] for k, v in site["sketch"].items()}
        kind, x0 = site["kind"][()], site["input"][()].astype("f8")
        part = np.where(site["position"][()] == 0, 0, 1 + kind)
        assert np.array_equal(s["first_kinds"], [0, 30, 0, 0])
        for p in range(5):
            mine = x0[part == p]
            assert list(s["part_counts"][p]) == [len(mine), mine.size, 0]
            assert np.array_equal(s["part_bins"].reshape(5, 3072, 6)[p, :, 0].sum(), mine.size)
            if mine.size:
                assert np.allclose(s["part_moments"][p, :3], [mine.size, mine.mean(), ((mine - mine.mean()) ** 2).sum()], rtol=1e-9, atol=1e-12)
                assert np.array_equal(s["part_extent"][p, :2], [mine.min(), mine.max()])
        assert np.allclose(s["part_bins"].reshape(5, 3072, 6).sum(0), s["bins"], rtol=1e-12, atol=1e-9)
# Merged sketches keep the parts; where one file has none, so does the merged one; and an older file is read.
for k in (0, 1):
    run("dump", *vit, "-n", "10", "--skip", str(10 * k), "-o", f"{t}/part{k}.h5", "--mode", "sketch", "-l", "2")
run("merge", f"{t}/part0.h5", f"{t}/part1.h5", "-o", f"{t}/merged.h5")
assert float(table("stats", f"{t}/merged.h5", "--from", "sketch", "--rows", "class")[0]["points"]) == 20 * 96
with h5py.File(f"{t}/part1.h5", "r+") as file:
    for name in ("counts", "moments", "extent", "bins", "row_sigma"):
        del file["sites/002/sketch"]["part_" + name]
    del file["sites/002/sketch/first_kinds"]
old = table("fit", f"{t}/part1.h5", "--from", "sketch")[0]
assert old["s_index"] and old["s_index_not_first"] == ""
assert "made before sketches kept rows apart" in run("fit", f"{t}/part1.h5", "--from", "sketch", "--rows", "class", status=2)
run("merge", f"{t}/part0.h5", f"{t}/part1.h5", "-o", f"{t}/merged2.h5")
with h5py.File(f"{t}/merged2.h5", "r") as file:
    assert "part_bins" not in file["sites/002/sketch"] and file["sites/002/sketch/counts"][0, 2] == 20 * 17 * 96

# What a figure says and shows.
svg = f"{t}/s.svg"
run("plot", "scurve", path, "-o", svg, "--data", f"{t}/s.tsv", "-f")
text = re.sub(r"<[^>]+>", "", open(svg, encoding="utf-8").read())
assert "without position 0" in text and "position 0" in text
marked = sum(float(line.split("\t")[-1]) for line in open(f"{t}/s.tsv", encoding="utf-8") if "\tmarked rows\t" in line)
assert marked == 2 * samples * channels, marked
run("plot", "scurve", path, "-o", svg, "-f", "--mark", "none")
assert "s of site" not in open(svg, encoding="utf-8").read()
run("plot", "scurve", path, "-o", svg, "-f", "--rows", "not first", "--data", f"{t}/n.tsv")
assert sum(float(line.split("\t")[-1]) for line in open(f"{t}/n.tsv", encoding="utf-8") if "\tbin\t" in line) == 2 * (word & ~first).sum() * channels
assert "Rows: not first." in re.sub(r"<[^>]+>", "", open(svg, encoding="utf-8").read())
for kind in ("tokens", "channels", "residual", "rows", "alpha", "depth"):
    run("plot", kind, path, "-o", svg, "-f", "--rows", "not first")
run("plot", "tokens", path, "-o", svg, "-f", "-l", "1", "--data", f"{t}/k.tsv")
order = np.argsort(-np.where(word, largest[0], 0).ravel())
for row in order[:2]:
    assert f"{row // positions}:{row % positions}" in open(svg, encoding="utf-8").read(), row
assert "--mark" in run("plot", "scurve", path, "-o", svg, "-f", "--mark", "sink", status=2)
shutil.rmtree(t, ignore_errors=True)
