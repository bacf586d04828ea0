"""correlate against SciPy and closed forms on runs whose layers have a learned alpha, or none; and what it says where there is little."""
import csv
import os
import subprocess
import sys

import h5py
import numpy as np
from scipy import stats

sys.path.insert(0, "tests/tools")
import stores

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]


def table(*arguments, status=0):
    done = subprocess.run([program, "correlate", *arguments, "--format", "tsv"], capture_output=True, text=True)
    assert done.returncode == status, (arguments, done.stderr)
    return list(csv.DictReader((line for line in done.stdout.splitlines() if not line.startswith("#")), delimiter="\t"))


def dyt_run(name, count, seed, alphas=None):
    """A run of DyT layers whose sigma and alpha follow each other, with roles in turn."""
    rng = np.random.default_rng(seed)
    sites = []
    for i in range(count):
        sigma = 10 ** rng.uniform(-1, 1)
        alpha = np.float32(alphas[i] if alphas else 0.5 / sigma * np.exp(0.4 * rng.standard_normal()))
        x = (rng.standard_normal((40, 1, 24)) * sigma).astype("f4")
        sites.append({"x": x, "y": np.tanh(alpha * x), "kind": "dyt", "role": ["attention", "mlp"][i % 2], "alpha": np.array([alpha], "f4")})
    return stores.write(f"{t}/{name}.h5", sites)


def partial(x, y, z):
    """By residuals of straight lines."""
    fit = lambda v: v - np.polyval(np.polyfit(z, v, 1), z)
    return np.corrcoef(fit(x), fit(y))[0, 1]


def check(rows, pairs):
    names = {"all points": "inverse_sigma", "median row": "inverse_sigma_row", "robust": "inverse_sigma_robust"}
    seen = 0
    for row in rows:
        mine = [p for p in pairs if row["sites"] in ("all", p["role"])]
        x, y, z = (np.array([float(p[k]) for p in mine]) for k in ("alpha", names[row["sigma"]], "site"))
        assert int(row["n"]) == len(x)
        if len(x) < 4:
            assert row["r"] == "" and row["note"] == "too few sites", row
            continue
        n, interval = len(x), None
        if row["correlation"] == "Pearson":
            found = stats.pearsonr(x, y)
            r, interval = found[0], found.confidence_interval(0.95)
        elif row["correlation"] == "of logs":
            found = stats.pearsonr(np.log(x), np.log(y))
            r, interval = found[0], found.confidence_interval(0.95)
        elif row["correlation"] == "Spearman":
            r = stats.spearmanr(x, y)[0]
            interval = np.tanh(np.arctanh(r) + np.array([-1, 1]) * stats.norm.ppf(0.975) * np.sqrt((1 + r * r / 2) / (n - 3))) if abs(r) < 1 else (1, 1)
        else:
            r = partial(x, y, z)
            interval = np.tanh(np.arctanh(r) + np.array([-1, 1]) * stats.norm.ppf(0.975) / np.sqrt(n - 4)) if n > 4 else None
        assert abs(float(row["r"]) - r) < 1e-9, (row, r)
        if interval is not None:
            assert abs(float(row["low"]) - interval[0]) < 1e-9 and abs(float(row["high"]) - interval[1]) < 1e-9, (row, interval)
        if row["boot_low"]:
            assert -1 <= float(row["boot_low"]) <= float(row["boot_high"]) <= 1
        seen += 1
    return seen


one = dyt_run("one", 17, 1)
rows, pairs = table(one, "--resamples", "2000"), table(one, "--pairs")
assert {p["alpha_is"] for p in pairs} == {"learned"} and len(pairs) == 17
with h5py.File(one) as file:
    for p, site in zip(pairs, file["sites"].values()):
        x = site["input"][()].astype("f8")
        assert float(p["alpha"]) == site["alpha"][0]
        assert np.isclose(float(p["inverse_sigma"]), 1 / x.std(), rtol=1e-9)
        assert np.isclose(float(p["inverse_sigma_row"]), np.median(1 / x.std(1)), rtol=1e-6)
        assert np.isclose(float(p["inverse_sigma_robust"]), 1 / (1.4826 * np.median(np.abs(x - np.median(x)))), rtol=1e-6)
