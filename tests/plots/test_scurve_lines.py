"""What normscope plot scurve draws on request: several fitted curves, the bound of the norm, the line x/sigma, and points by density. The
curves are those of normscope fit, lines and colours those of their definitions."""
import csv
import io
import os
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, "tests/tools")
import figures
import pictures
import stores

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
rng = np.random.default_rng(3)
C, CURVES = 24, {"tanh": np.tanh, "softsign": lambda u: u / (1 + abs(u)), "hardtanh": lambda u: np.clip(u, -1, 1)}


def site(scale, kind="layernorm", **more):
    x = (rng.standard_normal((50, 6, C)) * scale * (1 + 3 * rng.random((50, 6, 1)))).astype("f4")
    y = stores.layernorm(x) if kind == "layernorm" else np.tanh(np.float32(0.7) * x)
    return dict(x=x, y=y, kind=kind, **more)


sites = [site(s) for s in (1, 0.2, 5)]
run = stores.write(f"{tmp}/run.h5", sites)
dyt = stores.write(f"{tmp}/dyt.h5", [site(1, "dyt", alpha=np.array([0.7], "f4"))])

# Several curves, with the parameters that fit finds; one legend beside the last panel, the figures in the caption.
fits = list(csv.DictReader((line for line in io.StringIO(figures.call(program, "fit", run, "--curve", "tanh,softsign,hardtanh", "--format", "tsv")) if not line.startswith("#")), delimiter="\t"))
assert sorted(f["curve"] for f in fits[:3]) == sorted(CURVES), fits[:3]
assert len(fits) == 9
figure, data = figures.draw("scurve", run, "--curve", "tanh,softsign,hardtanh", "--bound", "--slope")
for fit in fits:
    panel, (alpha, s) = int(fit["site"]), (float(fit[k]) for k in ("alpha", "s"))
    x, y = data["curve", panel, fit["curve"]][:, :2].T
    assert len(x) > 100 and np.allclose(y, s * CURVES[fit["curve"]](alpha * x), rtol=1e-5, atol=1e-6), fit
    assert np.isclose(x.min(), sites[panel - 1]["x"].min()) and np.isclose(x.max(), sites[panel - 1]["x"].max())
    said = f"{fit['curve']}\xa0{float(fit['s_index']):.2g}"
    assert said in " ".join(figure.texts), (said, figure.texts)
for name in [*CURVES, "x/σ"]:
    assert figure.texts.count(name) == 1, (name, figure.texts)

# The bound is sqrt(C - 1), and the axis reaches it; the slope is 1/sigma of all values.
for panel, s in enumerate(sites, 1):
    (name,) = [k[2] for k in data if k[0] == "curve" and k[1] == panel and k[2].startswith("bound")]
    assert name == f"bound ±{np.sqrt(C - 1):.3g}", name
    assert np.allclose(sorted(data["curve", panel, name][:, 1]), np.sqrt(C - 1) * np.array([-1, -1, 1, 1]))
    line = data["curve", panel, "x/σ"]
    assert np.isclose((line[1, 1] - line[0, 1]) / (line[1, 0] - line[0, 0]), 1 / s["x"].astype(float).std(), rtol=1e-6)
    assert np.isclose(line[0, 1], -line[1, 1])
frame, at = figure.panels[0].frame, {v: base for base, v in figure.panels[0].y_labels}
assert len(at) > 1
slope, zero = np.polyfit(list(at), list(at.values()), 1)
assert frame[1] < zero + slope * np.sqrt(C - 1) < zero - slope * np.sqrt(C - 1) < frame[1] + frame[3], (frame, at)
_, data = figures.draw("scurve", dyt, "--bound", "--no-fit")
assert np.allclose(sorted(data["curve", 1, "bound ±1"][:, 1]), [-1, -1, 1, 1]) and {k[0] for k in data} == {"bin", "curve"}
_, plain = figures.draw("scurve", run)
assert {k[2] for k in plain if k[0] == "curve"} == {"s·tanh(αx)"}

# Density: three heaps of 10^5, 10^3 and one points, so three decades; the colours are the map's ends and its third, the scale has them.
heaps = np.repeat([[-1.0, -1.0], [0.0, 0.5], [1.0, 1.0]], [100000, 1000, 1], axis=0).astype("f4")
many = stores.write(f"{tmp}/heaps.h5", [dict(x=heaps[:, 0].reshape(-1, 1, 1), y=heaps[:, 1].reshape(-1, 1, 1))])
figures.call(program, "plot", "scurve", many, "--density", "--no-fit", "-o", f"{tmp}/d.png", "--dpi", "300")
figure, _ = figures.draw("scurve", many, "--density", "--no-fit")
with Image.open(f"{tmp}/d.png") as image:
    pixels = np.asarray(image.convert("RGB"))
x, y, w, h = (round(v * 300 / 72) for v in figure.panels[0].frame)
inside, colors = pixels[y : y + h, x : x + w].reshape(-1, 3), {}
for color in ((0xFE, 0xE8, 0x38), (0x57, 0x5D, 0x6D), (0x00, 0x22, 0x4E)):
    colors[color] = (abs(inside.astype(int) - color).max(1) <= 1).sum()
    assert colors[color] >= 4, colors
assert "density, of the largest" in figure.texts and {"1", "0.1", "0.01"} <= set(figure.texts), figure.texts
figures.call(program, "plot", "scurve", many, "--no-fit", "-o", f"{tmp}/p.png", "--dpi", "300")
with Image.open(f"{tmp}/p.png") as image:
    assert not (abs(np.asarray(image.convert("RGB")).astype(int) - (0xFE, 0xE8, 0x38)).max(2) <= 1).any()
theirs = f"{tmp}/theirs.png"
figures.call(program, "plot", "scurve", run, "--density", "--curve", "all", "--bound", "--slope", "-o", theirs, "--dpi", "150", "--backend", "gnuplot")
figures.call(program, "plot", "scurve", run, "--density", "--curve", "all", "--bound", "--slope", "-o", f"{tmp}/ours.png", "--dpi", "150")
pictures.check_alike(pictures.grey(theirs), pictures.grey(f"{tmp}/ours.png"), "gnuplot's density")
assert "bound ±4.8" in figures.pdf_text("scurve", run, "--bound")

figures.refused("scurve", run, "--curve", "tanh,tanf", status=2, parts=("--curve", "unknown curve 'tanf'"))
figures.refused("scurve", run, "--density", "--vector-points", status=2, parts=("--density and --vector-points",))
