"""What is told where a curve is near-linear, against closed forms: alpha and s are not, the slope is that of the weighted line. And ranks of few
sites, which have no interval."""
import json
import os
import subprocess
import sys

import numpy as np
from scipy.optimize import minimize_scalar

sys.path.insert(0, "tests/tools")
import stores  # noqa: E402

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
rng = np.random.default_rng(11)


def run(*arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stdout}"
    return done.stdout


def rows(*arguments):
    return json.loads(run(*arguments, "--format", "json"))["rows"]


# x on the middles of the 512 bins between its ends, most of it in the middle, so that every bin's weight is beyond doubt; y bends upwards, and no S fits.
count = np.maximum(1, (1000 * np.exp(-((np.arange(512) - 255.5) / 60) ** 2)).astype(int))
x = np.repeat((np.arange(512) - 255.5) / 64, count)
x[0], x[-1] = -4, 4
x = np.resize(rng.permutation(np.r_[x, x]), (16, len(x) // 80, 10))
x[0, 0, 0], x[0, 0, 1] = -4, 4
y = 1.6 * x + 0.02 * x**3 + 0.3 * rng.standard_normal(x.shape)
x, y = x.astype("f4"), y.astype("f4")
path = stores.write(t + "/line.h5", [{"x": x, "y": y}])
X, Y = x.astype("f8").ravel(), y.astype("f8").ravel()
bins = np.minimum((X + 4) * 64, 511).astype(int)
weight = 1 / np.bincount(bins, minlength=512)[bins]
for name, w in (("points", np.ones_like(X)), ("density", weight)):
    (row,) = rows("fit", path, "-w", name)
    assert row["reason"].startswith("near-linear") and row["converged"] and row["stop"] == "alpha at a bound", row
    assert all(row[k] is None for k in ("alpha", "alpha_se", "s", "s_se")) and row["s_index"] == 0, row
    wanted = (w * X * Y).sum() / (w * X * X).sum()
    assert abs(row["slope"] / wanted - 1) < 1e-6, (name, row["slope"], wanted)
    per_sample = (w * X * (Y - wanted * X)).reshape(16, -1).sum(1)
    error = np.sqrt((per_sample**2).sum() * 16 / 15) / (w * X * X).sum()
    assert abs(row["slope_se"] / error - 1) < 1e-6, (name, row["slope_se"], error)
shown = run("fit", path).splitlines()[1].split()
assert shown[2:6] == ["-", "-", "-", "-"], shown
# With d and b any far part of the curve may lie over the points: the slope is the line's.
flat = 1.6 * x + 0.5 + 0.01 * x**2 + 0.3 * rng.standard_normal(x.shape)
bent = stores.write(t + "/bent.h5", [{"x": x, "y": flat.astype("f4")}])
(row,) = rows("fit", bent, "--shift", "--offset")
assert row["degenerate"] and row["alpha"] is row["d"] is row["b"] is None, row
assert abs(row["slope"] / np.polyfit(X, flat.astype("f4").astype("f8").ravel(), 1)[0] - 1) < 1e-6, row
# A curve that is one keeps its centre.
s = 2 * np.tanh(1.5 * x + 0.2) + 0.1 + 0.01 * rng.standard_normal(x.shape)
(row,) = rows("fit", stores.write(t + "/s.h5", [{"x": x, "y": s.astype("f4")}]), "--shift", "--offset")
assert not row["degenerate"] and abs(row["slope"] / 3 - 1) < 0.02 and abs(row["d"] - 0.2) < 0.01, row

# Of a layer with a far token the bins of x are wider than the density's where it stands: each point has its own weight all the same.
v = 0.07 * rng.standard_normal((16, 40, 64))
v[:, 0, :8] *= 90 * rng.random((16, 8))
u = (17.7 * np.tanh(0.92 * v) + 0.3 * rng.standard_normal(v.shape)).astype("f4")
v = v.astype("f4")
(row,) = rows("fit", stores.write(t + "/far.h5", [{"x": v, "y": u}]), "-w", "density")
V, U = v.astype("f8").ravel(), u.astype("f8").ravel()
place = np.minimum(((V - V.min()) / (V.max() - V.min()) * 512).astype(int), 511)
w = 1 / np.bincount(place, minlength=512)[place]


def left(log_alpha):
    f = np.tanh(np.exp(log_alpha) * V)
    return (w * (U - f * (w * f * U).sum() / (w * f * f).sum()) ** 2).sum()


best = np.exp(minimize_scalar(left, bounds=(np.log(0.3), np.log(3)), method="bounded", options={"xatol": 1e-10}).x)
assert abs(row["alpha"] / best - 1) < 1e-5 and not row["degenerate"], (row["alpha"], best, row["reason"])

# Spearman's r of six sites has no interval, of seven it has; and slopes of norms that divide by sigma say what they are.
sites = []
for i in range(7):
    v = (1 + i) * rng.standard_normal((6, 10, 24))
    sites.append({"x": v.astype("f4"), "y": stores.layernorm(v)})
for n in (6, 7):
    found = rows("correlate", stores.write(f"{t}/{n}.h5", sites[:n]))
    spearman = [r for r in found if r["correlation"] == "Spearman" and r["sites"] == "all"]
    assert len(spearman) == 3 and all((r["low"] is None) == (r["boot_low"] is None) == (n == 6) for r in spearman), spearman
    pearson = [r for r in found if r["correlation"] == "Pearson" and r["sites"] == "all"]
    assert all(r["r"] > 0.99 and r["low"] is not None and r["note"].startswith("near an identity by construction") for r in pearson), pearson
assert "random weights give r of 0.99 as well" in run("correlate", f"{t}/7.h5")
assert "near an identity" not in json.dumps(rows("correlate", "datasets/runs/vit-dyt"))
run("plot", "alpha", f"{t}/7.h5", "-o", f"{t}/a.svg")
assert "by construction" in open(f"{t}/a.svg", encoding="utf-8").read()
