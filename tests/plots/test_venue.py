"""--venue: widths as the venues' own styles give them (in inches, or in mm where they say mm), sizes of text, no gridlines where they
are not wanted; what is asked for beside it stays."""
import os
import re
import subprocess
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
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
