"""The S-curve figure through the program: bins against numpy.histogram2d, ticks where the axes put them, files that other programs
read, the same bytes again, and inputs that are hard to draw."""
import base64
import io
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

import numpy as np
from PIL import Image

sys.path.insert(0, "tests")
import runs

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
env = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
SVG = "{http://www.w3.org/2000/svg}"


def run(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    assert done.returncode == status, f"{' '.join(command)}: status {done.returncode}: {done.stdout}"
    return done.stdout


def scurve(path, out, *more):
    return run(program, "plot", "scurve", path, "-o", f"{t}/{out}", "-f", *more)


def read(name):
    return open(f"{t}/{name}", encoding="utf-8").read()


def bins(name):
    lines = [line.split("\t") for line in read(name).splitlines() if not line.startswith("#")]
    rows = [dict(zip(lines[0], line)) for line in lines[1:]]
    return np.array([[float(r[k]) for k in ("x", "y", "x_end", "y_end", "value")] for r in rows if r["what"] == "bin"])


def picture(image):
    href = image.get("href") or image.get("{http://www.w3.org/1999/xlink}href")
    return Image.open(io.BytesIO(base64.b64decode(href.split(",", 1)[1])))


def made(seed):
    """Data sets of every sort: clouds, heavy tails, lattices that fall on the edges of bins, one-sided ones, ones with NaN."""
    rng = np.random.default_rng(seed)
    rows, c = int(rng.integers(1, 400)), int(rng.integers(1, 40))
    scale = 10.0 ** rng.integers(-6, 6)
    x = rng.standard_normal((rows, c)) * scale
    if seed % 4 == 1:
        x = rng.standard_t(1.5, (rows, c)) * scale
    if seed % 4 == 2:
        x = np.round(x / scale * 8) / 8 * scale
    if seed % 4 == 3:
        x = np.abs(x)
    y = np.tanh(x / scale) * rng.uniform(0.5, 5) + (rng.standard_normal((rows, c)) * 0.1 if seed % 3 else 0)
    if seed % 5 == 4:
        x[0, 0], y[-1, -1] = np.nan, np.inf
    return x.astype("f4"), y.astype("f4")


def number(text):
    """The value of a tick's label, or None."""
    label = "".join(text.itertext()).replace("\u2212", "-")
    power = re.fullmatch(r"(?:(-?[\d.]+)\s*[\u00b7\u00d7]\s*)?(-?)10(-?\d+)", label)
    if power and text.find(SVG + "tspan") is not None:
        return float(power[1] or 1) * float(power[2] + "1") * 10.0 ** int(power[3])
    return float(label) if re.fullmatch(r"-?[\d.]+", label) else None


def check_ticks(root, x, y):
    """x, y: (low, high) of the panel."""
    panel = root.find(f".//{SVG}clipPath/{SVG}rect")
    left, top, w, h = (float(panel.get(k)) for k in ("x", "y", "width", "height"))
    ticks = 0
    for text in root.iter(SVG + "text"):
        value = number(text)
        if value is None:
            continue
        if text.get("text-anchor") == "middle":
            place, at, room = left + w * (value - x[0]) / (x[1] - x[0]), float(text.get("x")), 0.01
        else:  # the baseline is below the middle of the digits
            place, at, room = top + h * (y[1] - value) / (y[1] - y[0]), float(text.get("y")), 4
        assert abs(place - at) < room, (value, place, at)
        ticks += 1
    assert ticks >= 5, ticks


def check_bins(seed):
    x, y = made(seed)
    runs.write(f"{t}/set.h5", {"norm": (x, y)})
    scurve(f"{t}/set.h5", "bins.svg", "--no-fit", "--data", f"{t}/bins.tsv", "--dpi", str([72, 150, 300, 600][seed % 4]))
    root = xml.parse(f"{t}/bins.svg").getroot()
    fine = np.isfinite(x) & np.isfinite(y)
    u, v = x[fine].astype("f8"), y[fine].astype("f8")
    edges = []
    for values, n, pad in zip((u, v), picture(root.find(f".//{SVG}image")).size, (0.03, 0.05)):
        most = np.abs(values).max()
        low, high = -most - pad * (2 * most), most + pad * (2 * most)
        edges.append(np.linspace(low, high, n + 1))
    wanted = np.histogram2d(u, v, edges)[0]
    found = np.zeros_like(wanted)
    for x0, y0, x1, y1, count in bins("bins.tsv"):
        i, j = np.abs(edges[0] - x0).argmin(), np.abs(edges[1] - y0).argmin()
        assert np.isclose(edges[0][i + 1], x1, rtol=1e-9) and np.isclose(edges[1][j + 1], y1, rtol=1e-9)
        found[i, j] = count
    assert wanted.sum() == len(u) and np.array_equal(found, wanted), (seed, np.abs(found - wanted).sum())
    check_ticks(root, (edges[0][0], edges[0][-1]), (edges[1][0], edges[1][-1]))


def ids(name):
    return re.findall(r'id="([^"]+)"', read(name))


def check_files(real):
    for kind in ("pdf", "svg", "png", "eps"):
        scurve(real, f"a.{kind}", "--layers", "4,8,12,16")
        first = open(f"{t}/a.{kind}", "rb").read()
        scurve(real, f"a.{kind}", "--layers", "4,8,12,16")
        assert first == open(f"{t}/a.{kind}", "rb").read(), f"{kind}: other bytes the second time"
    run("qpdf", "--check", f"{t}/a.pdf")
    fonts = run("pdffonts", f"{t}/a.pdf").splitlines()[2:]
    assert fonts and all(re.search(r" yes +yes +(yes|no) +\d+ +\d+$", line) and "Type 3" not in line for line in fonts), fonts
    words = run("pdftotext", "-layout", f"{t}/a.pdf", "-")
    for word in ("ViT LN layer 4", "ViT LN layer 16", "blocks.7.norm2", "LN input", "ViT LN output", "tanh(αx)"):
        assert word in words, words
    assert os.path.getsize(f"{t}/a.pdf") < 500_000
    run("xmllint", "--noout", f"{t}/a.svg")
    run("rsvg-convert", f"{t}/a.svg", "-o", f"{t}/svg.png")
    labels = ["".join(e.itertext()) for e in xml.parse(f"{t}/a.svg").getroot().iter(SVG + "text")]
    assert "ViT LN layer 4" in labels and "s·tanh(αx)" in labels, labels
    mine = ids("a.svg")
    assert mine and all(i.startswith("ns") for i in mine) and len(set(mine)) == len(mine)
    scurve(real, "b.svg", "--layers", "1,2")
    assert not set(mine) & set(ids("b.svg")), "ids of two figures collide"
    png = Image.open(f"{t}/a.png")
    assert abs(png.info["dpi"][0] - 600) < 0.5 and "normscope plot scurve" in str(png.text), png.text
    assert open(f"{t}/a.eps", "rb").read(11) == b"%!PS-Adobe-"
    scurve(real, "all.pdf", "--all")
    run("qpdf", "--check", f"{t}/all.pdf")
    assert "exists" in run(program, "plot", "scurve", real, "-o", f"{t}/a.pdf", status=1)
    assert ".pdf" in run(program, "plot", "scurve", real, "-o", f"{t}/a.gif", status=2)


def check_hard():
    def f4(*v):
        return np.array([v], "f4")

    strange = "a&b<c>%_\\$d\n\"e'"
    full = lambda v, n=50: np.full((n, 4), v, "f4")
    hard = {
        "one point": {"norm": (f4(1), f4(2))},
        "equal points": {"norm": (full(3), full(-2))},
        "all zero": {"norm": (full(0), full(0))},
        "only NaN": {"norm": (full(np.nan), full(np.nan))},
        "only padding": {"norm": (full(1, 5), full(1, 5), np.full(5, 4, "u1"))},
        "large and small": {"norm": (f4(1e-30, 1e30, -1e30, 0), f4(1e-6, -1e6, 1, 0))},
        "long name": {"a" * 80: (f4(0.1, 0.2), f4(1, 2))},
        "strange name": {strange: (f4(0.1, 0.2), f4(1, 2))},
        "many sites": {f"blocks.{i}.norm": (f4(0.1 * i, 0.2), f4(1, 2)) for i in range(200)},
    }
    for name, sites in hard.items():
        runs.write(f"{t}/hard.h5", sites)
        more = ["--all", "--dpi", "100"] if name == "many sites" else []
        scurve(f"{t}/hard.h5", "hard.pdf", *more)
        run("qpdf", "--check", f"{t}/hard.pdf")
        scurve(f"{t}/hard.h5", "hard.svg", *more)
        run("xmllint", "--noout", f"{t}/hard.svg")
        shown = "".join(xml.parse(f"{t}/hard.svg").getroot().itertext())
        if name in ("only NaN", "only padding"):
            assert "no finite points" in shown, shown
        if name == "strange name":
            assert "a&b<c>%_\\$d" in shown, shown
    runs.write(f"{t}/none.h5", {"norm": (full(0, 3), full(0, 3))}, committed=0)
    assert "none of 3" in run(program, "plot", "scurve", f"{t}/none.h5", "-o", f"{t}/none.svg", status=3)


for seed in range(20):
    check_bins(seed)
model, data = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"
run(program, "dump", model, data, "-n", "60", "-o", f"{t}/real.h5")
check_files(f"{t}/real.h5")
for name, more in (("half", ["--dtype", "f16"]), ("sampled", ["--sample-rows", "50"])):
    run(program, "dump", model, data, "-n", "30", "-o", f"{t}/{name}.h5", *more)
    scurve(f"{t}/{name}.h5", f"{name}.svg", "-l", "4")
assert "50 of 510 rows" in read("sampled.svg")
check_hard()
