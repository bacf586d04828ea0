"""The four formats of a figure: valid for those who read them, with real text and embedded fonts, with what they were made from, the same
to look at, and the same bytes from the same input."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
from PIL import Image

sys.path.insert(0, "tests/tools")
import svg

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
run_path, dpi = f"{tmp}/run.h5", 150


def call(*command, status=0, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == status, f"{command}: status {done.returncode}: {text}"
    return text


def plot(name, *more, **environment):
    call(program, "plot", "scurve", run_path, "-o", f"{tmp}/{name}", "--dpi", str(dpi), "--width", "175", *more, **environment)
    return f"{tmp}/{name}"


call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "30", "-o", run_path)
digest = hashlib.sha256(open(run_path, "rb").read()).hexdigest()
labels = ["ViT LN layer 4", "blocks.1.norm2", "ViT LN output", "LN input", "s·tanh(αx)", "S-index", "\u22122"]

# The same input gives the same bytes, dated as SOURCE_DATE_EPOCH says; else by the run.
paths = {}
for kind in ("pdf", "svg", "png", "eps"):
    paths[kind] = plot("figure." + kind, SOURCE_DATE_EPOCH="1000000000")
    first = open(paths[kind], "rb").read()
    os.remove(paths[kind])
    plot("figure." + kind, SOURCE_DATE_EPOCH="1000000000", TZ="Asia/Tokyo")
    assert open(paths[kind], "rb").read() == first, kind
page = svg.Figure(paths["svg"]).size
with h5py.File(run_path, "r") as file:
    created = file.attrs["created"]
own = svg.Figure(plot("own.svg", SOURCE_DATE_EPOCH=""))
assert (created.decode() if isinstance(created, bytes) else created) in "".join(own.root.itertext())

# SVG: valid, ids that no other figure has, text as text.
call("xmllint", "--noout", "--nonet", paths["svg"])
figure = svg.Figure(paths["svg"])
assert len(figure.panels) == 4 and len(set(figure.ids)) == len(figure.ids)
assert {i[:10] for i in figure.ids} == {figure.ids[0][:10]} and re.match(r"ns[0-9a-f]{8}-", figure.ids[0])
assert not set(figure.ids) & set(own.ids)
assert not re.search(r"url\(#(?!" + figure.ids[0][:10] + ")", open(paths["svg"]).read())
text = " ".join(figure.texts)
assert all(label in text for label in labels), text
about = "".join(figure.root.itertext())
assert digest in about and "2001-09-09T01:46:40Z" in about and "plot scurve" in about
assert abs(page[0] - 175 * 72 / 25.4) < 0.5

# PDF: valid, its fonts embedded and none of them Type 3, its text found, its size that of the page.
call("qpdf", "--check", paths["pdf"])
fonts = call("pdffonts", paths["pdf"]).splitlines()[2:]
assert fonts and all("Type 3" not in f and re.search(r"(yes) +(yes) +(yes) +\d+ +\d+$", f) for f in fonts), fonts
text = call("pdftotext", "-layout", paths["pdf"], "-")
assert all(label in text for label in labels if label != "ViT LN output"), text
assert "ViT LN output" in call("pdftotext", paths["pdf"], "-")
about = call("pdfinfo", paths["pdf"], TZ="UTC")
size = re.search(r"Page size: +([\d.]+) x ([\d.]+)", about)
assert np.allclose([float(size[1]), float(size[2])], page, atol=0.01)
assert digest in about and "normscope" in about and "Sep  9 01:46:40 2001" in about, about

# PNG: its resolution, size and what it was made from.
with Image.open(paths["png"]) as image:
    assert np.allclose(image.info["dpi"], dpi, atol=0.02) and image.mode == "RGB"
    assert np.allclose(image.size, np.array(page) * dpi / 72, atol=1.01), (image.size, page)
    assert digest in image.text["Source"] and image.text["Comment"].startswith("normscope plot scurve") and "normscope" in image.text["Software"]
    drawn = np.asarray(image.convert("L"), float)

# EPS: structured comments, seven bits, real fonts, the drawing within the page.
eps = open(paths["eps"], "rb").read()
lines = eps.split(b"\n")
assert lines[0].startswith(b"%!PS-Adobe-3.0 EPSF-3.0") and lines[-2] == b"%%EOF" and max(eps) < 128
assert b"\n%%CreationDate: 2001-09-09T01:46:40Z\n" in eps and b"\n%%Pages: 1\n" in eps and digest.encode() in eps
assert all(len(line) <= 255 for line in lines if line.startswith(b"%%")) and b"/FontType 3 " not in eps and b"%%BeginResource: font DejaVuSans" in eps
left, bottom, right, top = map(int, re.search(rb"\n%%BoundingBox: (\d+) (\d+) (\d+) (\d+)\n", eps).groups())
assert 0 <= left < 20 and 0 <= bottom < 20 and page[0] - 20 < right <= page[0] + 1 and page[1] - 20 < top <= page[1] + 1


def small(path):
    """Grey means of 4 by 4 pixels, so that the edges of letters do not matter."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L").resize((drawn.shape[1], drawn.shape[0])), float)
    return blocks(grey)


