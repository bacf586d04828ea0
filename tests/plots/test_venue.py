"""--venue: widths as the venues' own styles give them (in inches, or in mm where they say mm), sizes of text, no gridlines where they
are not wanted; what is asked for beside it stays."""
import os
import re
import subprocess
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
import figures
import stores
import svg

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
rng = np.random.default_rng(5)
x = rng.standard_normal((20, 2, 16)).astype("f4")
run = stores.write(f"{tmp}/run.h5", [dict(x=x, y=stores.layernorm(x)) for _ in range(2)])


def draw(*more, status=0):
    done = subprocess.run([program, "plot", "scurve", run, "-o", f"{tmp}/f.svg", "--force", "--dpi", "100", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, done.stdout
    return done.stdout if status else svg.Figure(f"{tmp}/f.svg")


def text_sizes(figure):
    return {float(t.get("font-size")) for t in figure.root.iter(svg.NS + "text")}


INCH = 25.4
for venue, column, text, grid, sizes in (("cvpr", 3.25 * INCH, 6.875 * INCH, True, (6, 9)), ("icml", 3.25 * INCH, 6.75 * INCH, True, (6, 9)),
                                         ("neurips", 5.5 * INCH, 5.5 * INCH, True, (6, 9)), ("nature", 89, 183, False, (5, 7))):
    for more, wanted in (((), text), (("--columns", "1"), column), (("--span", "column"), column), (("--span", "text"), text), (("--width", "100"), 100)):
        figure = draw("--venue", venue, "--title", "title", *more)
        assert abs(figure.size[0] * INCH / 72 - wanted) < 0.3, (venue, more, figure.size)
        least, most = min(text_sizes(figure)), max(text_sizes(figure))
        assert sizes[0] <= least and most <= sizes[1], (venue, least, most)
        assert ("stroke-dasharray" in open(f"{tmp}/f.svg").read()) == grid, venue
draw("--venue", "nature", "--font", "DejaVu Serif")
assert re.search("font-family=\"'DejaVu Serif'", open(f"{tmp}/f.svg").read())
assert "nature" in draw("--venue", "natur", status=2) and "--venue" in draw("--span", "column", status=2)

# A column is no text: panels stand where they can be read, legends below where the side has no room, nothing is shortened or too small.
subprocess.run([program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "4", "-o", f"{tmp}/vit.h5"], check=True, stdout=subprocess.DEVNULL)
LEAST_TEXT, LEAST_PANEL = 5, 60  # points


def check(what, columns, *more):
    figures.call(program, "plot", what[0], *what[1:], "-o", f"{tmp}/v.svg", "--force", "--dpi", "72", *more)
    figure = svg.Figure(f"{tmp}/v.svg")
    figures.check_layout(figure)
    assert not any("\u2026" in text for text in figure.texts), (what, more, figure.texts)
    sizes = [float(e.get("font-size")) for e in figure.root.iter() if e.get("font-size")]
    assert min(sizes) >= LEAST_TEXT, (what, more, min(sizes))
    narrow = min(panel.frame[2] for panel in figure.panels)
    assert narrow >= LEAST_PANEL and narrow >= 0.25 * figure.size[0] / columns, (what, more, narrow)
    assert len({panel.frame[0] for panel in figure.panels}) == columns, (what, more, [panel.frame for panel in figure.panels])
    return figure


lines = ("scurve", f"{tmp}/vit.h5", "--curve", "tanh,erf", "--bound", "--slope")
for venue in ("cvpr", "icml", "neurips", "nature"):
    for span in ("column", "text"):
        narrow = span == "column" or venue == "neurips"
        use = ("--venue", venue, "--span", span)
        check(("scurve", f"{tmp}/vit.h5"), 2 if narrow else 4, *use)
        figure = check(lines, 2 if narrow else 4, *use)
        legends = [check(("depth", f"{tmp}/vit.h5", run), 2, *use), figure]
        for legend, name in zip(legends, ("attention", "x/\u03c3")):
            place, = [t for t in legend.root.iter(svg.NS + "text") if svg.content(t) == name]
            bottom = max(p.frame[1] + p.frame[3] for p in legend.panels)
            assert (float(place.get("y")) > bottom) == (span == "column" and venue != "neurips"), (venue, span, name)
small = stores.write(f"{tmp}/small.h5", [dict(x=x * 10.0 ** -k, y=stores.layernorm(x)) for k in (5, 6, 8)])
figure = check(("depth", small), 2, "--venue", "nature")  # powers of ten as well
assert any("1e" in text for text in figure.texts), figure.texts
