"""normscope plot channels: which channels have the extreme values and which bins or marks their points make, against NumPy; a sample with its
extreme rows; what cannot be drawn, and names."""
import re
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import stores
from figures import call, draw, named, pdf_text, program, refused, tmp

rng = np.random.default_rng(6)


def site(x, y=None, **more):
    x = np.asarray(x, "f4")
    return dict(x=x, y=stores.layernorm(x) if y is None else np.asarray(y, "f4"), **more)


def columns(s):
    """Points of each channel, [channels, rows, 2]: finite and no padding are left to the caller."""
    keep = s.get("kinds", np.zeros(s["x"].shape[:2])) != stores.PADDING
    return np.stack([s["x"][keep].T, s["y"][keep].T], 2).astype("f8")


def extremes(points):
    """Largest and smallest x and y."""
    points = np.where(np.isfinite(points).all(2, keepdims=True), points, np.nan)
    return {int(f(g(points[..., k], 1))) for k in (0, 1) for f, g in ((np.nanargmax, np.nanmax), (np.nanargmin, np.nanmin))}


def check_bins(bins, points):
    """Every bin holds as many of the points as lie in it, and all of them are in some."""
    assert bins[:, 4].sum() == len(points)
    for x0, y0, x1, y1, n in bins[:: max(1, len(bins) // 60)]:
        inside = (points[:, 0] >= x0) & (points[:, 0] < x1) & (points[:, 1] >= y0) & (points[:, 1] < y1)
        assert inside.sum() == n, (x0, y0, n, inside.sum())


def chosen(data, what, panel=1):
    return {int(name[8:]): rows for name, rows in named(data, what, panel).items() if name.startswith("channel ")}


# Few points: marks, each point of the channel, in the order of the rows.
kinds = np.zeros((30, 4), "u1")
kinds[:, 2] = stores.PADDING
s = site(rng.standard_normal((30, 4, 20)), rng.standard_normal((30, 4, 20)), kinds=kinds)
s["x"][0, 2, 5] = 100  # padding: no extreme
few = stores.write(f"{tmp}/few.h5", [s])
for count in (8, 3, 20):
    figure, data = draw("channels", few, "--channels", str(count))
    marks, points = chosen(data, "mark"), columns(s)
    assert len(marks) == count and list(marks) == sorted(marks)
    assert (extremes(points) <= set(marks)) if count > 3 else (set(marks) <= extremes(points))
    for channel, rows in marks.items():
        assert np.array_equal(rows[:, :2], points[channel])
    assert data["bin", 1, "blocks.1.norm"][:, 4].sum() == 90 * 20
    texts = " ".join(figure.texts)
    if count == 8:
        legend = [t for _, _, t in figure.panels[0].texts if t.startswith("channel ")]
        assert legend == [f"channel {c}" for c in sorted(marks)]
        said = re.search(r"extreme values ([\d, ]+); by seed 0 of the other (\d+): ([\d, ]+)\. Pale", texts)
        assert set(map(int, said[1].split(","))) == extremes(points) and int(said[2]) == 20 - len(extremes(points))
        assert set(map(int, said[3].split(","))) == set(marks) - extremes(points)
    if count == 20:
        assert "channel" in [t for t in figure.texts] and not any(t.startswith("channel ") for t in figure.texts)
others = [set(chosen(draw("channels", few, "--seed", str(seed))[1], "mark")) - extremes(columns(s)) for seed in range(6)]
assert len(set(map(frozenset, others))) > 1 and others[0] == set(chosen(draw("channels", few)[1], "mark")) - extremes(columns(s))
assert set(chosen(draw("channels", few, "--channels", "64")[1], "mark")) == set(range(20))

# Many points: bins; grids of all channels at once, or, where pixels are many, in several goes.
x = rng.standard_normal((150, 20, 12)) * np.linspace(0.5, 2, 12)
many = [site(x), site(x[:, ::-1] + 1)]
run = stores.write(f"{tmp}/many.h5", many)
for more in ([], ["--dpi", "1000", "--layers", "1", "--width", "80"]):
    figure, data = draw("channels", run, *more)
    for panel in range(1, len(figure.panels) + 1):
        bins, points = chosen(data, "bin", panel), columns(many[panel - 1])
        assert len(bins) == 8 and extremes(points) <= set(bins) and not named(data, "mark", panel)
        for channel, rows in bins.items():
            check_bins(rows, points[channel])
        assert data["bin", panel, f"blocks.{panel}.norm"][:, 4].sum() == x.size

# A channel that has no finite point is not chosen; single ones are left out.
x = rng.standard_normal((10, 2, 6)).astype("f4")
x[..., 2], x[3, 1, 4] = np.nan, np.inf
holes = site(x, np.tanh(x))
figure, data = draw("channels", stores.write(f"{tmp}/holes.h5", [holes]))
assert set(chosen(data, "mark")) == {0, 1, 3, 4, 5} and len(chosen(data, "mark")[4]) == 19 and "21 not finite" in figure.texts

# A sample brings its extreme rows, and so do the rows beside a sketch; a sketch alone has no channels.
full, sampled, both, sketch = (f"{tmp}/{name}.h5" for name in ("full", "sampled", "both", "sketch"))
for path, more in ((full, []), (sampled, ["--sample-rows", "40"]), (both, ["--mode", "both"]), (sketch, ["--mode", "sketch", "--sample-rows", "40"])):
    call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "20", "-l", "3,17", "-o", path, *more)
with h5py.File(full) as file:
    whole = [{"x": file[f"sites/{i}/input"][:][None], "y": file[f"sites/{i}/output"][:][None]} for i in ("003", "017")]
for panel, s in enumerate(whole, 1):
    points = columns(s)
    by_x = {int(points[..., 0].max(1).argmax()), int(points[..., 0].min(1).argmin())}
    for path in (full, sampled, both, sketch):
        data = draw("channels", path)[1]
        marks = chosen(data, "mark", panel)
        assert by_x <= set(marks), (path, by_x, set(marks))
        spans = np.concatenate(list(marks.values()))
        assert spans[:, 0].max() == points[..., 0].max() and spans[:, 0].min() == points[..., 0].min()
        for channel, rows in marks.items():
            assert {tuple(p) for p in rows[:, :2]} <= {tuple(p) for p in points[channel]} and (len(rows) == 340) == (path in (full, both))
with h5py.File(sketch, "r+") as file:
    for name in ("input", "output", "sample", "position", "kind"):
        del file["sites/017"][name]
refused("channels", sketch, status=3, parts=[sketch, "site 17 (norm)", "expected stored rows", "a sketch alone"])

# Nothing to see, and names.
some = np.zeros((4, 2, 3))
for name, x, y, count in (("one point", np.full((1, 1, 1), 0.5), None, 1), ("all equal", some + 2, some + 1, 3), ("only NaN", some * np.nan, None, 0), ("only Inf", some + np.inf, some, 0),
                          ("large and small", np.array([[[1e-30, 1e30, -1e30, 0]]]), np.array([[[1e-6, -1e6, 1, 0]]]), 4)):
    figure, data = draw("channels", stores.write(f"{tmp}/odd.h5", [site(x, y)]))
    assert len(chosen(data, "mark")) == count and ("no finite points" in figure.texts) == (count == 0), (name, figure.texts)
for i, name in enumerate(("encoder." * 10, "a&b <c> 50% x_y \\z $q \"w\"\n\ttail")):
    path = stores.write(f"{tmp}/name-{i}.h5", [site(rng.standard_normal((20, 2, 16)), name=name)])
    draw("channels", path, "--width", "60")
assert 'a&b <c> 50% x_y \\z $q "w"??tail' in draw("channels", path, "--width", "200")[0].texts
text = pdf_text("channels", run, "--width", "174")
assert "channel " in text and "extreme values" in text and "−2" in text, text
for bad in (["--channels", "0"], ["--channels", "65"], ["--seed", "-1"], ["--tokens", "3"]):
    refused("channels", run, *bad, status=2, parts=[bad[0]])
assert max(map(len, call(program, "plot", "channels", "--help").splitlines())) <= 80
