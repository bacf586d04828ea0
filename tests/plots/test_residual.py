"""normscope plot residual: the residuals' bins, their medians and means against NumPy with the parameters that normscope fit prints; samples,
sketches, what decides no curve, and names."""
import sys

import h5py
import numpy as np
from scipy.special import erf

sys.path.insert(0, "tests/tools")
import stores
from figures import call, draw, named, pdf_text, program, refused, tmp

rng = np.random.default_rng(8)
functions = {"tanh": np.tanh, "erf": erf, "linear": lambda u: u, "softsign": lambda u: u / (1 + np.abs(u)), "hardtanh": lambda u: np.clip(u, -1, 1)}
BINS, CELLS, LEAST = 64, 4096, 10


def site(x, y, **more):
    return dict(x=np.asarray(x, "f4"), y=np.asarray(y, "f4"), **more)


def fitted(path, curve):
    lines = [line.split("\t") for line in call(program, "fit", path, "--curve", curve, "--format", "tsv").splitlines()[1:]]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def residuals(x, y, curve, fit):
    """x, and what is left, of the finite points."""
    x, y = x.ravel().astype("f8"), y.ravel().astype("f8")
    keep = np.isfinite(x) & np.isfinite(y)
    x, y = x[keep], y[keep]
    return x, (y - float(fit["s"]) * functions[curve](float(fit["alpha"] or 1) * x)).astype("f4").astype("f8")


def check_lines(data, panel, x, left):
    edges = np.linspace(x.min(), x.max(), BINS + 1)
    bins = np.clip(np.searchsorted(edges, x, "right") - 1, 0, BINS - 1)
    lines = named(data, "curve", panel)
    assert set(lines) == {"zero", "median", "mean"} and not lines["zero"][:, 1].any()
    for b in range(BINS):
        own, at = left[bins == b], x[bins == b]
        mean, median = lines["mean"][b], lines["median"][b]
        if len(own) < LEAST:
            assert np.isnan(mean[:2]).all() and np.isnan(median[:2]).all()
            continue
        assert np.isclose(mean[0], at.mean(), rtol=1e-9) and mean[0] == median[0]
        assert np.isclose(mean[1], own.mean(), rtol=1e-6, atol=1e-7 * np.abs(own).max())
        low, high = np.quantile(own, (0.5 - 1 / len(own), 0.5 + 1 / len(own)))  # halves of few points meet anywhere between two
        cell = np.ptp(left) / CELLS
        assert low - cell <= median[1] <= high + cell, (b, median, low, high)