def blocks(grey):
    h, w = (n // 4 * 4 for n in grey.shape)
    return grey[:h, :w].reshape(h // 4, 4, w // 4, 4).mean((1, 3))


# All show the same, as far as those agree who draw them.
call("pdftoppm", "-r", str(dpi), "-png", "-singlefile", paths["pdf"], f"{tmp}/pdf")
call("rsvg-convert", "-w", str(drawn.shape[1]), "-h", str(drawn.shape[0]), paths["svg"], "-o", f"{tmp}/svg.png")
pictures = {"pdf": f"{tmp}/pdf.png", "svg": f"{tmp}/svg.png"}
if shutil.which("gs"):
    call("gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=png16m", f"-r{dpi}", f"-g{drawn.shape[1]}x{drawn.shape[0]}", f"-sOutputFile={tmp}/eps.png", paths["eps"])
    pictures["eps"] = f"{tmp}/eps.png"
for kind, path in pictures.items():
    off, alike = np.abs(small(path) - blocks(drawn)), np.corrcoef(small(path).ravel(), blocks(drawn).ravel())[0, 1]
    assert off.mean() < 7 and alike > 0.95, f"{kind}: {off.mean():.2f} of 255 off, correlation {alike:.3f}"

# Text from outside that is no text: a title of bytes that are no UTF-8, and one with everything that a format might take amiss.
for title in (b"\xff\xfe title \x01\x02\x7f \xef\xbf\xbe", "a & b <c> \"d\" 50 % x_y \\z $q (un) é 層 \n next".encode()):
    for kind in ("svg", "pdf", "png", "eps"):
        plot("title." + kind, "--force", "--layers", "4", "--no-fit", "--title", title)
    call("xmllint", "--noout", f"{tmp}/title.svg")
    call("qpdf", "--check", f"{tmp}/title.pdf")
    Image.open(f"{tmp}/title.png").verify()
assert 'a & b <c> "d" 50 % x_y \\z $q (un) é 層' in " ".join(svg.Figure(f"{tmp}/title.svg").texts)
assert 'a & b <c> "d" 50 % x_y \\z $q (un) é' in call("pdftotext", f"{tmp}/title.pdf", "-")

# Wrong usage leaves no file and says what to do.
for arguments, status, part in ((["-o", "x.gif"], 2, ".pdf, .svg, .png or .eps"), (["-o", "x.svg", "--font", "DejaVu Sanz"], 2, "DejaVu Sans"),
                                (["-o", "x.svg", "--width", "20", "--columns", "8", "--all"], 2, "--width"), (["-o", "x.svg", "--height", "10"], 2, "--height"),
                                (["-o", f"{tmp}/figure.svg"], 1, "--force"), ([], 2, "-o FILE")):
    said = call(program, "plot", "scurve", run_path, *arguments, status=status)
    assert part in said and not os.path.exists("x.svg"), said
