"""correlate of training runs: over the sites after the last epoch, after every epoch, and within each site, against SciPy on what h5py reads."""
import csv
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
from scipy import stats

sys.path.insert(0, "tests/tools")
import refusals
import stores

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
vit, gpt = "datasets/runs/vit-dyt", "datasets/runs/gpt-dyt"
SIGMAS = {"all points": "inverse_sigma", "median row": "inverse_sigma_rows", "robust": "inverse_sigma_robust"}
SHORT = {"inverse_sigma": "", "inverse_sigma_rows": "_row", "inverse_sigma_robust": "_robust"}


def table(*arguments, status=0):
    done = subprocess.run([program, "correlate", *arguments, "--format", "tsv"], capture_output=True, text=True)
    assert done.returncode == status, (arguments, done.stderr)
    return list(csv.DictReader((line for line in done.stdout.splitlines() if not line.startswith("#")), delimiter="\t"))


def read(path):
    """Names, roles and, by column, [epochs, sites] after each epoch."""
    with h5py.File(path) as file:
        steps, length, watch = file["watch/step"][()], int(file.attrs["steps_per_epoch"]), file["watch"]
        at = [int(np.flatnonzero(steps == length * (k + 1))[0]) for k in range(len(file["epochs/loss"]))]
        words = lambda name: np.array([w.decode() for w in watch[name][()]])
        return words("names"), words("roles"), {k: watch[k][()].astype("f8")[at] for k in ("alpha", *SIGMAS.values())}


def near(text, value):
    return text == "" if np.isnan(value) else abs(float(text) - value) < 1e-9


def interval(r, freedom):
    return np.tanh(np.arctanh(r) + np.array([-1, 1]) * stats.norm.ppf(0.975) / np.sqrt(freedom))


def residuals(v, z):
    return v - np.polyval(np.polyfit(z, v, 1), z)


def check_last(rows, path):
    names, roles, columns = read(path)
    depth, seen = np.arange(1.0, len(names) + 1), set()
    for row in rows:
        mine = (roles == row["sites"]) | (row["sites"] == "all")
        x, y, z = columns["alpha"][-1][mine], columns[SIGMAS[row["sigma"]]][-1][mine], depth[mine]
        assert int(row["n"]) == mine.sum() and row["alpha_is"] == "learned"
        if mine.sum() < 4:
            assert row["r"] == "" and row["note"] == "too few sites"
            continue
        r, freedom = {"Pearson": lambda: (stats.pearsonr(x, y)[0], len(x) - 3),
                      "of logs": lambda: (stats.pearsonr(np.log(x), np.log(y))[0], len(x) - 3),
                      "Spearman": lambda: (stats.spearmanr(x, y)[0], None),
                      "depth fixed": lambda: (stats.pearsonr(residuals(x, z), residuals(y, z))[0], len(x) - 4)}[row["correlation"]]()
        assert near(row["r"], r), (row, r)
        if freedom:
            assert all(near(a, b) for a, b in zip((row["low"], row["high"]), interval(r, freedom))), row
        seen.add((row["sites"], row["sigma"], row["correlation"]))
    assert {s for s in seen if s[0] == "all"} == {("all", s, k) for s in SIGMAS for k in ("Pearson", "Spearman", "of logs", "depth fixed")}
    return len(seen)


def check_epochs(rows, path):
    names, roles, columns = read(path)
    groups = ["all"] + [role for role in ("attention", "mlp", "final") if (roles == role).sum() > 3]
    assert sorted((int(r["epoch"]), r["sites"]) for r in rows) == sorted((e + 1, g) for e in range(len(columns["alpha"])) for g in groups)
    for row in rows:
        mine, e = (roles == row["sites"]) | (row["sites"] == "all"), int(row["epoch"]) - 1
        assert int(row["n"]) == mine.sum()
        for column, short in SHORT.items():
            found = stats.pearsonr(columns["alpha"][e][mine], columns[column][e][mine])
            low, high = found.confidence_interval(0.95)
            assert near(row["r" + short], found[0]) and near(row["low" + short], low) and near(row["high" + short], high), (row, found)


def check_within(rows, path):
    names, roles, columns = read(path)
    sites, (median, positive) = rows[:-2], rows[-2:]
    assert [(r["is"], int(r["site"]), r["name"], r["role"]) for r in sites] == [("site", i + 1, n, roles[i]) for i, n in enumerate(names)]
    assert (median["is"], positive["is"]) == ("median", "share above 0") and median["site"] == positive["name"] == ""
    for column, short in SHORT.items():
        r = [stats.pearsonr(columns["alpha"][:, i], columns[column][:, i])[0] for i in range(len(names))]
        assert all(near(row["r" + short], value) for row, value in zip(sites, r)), column
        assert near(median["r" + short], np.median(r)) and near(positive["r" + short], (np.array(r) > 0).mean())
    assert {int(r["n"]) for r in sites} == {len(columns["alpha"])} and int(median["n"]) == len(names)


