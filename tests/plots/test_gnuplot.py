"""--backend gnuplot: the script reruns unchanged to the same picture, in any folder; panels stand where cairo has them; names from outside
are text and nothing else."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
from PIL import Image

sys.path.insert(0, "tests/tools")
import stores
import svg

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
DPI = 150


def call(*command, status=0, cwd=None, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **environment})
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == status, f"{command}: status {done.returncode}: {text}"
    return text


def plot(path, name, *more, status=0, **environment):
    return call(program, "plot", "scurve", path, "-o", f"{tmp}/{name}", "--dpi", str(DPI), *more, status=status, **environment)


def pixels(path):
    """Grey, [height, width]."""
    kind = path.rsplit(".", 1)[1]
    if kind == "pdf":
        call("pdftoppm", "-r", str(DPI), "-png", "-singlefile", path, path[:-4] + "-seen")
    elif kind == "svg":
        call("rsvg-convert", "-z", str(DPI / 96), path, "-o", path[:-4] + "-seen.png")
    with Image.open(path if kind == "png" else path[:-4] + "-seen.png") as image:
        return np.asarray(image.convert("L"), float)


rng = np.random.default_rng(3)
x = np.concatenate([rng.standard_normal((40, 3, 24)), 4 * rng.standard_normal((10, 3, 24))])
sites = [dict(x=(x * s).astype("f4"), y=stores.layernorm(x), name=name) for s, name in
         ((1, "a & b <c> 'd' \"e\""), (30, "x_y^z {q} }{"), (1e-3, "50 % %d $q `id`"), (1e5, "\\back\\ @at ~tilde é"))]
run = stores.write(f"{tmp}/run.h5", sites)

# The script makes the same again, in another folder, with nothing but what stands beside it.
for kind in ("png", "pdf", "svg", "eps"):
    folder = f"{tmp}/{kind}"
    os.makedirs(folder)
    plot(run, f"{kind}/figure.{kind}", "--backend", "gnuplot")
    made = sorted(os.listdir(folder))
    assert made == sorted([f"figure.{kind}{ending}" for ending in ("", ".gp", ".dat", *(f"-layer-{i}.png" for i in range(1, 5)))]), made
    shutil.copytree(folder, f"{tmp}/again-{kind}")
    os.remove(f"{tmp}/again-{kind}/figure.{kind}")
    said = call("gnuplot", f"figure.{kind}.gp", cwd=f"{tmp}/again-{kind}", LC_ALL="C", TZ="UTC")
    assert not re.sub(".*iconv failed to convert degree sign\n", "", said).strip(), said  # what gnuplot says of its own where the locale is C
    first, again = f"{folder}/figure.{kind}", f"{tmp}/again-{kind}/figure.{kind}"
    if kind == "eps":
        strip = [[line for line in open(path, "rb").read().split(b"\n") if not line.startswith(b"%%")] for path in (first, again)]
        assert strip[0] == strip[1]
    else:
        assert np.array_equal(pixels(first), pixels(again)), kind

# Frames stand where cairo has them, within two pixels, and the whole picture is alike.
plot(run, "cairo.png", "--data", f"{tmp}/cairo.tsv")
plot(run, "cairo.svg")
ours, theirs = pixels(f"{tmp}/cairo.png"), pixels(f"{tmp}/png/figure.png")
assert ours.shape == theirs.shape
figure = svg.Figure(f"{tmp}/cairo.svg")
assert len(figure.panels) == 4
for panel in figure.panels:
    left, top, right, bottom = (round(v * DPI / 72) for v in (panel.frame[0], panel.frame[1], panel.frame[0] + panel.frame[2], panel.frame[1] + panel.frame[3]))
    for picture in (ours, theirs):
        columns, rows = picture[top + 4 : bottom - 4].mean(0), picture[:, left + 4 : right - 4].mean(1)
        for line, at in ((columns, left), (columns, right), (rows, top), (rows, bottom)):
            near = line[at - 8 : at + 9]
            assert near.min() < 140 and abs(int(near.argmin()) - 8) <= 2, (panel.frame, at, near)
h, w = (n // 8 * 8 for n in ours.shape)
off = np.abs((ours - theirs)[:h, :w].reshape(h // 8, 8, w // 8, 8).mean((1, 3)))
assert off.mean() < 3 and (off > 60).mean() < 0.01, (off.mean(), off.max())

# Every label is there as text, names from outside too.
text = call("pdftotext", f"{tmp}/pdf/figure.pdf", "-")
assert all(label in text for label in ("ViT LN layer 3", "ViT LN output", "LN input", "s·tanh(αx)", "S-index", "\u22122")), text
wide = [dict(s) for s in sites[:3]] + [dict(sites[3], name="\\back\\ @at ~tilde é")]
for i, site in enumerate(wide):
    plot(stores.write(f"{tmp}/one.h5", [site]), "one.pdf", "--backend", "gnuplot", "--width", "300", "--title", "it's ''\"%d\" {x}_\\", "--force")
    text = call("pdftotext", f"{tmp}/one.pdf", "-")
    assert site["name"] in text and "it's ''\"%d\" {x}_\\" in text, text
svg_text = " ".join(svg.tree.parse(f"{tmp}/svg/figure.svg").getroot().itertext())
assert "LN input" in svg_text
call("xmllint", "--noout", "--nonet", f"{tmp}/svg/figure.svg")
call("qpdf", "--check", f"{tmp}/pdf/figure.pdf")
fonts = call("pdffonts", f"{tmp}/pdf/figure.pdf").splitlines()[2:]
assert fonts and all("Type 3" not in f and re.search(r"(yes) +(yes) +(yes) +\d+ +\d+$", f) for f in fonts), fonts

# The same input gives the same bytes; the file says what it was made from, and its ids are its own.
digest = hashlib.sha256(open(run, "rb").read()).hexdigest()
ids = {}
for kind in ("png", "pdf", "svg", "eps"):
    made = []
    for zone in ("UTC", "Asia/Tokyo"):
        time.sleep(0.3)  # with the runs themselves a second, so that a time of day would differ
        plot(run, f"same.{kind}", "--backend", "gnuplot", "--force", "--layers", "2", SOURCE_DATE_EPOCH="1000000000", TZ=zone)
        made.append(open(f"{tmp}/same.{kind}", "rb").read())
    assert made[0] == made[1], kind
plot(run, "other.svg", "--backend", "gnuplot", "--layers", "2")
with Image.open(f"{tmp}/same.png") as image:
    assert digest in image.text["Source"] and image.text["Comment"].startswith("normscope plot scurve") and "normscope" in image.text["Software"]
    assert np.allclose(image.info["dpi"], DPI, atol=0.02)
about = call("pdfinfo", f"{tmp}/same.pdf", TZ="UTC")
assert digest in about and "normscope" in about and "Sep  9 01:46:40 2001" in about, about
call("qpdf", "--check", f"{tmp}/same.pdf")
eps = open(f"{tmp}/same.eps", "rb").read()
assert b"\n%%CreationDate: 2001-09-09T01:46:40Z\n" in eps and digest.encode() in eps and eps.startswith(b"%!PS-Adobe-3.0 EPSF-3.0")
assert max(eps) < 128 and b"/FontType 3 " not in eps and b"Fallback Image" not in eps  # text stays text, points are the only pixels
for name in ("same", "other"):
    call("xmllint", "--noout", "--nonet", f"{tmp}/{name}.svg")
    root = svg.tree.parse(f"{tmp}/{name}.svg").getroot()
    ids[name] = {e.get("id") for e in root.iter() if e.get("id")}
    used = set(re.findall(r"#(ns[^')]+)['\)]", open(f"{tmp}/{name}.svg").read()))
    assert used <= ids[name] and all(re.match("ns[0-9a-f]{8}-", i) for i in ids[name]), (used, ids)
    assert digest in "".join(root.itertext())
assert not ids["same"] & ids["other"]

# Sites that decide little, and pages.
some = np.zeros((4, 2, 3), "f4")
for name, px, py in (("constant", some + 2, some + 1), ("nan", some * np.nan, some), ("tiny", rng.uniform(-1e-41, 1e-41, (30, 2, 9)), None), ("huge", rng.uniform(-3.4e38, 3.4e38, (30, 2, 9)), None)):
    one = dict(x=np.asarray(px, "f4"), y=stores.layernorm(px) if py is None else py)
    plot(stores.write(f"{tmp}/odd.h5", [one]), "odd.png", "--backend", "gnuplot", "--force")
    plot(f"{tmp}/odd.h5", "odd-cairo.png", "--force")
    a, b = pixels(f"{tmp}/odd.png"), pixels(f"{tmp}/odd-cairo.png")
    assert a.shape == b.shape and np.abs(a.mean() - b.mean()) < 5, name
many = stores.write(f"{tmp}/many.h5", [dict(x=x[:8].astype("f4"), y=stores.layernorm(x[:8])) for _ in range(24)])
plot(many, "many.pdf", "--all", "--columns", "2", "--backend", "gnuplot")
pages = int(re.search(r"Pages: +(\d+)", call("pdfinfo", f"{tmp}/many.pdf"))[1])
assert pages > 1
plot(many, "many.png", "--all", "--columns", "2", "--backend", "gnuplot", "--force")
assert all(os.path.exists(f"{tmp}/many{page}.png{ending}") for page in [""] + [f"-{i}" for i in range(2, pages + 1)] for ending in ("", ".gp", ".dat"))
assert not os.path.exists(f"{tmp}/many-{pages + 1}.png")

# Existing files are not overwritten, and those of the script count.
assert "--force" in plot(run, "png/figure.png", "--backend", "gnuplot", status=1)
os.remove(f"{tmp}/png/figure.png")
assert "figure.png.gp" in plot(run, "png/figure.png", "--backend", "gnuplot", status=1) and not os.path.exists(f"{tmp}/png/figure.png")

# Files of one name that differ by their endings have scripts and data of their own: each reruns to what it was.
for kind in ("pdf", "png"):
    plot(run, f"png/two.{kind}", "--backend", "gnuplot", "--layers", "1" if kind == "pdf" else "2")
before = {kind: pixels(f"{tmp}/png/two.{kind}") for kind in ("pdf", "png")}
for kind in before:
    os.remove(f"{tmp}/png/two.{kind}")
    call("gnuplot", f"two.{kind}.gp", cwd=f"{tmp}/png")
    assert np.array_equal(pixels(f"{tmp}/png/two.{kind}"), before[kind]), kind
assert before["pdf"].shape != before["png"].shape or np.abs(before["pdf"] - before["png"]).mean() > 1
