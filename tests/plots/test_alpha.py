"""normscope plot alpha: lines and marks against training.h5 as h5py reads it and against `correlate --pairs`; the line and r against
scipy's; what files lack is said."""
import csv
import io
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import scipy.stats

sys.path.insert(0, "tests/tools")
import figures
import stores
import svg

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
ALPHA, SIGMA = "\u03b1", "\u03c3"


def train(name, *more):
    figures.call(program, "train", "--data", "fashion-mnist-1000", "--validation", "900", "--epochs", "2", "-b", "32", "--width", "8", "--heads", "2", "--depth", "3",
                 "--lr", "0.02", "-o", f"{tmp}/{name}", *more)
    return f"{tmp}/{name}"


def marks(data, panel):
    """site -> (1/sigma, alpha) by name of the marks."""
    return {name: {int(row[4]): (row[0], row[1]) for row in rows} for name, rows in figures.named(data, "mark", panel).items() if np.isfinite(rows).any()}


def merged(by_name, run):
    return {site: pair for name, sites in by_name.items() if name.startswith(run + " ") for site, pair in sites.items()}


def check_line(data, panel, x, y, log=False, name="least squares"):
    """The least-squares line over the range of x, and r with its interval, by scipy."""
    ends = data["curve", panel, name][:, :2]
    f, g = (np.log, np.exp) if log else (np.asarray, np.asarray)
    fit = scipy.stats.linregress(f(x), f(y))
    assert np.allclose(ends[:, 0], [min(x), max(x)], rtol=1e-12)
    assert np.allclose(ends[:, 1], g(fit.slope * f(ends[:, 0]) + fit.intercept), rtol=1e-9), ends
    r = scipy.stats.pearsonr(f(x), f(y))[0]
    z, half = np.arctanh(r), scipy.stats.norm.ppf(0.975) / np.sqrt(len(x) - 3)
    return r_text(r, np.tanh(z - half), np.tanh(z + half))


def r_text(r, low, high):
    digits = 2 if abs(r) < 0.99 else 3
    r, low, high = (f"{v:.{digits}f}".replace("-", "\u2212") for v in (r, low, high))
    return f"{r} ({low} to {high})"


def correlate(*files, kind="Pearson", sigma="all points"):
    """(run, learned or fitted) -> r and its interval over all sites, as the figure writes it."""
    text = figures.call(program, "correlate", *files, "--resamples", "0", "--format", "tsv")
    rows = csv.DictReader(io.StringIO("\n".join(text.splitlines()[1:])), delimiter="\t")
    return {(row["run"], row["alpha_is"]): r_text(*(float(row[c]) for c in ("r", "low", "high"))) for row in rows if row["correlation"] == kind and row["sigma"] == sigma and row["sites"] == "all"}


def strokes(figure, panel):
    """Colours of the panel's outlined marks, and of its lines that are no guides."""
    group = figure.root.findall(svg.NS + "g")[panel - 1]
    marks, lines = set(), set()
    for element in group.iter():
        stroke, width = element.get("stroke"), float(element.get("stroke-width", 0))
        if stroke not in (None, "none") and element.get("fill", "none") not in ("none", "#ffffff") and width == 0.9:
            marks.add(stroke)
        if element.tag == svg.NS + "path" and element.get("fill", "none") == "none" and width == 1 and element.get("stroke-dasharray") is None:
            lines.add(stroke)
    return marks, lines


# A training run, by its folder and by its file: every record of the sites named, the last one of all sites.
dyt = train("dyt", "--norm", "dyt", "--watch-every", "1")
with h5py.File(f"{dyt}/training.h5") as file:
    watch = {name: file["watch"][name][()] for name in file["watch"]}
    epochs = watch["step"] / file.attrs["steps_per_epoch"]