for run in (vit, gpt):
    last = table(run, "--resamples", "100")
    assert check_last(last, f"{run}/training.h5") >= 24
    assert [r["boot_low"] for r in last] == [r["boot_low"] for r in table(f"{run}/training.h5", "--resamples", "100")]
    check_epochs(table(run, "--by-epoch"), f"{run}/training.h5")
    check_within(table(f"{run}/training.h5", "--within"), f"{run}/training.h5")
# The last row over the epochs is the run's own; the values are there; sites are chosen as in a dump.
first, late = table(vit, "--resamples", "0")[0], [r for r in table(vit, "--by-epoch") if r["sites"] == "all"][-1]
assert [first[k] for k in ("r", "low", "high")] == [late[k] for k in ("r", "low", "high")]
names, roles, columns = read(f"{vit}/training.h5")
pairs = table(vit, "--pairs")
assert [p["name"] for p in pairs] == list(names) and {p["kind"] for p in pairs} == {"dyt"} and {p["alpha_se"] for p in pairs} == {""}
for key, column in (("alpha", "alpha"), ("inverse_sigma", "inverse_sigma"), ("inverse_sigma_row", "inverse_sigma_rows"), ("inverse_sigma_robust", "inverse_sigma_robust")):
    assert [float(p[key]) for p in pairs] == list(columns[column][-1])
assert [r["site"] for r in table(vit, "--within", "-l", "2,5-7")] == ["2", "5", "6", "7", "", ""]
# A training run beside a dump and another: each its rows, and the sites of all pooled.
rng = np.random.default_rng(0)
x = [(rng.standard_normal((20, 1, 8)) * s).astype("f4") for s in (0.5, 1, 2, 4, 8)]
dump = stores.write(f"{t}/dump.h5", [{"x": v, "y": np.tanh(v / 2), "kind": "dyt", "role": "mlp", "alpha": np.array([0.5 + k / 9], "f4")} for k, v in enumerate(x)])
rows = table(dump, vit, gpt, "--resamples", "0")
count = {run: {r["n"] for r in rows if r["run"] == run and r["sites"] == "all"} for run in (dump, vit, gpt, "all runs")}
assert count == {dump: {"5"}, vit: {"13"}, gpt: {"9"}, "all runs": {"27"}}, count
rows = table(vit, gpt, "--within")
assert [r["run"] for r in rows] == [vit] * 15 + [gpt] * 11

# Records between the epochs and values that are not known: the former are no epochs, the latter no pairs.
path = shutil.copy(f"{vit}/training.h5", f"{t}/more.h5")
with h5py.File(path, "r+") as file:
    watch, length = file["watch"], int(file.attrs["steps_per_epoch"])
    for name in list(watch):
        if name in ("names", "roles"):
            continue
        values = watch[name][()]
        del watch[name]
        more = values[2:3] - 7 if name == "step" else values[2:3] * 0.3
        watch[name] = np.concatenate([values[:2], more, values[2:]])
        watch[name].attrs["unit"] = "1"
    watch["alpha"][5, 3] = np.nan
assert table(path, "--resamples", "0")[0]["r"] == first["r"]
rows = table(path, "--by-epoch")
assert [r["r"] for r in rows if r["epoch"] in "123"] == [r["r"] for r in table(vit, "--by-epoch") if r["epoch"] in "123"]
others = np.arange(13) != 3
with h5py.File(path) as file:
    fourth = next(r for r in rows if r["epoch"] == "4")
    assert fourth["n"] == "12" and near(fourth["r"], stats.pearsonr(file["watch/alpha"][5][others], file["watch/inverse_sigma"][5][others])[0])

# What has none of it.
empty = f"{t}/nothing"
os.mkdir(empty)
start = shutil.copy(f"{vit}/training.h5", f"{t}/start.h5")
with h5py.File(start, "r+") as file:
    for name in file["watch"]:
        values = file["watch"][name][()]
        if name not in ("names", "roles"):
            del file["watch"][name]
            file["watch"][name] = values[:1]
refusals.refused(["correlate", "datasets/runs/vit-layernorm"], "vit-layernorm/training.h5: expected sites with an alpha, found layernorm, which has none")
refusals.refused(["correlate", start], "start.h5: watch/step: expected a record after each epoch", "found 0")
refusals.refused(["correlate", empty], "nothing/training.h5")
refusals.refused(["correlate", vit, "-s", "blocks.9.*"], "training.h5: ", "blocks.9.*")
for option in ("--by-epoch", "--within"):
    refusals.refused(["correlate", dump, option], "dump.h5: expected what normscope train recorded", "found a run of dump")
    refusals.refused(["correlate", vit, "--pairs", option], "expected one of --pairs, --by-epoch and --within", status=2)
    refusals.refused(["correlate", vit, os.path.join(vit, "training.h5"), option], f"training.h5: given twice (it is {vit})", status=2)
    refusals.refused(["correlate", vit, dump, option], "dump.h5: expected what", status=1, prints=True)
refusals.done()
