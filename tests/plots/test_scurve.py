"""normscope plot scurve on data of every sort: where ticks stand, what the curve is, that text hides no points where there is free room,
panels from 1 to 60, runs that were sampled, halved or have nothing to show."""
import os
import re
import subprocess
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import stores
import svg

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
rng = np.random.default_rng(11)
failures = []


def call(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, f"{command}: status {done.returncode}: {done.stdout}"
    return done.stdout


def draw(path, *more, dpi=100):
    """The figure, and the rows of its data by what they are."""
    call(program, "plot", "scurve", path, "-o", f"{tmp}/f.svg", "--data", f"{tmp}/f.tsv", "--force", "--dpi", str(dpi), *more)
    call("xmllint", "--noout", "--nonet", f"{tmp}/f.svg")
    data = {}
    for line in open(f"{tmp}/f.tsv", encoding="utf-8").read().splitlines()[2:]:
        panel, what, name, *numbers = line.split("\t")
        data.setdefault((what, int(panel)), []).append([float(n) if n else np.nan for n in numbers])
    return svg.Figure(f"{tmp}/f.svg"), {key: np.array(rows) for key, rows in data.items()}


def check_layout(what, figure):
    """Frames apart from each other, text and boxes within their place, no tick labels over each other."""
    width, height = figure.size
    for i, panel in enumerate(figure.panels):
        others = [p.frame for p in figure.panels[i + 1 :]]
        if any(svg.overlap(panel.frame, other) for other in others):
            failures.append(f"{what}: panel {i + 1} overlaps another")
        x, y, w, h = panel.frame
        inside = [b for b in panel.boxes if b[0] >= x and b[1] >= y and b[0] + b[2] <= x + w + 1e-3 and b[1] + b[3] <= y + h + 1e-3]
        if len(inside) < len(panel.boxes) or (len(inside) == 2 and svg.overlap(*inside)):
            failures.append(f"{what}: panel {i + 1}: boxes {panel.boxes} in {panel.frame}")
        if not (0 <= x and x + w <= width and 0 <= y and y + h <= height and all(0 <= at <= width and 0 <= base <= height for at, base, _ in panel.texts)):
            failures.append(f"{what}: panel {i + 1} leaves the page")
        for at, other in zip(panel.x_labels, panel.x_labels[1:]):
            if other[0] - at[0] < 8:
                failures.append(f"{what}: panel {i + 1}: labels {at} and {other} touch")


def check_ticks(what, panel, limits):
    """A labelled tick stands where its value lies on the axis."""
    x, y, w, h = panel.frame
    low, high = limits[0]
    wanted = [x + w * (v - low) / (high - low) for _, v in panel.x_labels]
    good = len(wanted) >= 2 and np.allclose([at for at, _ in panel.x_labels], wanted, atol=2e-3) and np.allclose(panel.x_ticks, sorted(wanted), atol=2e-3)
    low, high = limits[1]
    wanted = [y + h * (high - v) / (high - low) for _, v in panel.y_labels]
    good &= len(wanted) >= 2 and np.allclose(panel.y_ticks, sorted(wanted), atol=2e-3)
    if not good:
        failures.append(f"{what}: ticks {panel.x_labels} at {panel.x_ticks}, {panel.y_labels} at {panel.y_ticks}")


def covered(panel, bins, labelled=None):
    """How many occupied bins have their middle under each white box."""
    x, y = panel.to_page((bins[:, 0] + bins[:, 2]) / 2, (bins[:, 1] + bins[:, 3]) / 2, labelled)
    return [int(((x > b[0]) & (x < b[0] + b[2]) & (y > b[1]) & (y < b[1] + b[3])).sum()) for b in panel.boxes]


def site(x, y=None, **more):
    x = np.asarray(x, "f4")
    return dict(x=x, y=stores.layernorm(x) if y is None else np.asarray(y, "f4"), **more)


def limits(s):
    """Symmetric about 0, with some room; the run has one site."""
    ok = np.isfinite(s["x"]) & np.isfinite(s["y"])
    return [(-m * share, m * share) for m, share in ((np.abs(s["x"][ok]).max(), 1.06), (np.abs(s["y"][ok]).max(), 1.1))]


# Ticks from 1e-6 to 1e6.
for power in (-6, -4, -1, 0, 2, 4, 6):
    s = site(rng.standard_normal((20, 2, 16)) * 10.0**power, rng.standard_normal((20, 2, 16)) * 10.0**-power)
    figure, data = draw(stores.write(f"{tmp}/range.h5", [s]))
    check_ticks(f"10^{power}", figure.panels[0], limits(s))
    check_layout(f"10^{power}", figure)

# The bundled model with 1, 4 and 17 panels: the curve is the fit's, every point is in a bin, no text lies over a point.
run = f"{tmp}/run.h5"
call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "30", "-o", run)
lines = [line.split("\t") for line in call(program, "fit", run, "--format", "tsv").splitlines()[1:]]
fits = [dict(zip(lines[0], line)) for line in lines[1:]]
for layers, more in ((["9"], []), (["4", "8", "12", "16"], []), ([str(i) for i in range(1, 18)], ["--columns", "5"])):
    figure, data = draw(run, "--layers", ",".join(layers), *more)
    assert len(figure.panels) == len(layers)
    check_layout(f"{len(layers)} panels", figure)
    for i, (panel, layer) in enumerate(zip(figure.panels, layers), 1):
        bins, curve, fit = data["bin", i], data["curve", i], fits[int(layer) - 1]
        assert bins[:, 4].sum() == 30 * 17 * 96
        assert np.allclose(curve[:, 1], float(fit["s"]) * np.tanh(float(fit["alpha"]) * curve[:, 0]), rtol=1e-12)
        assert f"ViT LN layer {layer}" in [text for _, _, text in panel.texts]
        if len(layers) < 17:
            texts = " ".join(text for _, _, text in panel.texts)
            assert f"α = {float(fit['alpha']):.3g}"[:8] in texts and f"s = {float(fit['s']):.3g}" in texts, texts
            under = covered(panel, bins, figure.panels[0])
            if any(under):
                failures.append(f"layer {layer}: text over {under} bins of points")