assert check(rows, pairs) == 3 * 3 * 4
# The bootstrap: seeded, and about as wide as SciPy's.
assert rows == table(one, "--resamples", "2000") != table(one, "--resamples", "2000", "--seed", "1")
x, y = (np.array([float(p[k]) for p in pairs]) for k in ("alpha", "inverse_sigma"))
theirs = stats.bootstrap((x, y), lambda u, v: np.corrcoef(u, v)[0, 1], paired=True, vectorized=False, method="percentile", n_resamples=4000, random_state=0).confidence_interval
assert abs(float(rows[0]["boot_low"]) - theirs.low) < 0.05 and abs(float(rows[0]["boot_high"]) - theirs.high) < 0.05, (rows[0], theirs)
# Two runs: each and both together.
two = dyt_run("two", 6, 2)
rows = table(one, two, "--resamples", "0")
assert [r["n"] for r in rows if r["run"] == "all runs" and r["sites"] == "all"] == ["23"] * 12
# A file that cannot be read in between: its message, status 1, and the others' rows under their own names.
open(f"{t}/bad.h5", "w").write("no run")
for command in (["correlate", "--pairs"], ["correlate", "--resamples", "0"], ["fit"], ["stats"]):
    done = subprocess.run([program, *command, one, f"{t}/bad.h5", two, "--format", "tsv"], capture_output=True, text=True)
    assert done.returncode == 1 and "bad.h5: expected an HDF5 file" in done.stderr, (command, done.stderr)
    named = {line.split("\t")[0] for line in done.stdout.splitlines()[2:]}
    assert named - {"all runs"} == {one, two}, (command, named)
    if command[-1] == "--pairs":
        assert [line.split("\t")[0] for line in done.stdout.splitlines()[2:]] == [one] * 17 + [two] * 6
# What must not change it: units, the order of sites (but for depth), and a perfect relation has r = 1.
by = lambda rows: {(r["sites"], r["sigma"], r["correlation"]): r["r"] for r in rows}
with h5py.File(one) as source:
    layers = [(s["input"][()].reshape(40, 1, 24), s["alpha"][0], s.attrs["role"]) for s in source["sites"].values()]


def rebuilt(name, layers, scale=1):
    return stores.write(f"{t}/{name}.h5", [{"x": x * np.float32(scale), "y": np.tanh(a * x), "kind": "dyt", "role": r.decode() if isinstance(r, bytes) else r,
                                            "alpha": np.array([a / np.float32(scale)], "f4")} for x, a, r in layers])


here, scaled, turned = by(table(one, "--resamples", "0")), by(table(rebuilt("scaled", layers, 4), "--resamples", "0")), by(table(rebuilt("turned", layers[::-1]), "--resamples", "0"))
for key, r in here.items():
    assert scaled[key] == r or abs(float(scaled[key]) - float(r)) < 1e-6, key
    assert key[2] == "depth fixed" or abs(float(turned[key]) - float(r)) < 1e-9, key
perfect = table(rebuilt("perfect", [(x, np.float32(0.3 / x.std()), r) for x, a, r in layers]), "--resamples", "100")
first = perfect[0]
assert float(first["r"]) > 1 - 1e-9 and float(first["high"]) <= 1 and float(first["boot_low"]) > 1 - 1e-6, first
# One alpha for each channel: their mean.
wide = [{"x": x, "y": np.tanh(a * x), "kind": "dyt", "role": "mlp", "alpha": (a * np.linspace(0.5, 1.5, 24)).astype("f4")} for x, a, r in layers]
assert np.allclose([float(p["alpha"]) for p in table(stores.write(f"{t}/wide.h5", wide), "--pairs")], [a for x, a, r in layers], rtol=1e-6)
# Few sites, and values that are all the same.
check(table(dyt_run("few", 3, 3), "--resamples", "0"), table(f"{t}/few.h5", "--pairs"))
flat = table(dyt_run("flat", 8, 4, alphas=[0.5] * 8), "--resamples", "50")
assert all(r["r"] == "" and "all the same" in r["note"] for r in flat if int(r["n"]) > 3), flat
# LayerNorm: the fitted slope, from rows and from a sketch.
subprocess.run([program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "40", "-o", f"{t}/ln.h5", "--mode", "both"], check=True, stdout=subprocess.DEVNULL)
rows, pairs = table(f"{t}/ln.h5", "--resamples", "200"), table(f"{t}/ln.h5", "--pairs")
assert {p["alpha_is"] for p in pairs} == {"fitted"} and check(rows, pairs) > 30
for a, b in zip(pairs, table(f"{t}/ln.h5", "--pairs", "--from", "sketch")):
    assert np.isclose(float(a["alpha"]), float(b["alpha"]), rtol=1e-5) and np.isclose(float(a["inverse_sigma"]), float(b["inverse_sigma"]), rtol=1e-9)