def check_bins(bins, x, left):
    assert bins[:, 4].sum() == len(x)
    for x0, y0, x1, y1, n in bins[:: max(1, len(bins) // 60)]:
        inside = (x >= x0) & (x < x1) & (left >= y0) & (left < y1)
        assert abs(inside.sum() - n) <= 1, (x0, y0, n, inside.sum())  # the last bit of a residual may be another


x = [rng.standard_normal((40, 5, 40)) * scale for scale in (1, 3)]
sites = [site(a, 4 * np.tanh(0.6 * a) + rng.normal(0, 0.2, a.shape) + 0.1 * a**2) for a in x]
sites[1]["kinds"] = np.zeros((40, 5), "u1")
sites[1]["kinds"][:, 4] = stores.PADDING
sites[0]["x"][0, 0, :3], sites[0]["y"][0, 1, 0] = (np.nan, np.inf, -np.inf), np.nan
run = stores.write(f"{tmp}/run.h5", sites)
for curve in functions:
    figure, data = draw("residual", run, "--curve", curve)
    assert figure.panels[0].y_label == ("output \u2212 s·x" if curve == "linear" else f"output \u2212 s·{curve}(αx)")
    for panel, (s, fit) in enumerate(zip(sites, fitted(run, curve)), 1):
        keep = s.get("kinds", np.zeros((40, 5))) != stores.PADDING
        at, left = residuals(s["x"][keep], s["y"][keep], curve, fit)
        check_lines(data, panel, at, left)
        check_bins(data["bin", panel, f"blocks.{panel}.norm"], at, left)
        texts = [t for _, _, t in figure.panels[panel - 1].texts]
        assert f"RMSE {np.sqrt((left**2).mean()):#.3g}" in texts and "median" in texts and "mean" in texts, texts
        tails = (at < np.quantile(at, 0.01)) | (at > np.quantile(at, 0.99))
        said = next(float(t.split()[-1]) for t in texts if t.startswith("tail RMSE"))
        assert abs(said / np.sqrt((left[tails] ** 2).mean()) - 1) < 0.02, (said, curve)
    assert "4 not finite" in figure.texts
assert "Lines: median and mean of the residual in 64 equally wide bins of the input; bins of fewer than 10 points are left out. RMSE: root mean square" in " ".join(figure.texts)
assert len(named(draw("residual", run, "--layers", "2")[1], "bin")) == 1

# The fit is to all that there is: the sketch beside a sample; extreme rows are drawn, and are part of no line.
full, sampled, both, sketch = (f"{tmp}/{name}.h5" for name in ("full", "sampled", "both", "sketch"))
for path, more in ((full, []), (sampled, ["--sample-rows", "40"]), (both, ["--mode", "both"]), (sketch, ["--mode", "sketch", "--sample-rows", "60"])):
    call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "20", "-l", "3,17", "-o", path, *more)
for path, rows in ((full, 340), (sampled, 40), (both, 340), (sketch, 60)):
    figure, data = draw("residual", path)
    fits = fitted(path, "tanh")
    with h5py.File(path) as file:
        for panel, name in ((1, "003"), (2, "017")):
            s = file[f"sites/{name}"]
            at, left = residuals(s["input"][:], s["output"][:], "tanh", fits[panel - 1])
            bins = data["bin", panel, fits[panel - 1]["name"]]
            assert bins[:, 4].sum() >= rows * 96 and (bins[:, 4].sum() == rows * 96) == (rows == 340)
            if rows == 340:
                check_lines(data, panel, at, left)
            assert ("of 340 rows" in " ".join(figure.texts)) == (rows < 340)
with h5py.File(sketch, "r+") as file:
    for name in ("input", "output", "sample", "position", "kind"):
        del file["sites/017"][name]
refused("residual", sketch, status=3, parts=[sketch, "site 17 (norm)", "expected stored rows", "a sketch alone"])

# Where data decides no curve the panel says why; a single x, and names.
some = np.zeros((4, 2, 3))
for name, x, y, said in (("one point", np.full((1, 1, 1), 0.5), np.ones((1, 1, 1)), "no curve: constant input"), ("all equal", some + 2, some + 1, "no curve: constant input"),
                         ("only NaN", some * np.nan, some, "no curve: no finite points"), ("padding", some, some, "no curve: no points")):
    path = stores.write(f"{tmp}/odd.h5", [site(x, y, **({"kinds": np.full((4, 2), stores.PADDING)} if name == "padding" else {}))])
    figure, data = draw("residual", path)
    assert said in " ".join(figure.texts) and not data, (name, figure.texts)
x = rng.standard_normal((30, 2, 9))
figure, data = draw("residual", stores.write(f"{tmp}/line.h5", [site(x, 2 * x)]), "--curve", "linear")
assert np.abs(np.nan_to_num(named(data, "curve")["median"][:, 1])).max() < 1e-6
assert "no curve: near-linear" in " ".join(draw("residual", f"{tmp}/line.h5")[0].texts)
for i, name in enumerate(("encoder." * 10, "a&b <c> 50% x_y \\z $q \"w\"\n\ttail")):
    path = stores.write(f"{tmp}/name-{i}.h5", [site(x, np.tanh(2 * x), name=name)])
    draw("residual", path, "--width", "60")
assert 'a&b <c> 50% x_y \\z $q "w"??tail' in draw("residual", path, "--width", "200")[0].texts
text = pdf_text("residual", run)
assert "median" in text and "RMSE" in text and "residual in 64 equally wide" in text, text
refused("residual", run, "--curve", "tanj", status=2, parts=["--curve", "unknown curve 'tanj'"])
refused("residual", run, "--no-fit", status=2, parts=["--no-fit"])
assert max(map(len, call(program, "plot", "residual", "--help").splitlines())) <= 80
