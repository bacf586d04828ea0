"""scurve --vector-points: a mark for every finite point at its place, by both backends; too many are refused with their number."""
import os
import re
import subprocess
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
import stores
import svg

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
rng = np.random.default_rng(8)


def plot(path, name, *more, status=0):
    done = subprocess.run([program, "plot", "scurve", path, "-o", f"{tmp}/{name}", "--dpi", "100", "--vector-points", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, done.stdout
    return done.stdout


x = rng.standard_normal((20, 2, 8)).astype("f4")
y = stores.layernorm(x)
x[3, 1, 4], y[5, 0, 2] = np.nan, np.inf
kinds = np.zeros((20, 2), "u1")
kinds[7, 1] = stores.PADDING
run = stores.write(f"{tmp}/run.h5", [dict(x=x, y=y, kinds=kinds)])
there = np.isfinite(x) & np.isfinite(y) & (kinds != stores.PADDING)[..., None]
wanted = np.stack([x[there], y[there]], 1)

plot(run, "cairo.svg", "--data", f"{tmp}/cairo.tsv")
rows = [line.split("\t") for line in open(f"{tmp}/cairo.tsv").read().splitlines()[2:]]
assert np.array_equal(np.array([[float(r[3]), float(r[4])] for r in rows if r[1] == "mark"], "f4"), wanted)
panel = svg.Figure(f"{tmp}/cairo.svg").panels[0]
root = svg.tree.parse(f"{tmp}/cairo.svg").getroot()
discs = np.array([svg.box(r) for r in root.iter(svg.NS + "rect") if r.get("fill") == "#0072b2"])
opacity = 0.9 + (0.25 - 0.9) * np.log(len(wanted)) / np.log(1000)  # few points are less translucent
assert {round(float(r.get("fill-opacity")), 2) for r in root.iter(svg.NS + "rect") if r.get("fill") == "#0072b2"} == {round(opacity, 2)}
px, py = panel.to_page(*wanted.T.astype(float))
assert len(discs) == len(wanted) and np.allclose(discs[:, 2:], 1.3)
assert np.allclose(discs[:, 0] + 0.65, px, atol=0.02) and np.allclose(discs[:, 1] + 0.65, py, atol=0.02)

plot(run, "gnuplot.svg", "--backend", "gnuplot")
data = re.split(r"\n\n\n", open(f"{tmp}/gnuplot.svg.dat").read())[0]
assert np.array_equal(np.loadtxt(data.splitlines(), dtype="f4"), wanted)
assert open(f"{tmp}/gnuplot.svg").read().count("gpPt6' transform") == len(wanted) and not os.path.exists(f"{tmp}/gnuplot.svg-layer-1.png")

many = rng.standard_normal((50, 2, 201)).astype("f4")
said = plot(stores.write(f"{tmp}/many.h5", [dict(x=many, y=many)]), "many.svg", status=2)
assert "20000" in said and "20100" in said and not os.path.exists(f"{tmp}/many.svg"), said