for path, sigma, column in ((dyt, "all", "inverse_sigma"), (f"{dyt}/training.h5", "rows", "inverse_sigma_rows"), (dyt + "/", "robust", "inverse_sigma_robust")):
    figure, data = figures.draw("alpha", path, "--sigma", sigma, "--over-epochs", "2,7")
    assert len(figure.panels) == 2
    curves = figures.named(data, "curve", 1)
    assert set(curves) == {f"{site} {what}" for site in ("blocks.0.norm2", "norm") for what in (ALPHA, "1/" + SIGMA)}, set(curves)
    for i, site in ((1, "blocks.0.norm2"), (6, "norm")):
        for what, values in ((ALPHA, watch["alpha"]), ("1/" + SIGMA, watch[column])):
            assert np.array_equal(curves[f"{site} {what}"][:, :2], np.stack([epochs, values[:, i]], 1)), (site, what)
    shown = marks(data, 2)
    assert {name: sorted(sites) for name, sites in shown.items()} == {"dyt attention": [1, 3, 5], "dyt mlp": [2, 4, 6], "dyt final": [7]}, shown
    last = merged(shown, "dyt")
    assert all(last[i + 1] == (watch[column][-1, i], watch["alpha"][-1, i]) for i in range(7))
    numbers = check_line(data, 2, watch[column][-1].astype("f8"), watch["alpha"][-1].astype("f8"))
    assert f"r = {numbers}" in figure.texts, (numbers, figure.texts)
figure, data = figures.draw("alpha", dyt)  # three sites, spread, the last among them
assert {name.split()[0] for name in figures.named(data, "curve", 1)} == {"blocks.0.norm2", "blocks.2.norm1", "norm"}, figures.named(data, "curve", 1).keys()

# Logarithmic axes, two runs, and a choice of sites, for both panels.
other = train("other", "--norm", "dyt-channel", "--seed", "3")
figure, data = figures.draw("alpha", dyt, other, "--log", "--exclude", "blocks.1")
assert len(figure.panels) == 3 and {"dyt", "other"} <= set(figure.texts)
pairs = [(watch["inverse_sigma"][-1, i], watch["alpha"][-1, i]) for i in (0, 1, 4, 5, 6)]
with h5py.File(f"{other}/training.h5") as file:
    pairs += [(file["watch/inverse_sigma"][-1, i], file["watch/alpha"][-1, i]) for i in (0, 1, 4, 5, 6)]
shown = marks(data, 3)
assert sorted({**merged(shown, "dyt")}) == sorted(merged(shown, "other")) == [1, 2, 5, 6, 7]
x, y = np.array(pairs, "f8").T
each = [check_line(data, 3, x[part], y[part], log=True, name=f"{name} least squares") for name, part in (("dyt", slice(5)), ("other", slice(5, 10)))]
r = correlate(dyt, other, "--exclude", "blocks.1", kind="of logs")
assert each == [r[dyt, "learned"], r[other, "learned"]] and f"r of logs = {r['all runs', 'learned']}" in figure.texts, (each, r, figure.texts)
assert f"r of logs of {ALPHA} is that over all files; of each: dyt {each[0]}, other {each[1]}." in " ".join(figure.texts), figure.texts
outlines, lines = strokes(figure, 3)
assert len(outlines) == 2 and lines - {"#555555"} == outlines, (outlines, lines)  # and the key, in grey

# Runs of dump: what correlate finds, with an alpha of their own and with fitted slopes.
figures.call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "12", "-o", f"{tmp}/ln.h5")
figures.call(program, "dump", dyt, "fashion-mnist-1000", "-n", "12", "-o", f"{tmp}/own.h5")
for name, label in (("ln", "fitted s\u00b7" + ALPHA), ("own", ALPHA)):
    table = list(csv.DictReader(io.StringIO("\n".join(figures.call(program, "correlate", f"{tmp}/{name}.h5", "--pairs", "--format", "tsv").splitlines()[1:])), delimiter="\t"))
    for sigma, column in (("all", "inverse_sigma"), ("rows", "inverse_sigma_row"), ("robust", "inverse_sigma_robust")):
        figure, data = figures.draw("alpha", f"{tmp}/{name}.h5", "--sigma", sigma)
        assert len(figure.panels) == 1 and figure.panels[0].y_label.endswith(label), figure.panels[0].y_label
        shown = merged(marks(data, 1), name)
        assert shown == {int(row["site"]): (float(row[column]), float(row["alpha"])) for row in table}
figure, data = figures.draw("alpha", f"{tmp}/own.h5", dyt)
assert len(figure.panels) == 2 and "own" in figure.texts