assert not any("tanh" in text for text in draw(run, "--layers", "9", "--no-fit")[0].texts)

# Text goes where there is room: an S that falls, points in one corner or in all but one.
x = rng.uniform(-1, 1, (200, 1, 50))
shapes = {"rising": np.tanh(3 * x), "falling": -np.tanh(3 * x), "flat": 0.02 * np.tanh(x) + 0 * x}
for name, y in shapes.items():
    figure, data = draw(stores.write(f"{tmp}/{name}.h5", [site(x, y)]))
    if any(covered(figure.panels[0], data["bin", 1])):
        failures.append(f"{name}: text over {covered(figure.panels[0], data['bin', 1])} bins of points")
for corner, (i, j) in {"upper left": (-1, 1), "lower right": (1, -1)}.items():
    px, py = np.tanh(3 * x).copy(), np.tanh(3 * x).copy()
    px[:100], py[:100] = i * rng.uniform(0.4, 1, (100, 1, 50)), j * rng.uniform(0.4, 1, (100, 1, 50))
    figure, data = draw(stores.write(f"{tmp}/corner.h5", [site(px, py)]))
    check_layout(corner, figure)
    if any(covered(figure.panels[0], data["bin", 1])):
        failures.append(f"points in the {corner} corner: text over {covered(figure.panels[0], data['bin', 1])} bins of points")
figure, data = draw(stores.write(f"{tmp}/square.h5", [site(x, rng.uniform(-1, 1, x.shape))]))
check_layout("a square of points", figure)

