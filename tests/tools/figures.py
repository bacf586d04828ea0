"""Draws figures with the program, and reads what it wrote: the SVG, the rows of --data, the text and fonts of the PDF."""
import os
import re
import subprocess

import numpy as np

import svg

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others


def call(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == status, f"{command}: status {done.returncode}: {text}"
    return text


def draw(kind, *more, dpi=100):
    """The figure, and its data: (what, panel, name) -> rows of x, y, x_end, y_end, value, nan where the file has none."""
    call(program, "plot", kind, "-o", f"{tmp}/f.svg", "--data", f"{tmp}/f.tsv", "--force", "--dpi", str(dpi), *more)
    call("xmllint", "--noout", "--nonet", f"{tmp}/f.svg")
    data = {}
    for line in open(f"{tmp}/f.tsv", encoding="utf-8").read().splitlines()[2:]:
        panel, what, name, *numbers = line.split("\t")
        data.setdefault((what, int(panel), name), []).append([float(n) if n else np.nan for n in numbers])
    figure = svg.Figure(f"{tmp}/f.svg")
    check_layout(figure)
    return figure, {key: np.array(rows) for key, rows in data.items()}


def check_layout(figure):
    """Frames apart from each other, text and boxes within their place, no tick labels over each other."""
    width, height = figure.size
    for i, panel in enumerate(figure.panels):
        x, y, w, h = panel.frame
        assert not any(svg.overlap(panel.frame, p.frame) for p in figure.panels[i + 1 :]), f"panel {i + 1} overlaps another"
        inside = [b for b in panel.boxes if b[0] >= x and b[1] >= y and b[0] + b[2] <= (width if b[0] >= x + w else x + w) + 1e-3 and b[1] + b[3] <= y + h + 1e-3]
        assert len(inside) == len(panel.boxes) and not (len(inside) == 2 and svg.overlap(*inside)), f"panel {i + 1}: boxes {panel.boxes} in {panel.frame}"
        assert 0 <= x and x + w <= width and 0 <= y and y + h <= height, f"panel {i + 1} leaves the page"
        assert all(0 <= at <= width and 0 <= base <= height for at, base, _ in panel.texts), f"panel {i + 1}: {panel.texts} on {figure.size}"
        for at, other in zip(panel.x_labels, panel.x_labels[1:]):
            assert other[0] - at[0] >= 8, f"panel {i + 1}: labels {at} and {other} touch"
    for text in figure.root.iter(svg.NS + "text"):
        assert 0 <= float(text.get("x", 0)) <= width and 0 <= float(text.get("y", 0)) <= height, (text.attrib, figure.size)


def named(data, what, panel=1):
    """name -> rows of a panel."""
    return {name: rows for (kind, at, name), rows in data.items() if kind == what and at == panel}


def refused(kind, *more, status, parts):
    """The message, and no file is left."""
    said = call(program, "plot", kind, "-o", f"{tmp}/refused.svg", *more, status=status)
    assert all(part in said for part in parts), said
    assert not os.path.exists(f"{tmp}/refused.svg")


def pdf_text(kind, *more):
    """The text of a valid PDF whose fonts are embedded, none of them Type 3."""
    call(program, "plot", kind, "-o", f"{tmp}/f.pdf", "--force", "--dpi", "72", *more)
    call("qpdf", "--check", f"{tmp}/f.pdf")
    fonts = call("pdffonts", f"{tmp}/f.pdf").splitlines()[2:]
    assert fonts and all("Type 3" not in f and re.search(r"(yes) +(yes) +(yes) +\d+ +\d+$", f) for f in fonts), fonts
    return call("pdftotext", "-layout", f"{tmp}/f.pdf", "-")