# Learned alpha and fitted slopes are never one cloud: a panel, a line and an r for each, those of correlate.
for files in ((f"{tmp}/ln.h5", f"{tmp}/own.h5"), (dyt, f"{tmp}/ln.h5"), (f"{tmp}/own.h5", f"{tmp}/ln.h5", other)):
    for more, kind in (((), "Pearson"), (("--log",), "of logs"), (("--sigma", "robust"), "Pearson")):
        r = correlate(*files, kind=kind, sigma="robust" if "robust" in more else "all points")
        figure, data = figures.draw("alpha", *files, *more)
        first = sum(not file.endswith(".h5") for file in files) + 1
        assert len(figure.panels) == first + 1 and figure.panels[first - 1].y_label in (ALPHA, "site" + ALPHA), [p.y_label for p in figure.panels]
        assert "fitted s\u00b7" + ALPHA in figure.panels[first].y_label
        for panel, what in ((first, "learned"), (first + 1, "fitted")):
            wanted = f"r{' of logs' if kind != 'Pearson' else ''} = {r['all runs', what]}"
            assert wanted in [t for _, _, t in figure.panels[panel - 1].texts], (files, more, what, wanted, figure.texts)
            names = {name.split()[0] for name in marks(data, panel)}
            assert names == ({"ln"} if what == "fitted" else {os.path.basename(f).replace(".h5", "") for f in files} - {"ln"}), names
            outlines, lines = strokes(figure, panel)
            assert len(outlines) == len(names) and lines - {"#555555"} == outlines, (files, panel, outlines, lines)
        assert sum("attention" == t for t in figure.texts) == 1  # one legend

# Points that cannot be drawn are counted.
rng = np.random.default_rng(0)
x = rng.standard_normal((9, 3, 8)).astype("f4")
odd = stores.write(f"{tmp}/odd.h5", [dict(x=x * (i + 1), y=np.tanh(x), kind="dyt", alpha=np.array([a], "f4")) for i, a in enumerate((0.5, -1, 0.25, 0.1, np.nan))])
figure, data = figures.draw("alpha", odd, "--log")
assert "2 not finite or not above 0" in " ".join(figure.texts) and sorted(merged(marks(data, 1), "odd")) == [1, 3, 4]
figure, data = figures.draw("alpha", odd)
assert "1 not finite" in figure.texts and data["mark", 1, "odd other"].shape[0] == 4

text = figures.pdf_text("alpha", dyt)
assert all(part in text for part in ("epoch", f"1/{SIGMA} of the input", "attention", "least squares", "95 % interval")), text

# What is missing is said, with the file's name.
layernorm = train("layernorm", "--norm", "layernorm")
figures.refused("alpha", layernorm, status=3, parts=(f"{layernorm}/training.h5", "sites with an alpha", "layernorm"))
figures.refused("alpha", tmp, status=3, parts=(f"{tmp}/training.h5",))
figures.refused("alpha", "README.md", status=3, parts=("README.md",))
figures.refused("alpha", dyt, "--over-epochs", "9", status=3, parts=("--over-epochs", "9"))
figures.refused("alpha", dyt, "--select", "blocks.7", status=3, parts=("blocks.7",))
figures.refused("alpha", status=2, parts=("FILE",))


def changed(change):
    shutil.copy(f"{dyt}/training.h5", f"{tmp}/changed.h5")
    with h5py.File(f"{tmp}/changed.h5", "r+") as file:
        change(file)
    return f"{tmp}/changed.h5"


def replace(file, name, values):
    del file[name]
    file[name] = values


for change, parts in ((lambda f: f.attrs.modify("training_version", 2), ("training_version up to 1, found 2",)),
                      (lambda f: f.__delitem__("watch/inverse_sigma"), ("watch/inverse_sigma, found no such dataset", "inverse_sigma_rows")),
                      (lambda f: f.__delitem__("watch"), ("watch/names",)),
                      (lambda f: replace(f, "watch/alpha", np.zeros((3, 2), "f4")), ("watch/alpha: expected a shape of [7, 7], found [3, 2]",)),
                      (lambda f: replace(f, "watch/step", np.array([0, 5, 3])), ("watch/step: expected rising",)),
                      (lambda f: replace(f, "watch/names", np.arange(7)), ("watch/names: expected text",)),
                      (lambda f: f.attrs.modify("steps_per_epoch", 0), ("steps_per_epoch: expected a number above 0, found 0",))):
    figures.refused("alpha", changed(change), status=3, parts=(f"{tmp}/changed.h5", *parts))
without = changed(lambda f: f.__delitem__("watch/roles"))  # a file of before there were roles
assert {name for name in marks(figures.draw("alpha", without)[1], 2)} == {f"changed {role}" for role in ("attention", "mlp", "final")}