# Data that decide no curve: the figure says why, and is drawn.
some = np.zeros((4, 2, 3))
odd = {"one point": (np.full((1, 1, 1), 0.5), None, "constant input"), "all equal": (some + 2, some + 1, "constant input"), "only NaN": (some * np.nan, None, "no finite points"),
       "only Inf": (some + np.inf, some, "no finite points"), "zero": (some, some, "constant input"), "line": (rng.standard_normal((30, 2, 9)), "line", "near-linear"),
       "flat output": (rng.standard_normal((30, 2, 9)), 0.5, "constant output"), "two points": (np.array([[[-1.0, 2.0]]]), None, "no curve"),
       "large and small": (np.array([[[1e-30, 1e30, -1e30, 0]]]), np.array([[[1e-6, -1e6, 1, 0]]]), "no curve"), "near the largest float": (rng.uniform(-3.4e38, 3.4e38, (30, 2, 9)), None, "α"), "denormals": (rng.uniform(-1e-41, 1e-41, (30, 2, 9)), None, ""),
       "padding alone": (some + 1, some, "no points"), "one outlier": (np.where(np.arange(54).reshape(3, 2, 9) == 7, 1e30, 1e-3), None, "")}
for name, (x_odd, y_odd, said) in odd.items():
    y_odd = np.asarray(x_odd, "f4") * 2 if isinstance(y_odd, str) else y_odd if y_odd is None else np.broadcast_to(y_odd, x_odd.shape)
    s = site(x_odd, y_odd, **({"kinds": np.full((4, 2), stores.PADDING)} if name == "padding alone" else {}))
    figure, data = draw(stores.write(f"{tmp}/odd.h5", [s]))
    check_layout(name, figure)
    if said not in " ".join(figure.texts):
        failures.append(f"{name}: expected {said!r} in {figure.texts}")
    drawn = data["bin", 1][:, 4].sum() if ("bin", 1) in data else 0
    kept = np.isfinite(s["x"]) & np.isfinite(s["y"]) if name != "padding alone" else np.zeros(1)
    if drawn != kept.sum():
        failures.append(f"{name}: {drawn} of {kept.sum()} points drawn")
    if s["x"].size > kept.sum() > 0 and f"{s['x'].size - kept.sum()} not finite" not in " ".join(figure.texts):
        failures.append(f"{name}: {figure.texts}")
holes = rng.standard_normal((30, 2, 9))
holes[0, 0, :5] = np.nan
path = stores.write(f"{tmp}/holes.h5", [site(holes, np.tanh(holes))])
assert "5 not finite" in draw(path)[0].texts and "5 not finite, left out" in call(program, "plot", "scurve", path, "-o", f"{tmp}/h.svg")
empty = stores.write(f"{tmp}/empty.h5", [site(np.zeros((0, 1, 4)))])
assert f"{empty}: expected complete samples, found none of 0" in call(program, "plot", "scurve", empty, "-o", f"{tmp}/e.svg", status=3)

# Names of 80 characters, and of everything that a format might take amiss.
names = ["encoder." * 10, "a&b <c> 50% x_y \\z $q \"w\"\n\ttail", "no utf-8 \udcff \udcfe.norm", "норма.层.é"]
paths = []
for i, name in enumerate(names):
    path = stores.write(f"{tmp}/name-{i}.h5", [site(rng.standard_normal((20, 2, 16)))])
    with h5py.File(path, "r+") as file:
        file["sites/001"].attrs["name"] = np.bytes_(name.encode("utf-8", "surrogateescape"))
    paths.append(path)
figure, _ = draw(paths[0], "--width", "60", dpi=100)
check_layout("80 characters", figure)
assert any("…" in text and text.startswith("enc") for text in figure.texts), figure.texts
for path, wanted in zip(paths[1:], ('a&b <c> 50% x_y \\z $q "w"??tail', "no utf-8 ? ?.norm", "норма.层.é")):  # the reader's question marks
    figure, data = draw(path, "--width", "200", dpi=50)
    assert wanted in figure.texts, figure.texts
    call(program, "plot", "scurve", path, "-o", f"{tmp}/name.pdf", "--force", "--dpi", "50", "--width", "200")
    call("qpdf", "--check", f"{tmp}/name.pdf")
    assert wanted.split("层")[0] in call("pdftotext", f"{tmp}/name.pdf", "-")  # few fonts have that one

# A sample of the rows says so, and the rows with the extreme values are drawn beside it, each once.
sampled = f"{tmp}/sampled.h5"
call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "20", "--sample-rows", "40", "-o", sampled)
figure, data = draw(sampled, "--layers", "3,17")
with h5py.File(sampled, "r") as file:
    for i, number in ((1, "003"), (2, "017")):
        s, slot = file[f"sites/{number}"], -(-20 // int(file.attrs["batch"])) % 2
        rows = set(zip(s["sample"][:], s["position"][:])) | set(zip(s["extreme_sample"][slot].ravel(), s["extreme_position"][slot].ravel()))
        rows = {r for r in rows if r[0] >= 0}
        assert data["bin", i][:, 4].sum() == len(rows) * 96 and len(rows) > 40
        x_low, x_high = data["bin", i][:, 0].min(), data["bin", i][:, 2].max()
        extremes = s["extreme_input"][slot].reshape(-1, 96)[s["extreme_sample"][slot].ravel() >= 0]
        assert x_low <= extremes.min() and x_high >= extremes.max() and extremes.max() > s["input"][:].max()
assert figure.texts.count("40 of 340 rows") == 2
with h5py.File(sampled, "r+") as file:  # a sample that has no row yet
    file["sites/001/rows_before"][:] = 0
    file["sites/001/extreme_sample"][:] = -1
assert "0 of 340 rows" in draw(sampled, "--layers", "1")[0].texts

# float16 is drawn as what it holds.
x16 = rng.standard_normal((30, 4, 20)).astype("f2")
halves = [site(x16, np.tanh(x16.astype("f4")).astype("f2"))]
whole, half = stores.write(f"{tmp}/f32.h5", halves), stores.write(f"{tmp}/f16.h5", halves, dtype="f2")
first, second = draw(whole)[1], draw(half)[1]
assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in first) and first.keys() == second.keys()

# Many panels: PDF has pages, other formats files, and no page is longer than a sheet.
many = stores.write(f"{tmp}/many.h5", [site(rng.standard_normal((20, 1, 8))) for _ in range(60)])
assert "60 panels" in call(program, "plot", "scurve", many, "--all", "-o", f"{tmp}/many.pdf", "--dpi", "40")
about = call("pdfinfo", f"{tmp}/many.pdf")
pages = int(re.search(r"Pages: +(\d+)", about)[1])
assert pages > 1 and float(re.search(r"Page size: +[\d.]+ x ([\d.]+)", about)[1]) < 842, about
said = call(program, "plot", "scurve", many, "--all", "-o", f"{tmp}/many.svg", "--dpi", "40")
assert f"and {pages - 1} more files" in said
parts = [svg.Figure(f"{tmp}/many{'' if k == 1 else f'-{k}'}.svg") for k in range(1, pages + 1)]
assert sum(len(part.panels) for part in parts) == 60 and len({i for part in parts for i in part.ids}) == sum(len(part.ids) for part in parts)
for k, part in enumerate(parts, 1):
    check_layout(f"page {k}", part)
for columns in ("8", "12"):
    check_layout(f"{columns} columns", draw(many, "--all", "--columns", columns, "--width", "174", dpi=60)[0])
call(program, "plot", "scurve", many, run, whole, "-o", f"{tmp}/three.svg", "--dpi", "40")
assert len(svg.Figure(f"{tmp}/three.svg").panels) == 4 + 4 + 1
assert not failures, "\n".join(failures)
