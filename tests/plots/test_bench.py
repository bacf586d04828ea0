"""normscope plot bench: bars and whiskers are the table's, one panel a unit; what bench itself prints can be drawn."""
import csv
import os
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
import figures

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
rows = [("read", "ns/point", 0.5, 0.4, 0.9), ("fit of a very long name that no tick has the room for é", "ns/point", 12.5, 11, 20), ("fit / read", "1", 25, 20, 31.5), ("its pass", "ns/point", 1.25, 1, 1.5)]


def write(name, table, factor=1):
    with open(f"{tmp}/{name}.tsv", "w", encoding="utf-8") as file:
        file.write("#text\ttext\tunit\tunit\tunit\nmeasure\tunit\tmedian\tmin\tmax\n")
        file.writelines("\t".join([m, u, *(repr(factor * v) for v in values)]) + "\n" for m, u, *values in table)
    return f"{tmp}/{name}.tsv"


def check(data, label, factor=1, low=0.0):
    """Bars from the axis's low end to the median, from top to bottom in the order of the table; returns the middles of the first unit's."""
    middles = []
    for name, unit, median, least, most in rows:
        panel = 2 if unit == "1" else 1
        (key,) = [k for what, at, k in data if what == "area" and at == panel and k.startswith(f"{label} {name[:20]}")]
        bar, whisker = data["area", panel, key], data["curve", panel, key]
        assert np.allclose(bar[1:3, 0], factor * median) and (low is None or np.allclose(bar[[0, 3], 0], low)), bar
        assert np.isclose(np.nanmin(whisker[:, 0]), factor * least) and np.isclose(np.nanmax(whisker[:, 0]), factor * most)
        assert bar[:, 1].min() < whisker[3, 1] < bar[:, 1].max()
        if panel == 1:
            middles.append(whisker[3, 1])
    assert middles == sorted(middles, reverse=True)
    return middles


first, second = write("first", rows), write("second", rows, 2.0)
figure, data = figures.draw("bench", first)
check(data, "first")
assert len(figure.panels) == 2 and {"ns/point", "ratio", "read  0.500", "fit / read  25.0"} <= set(figure.texts), figure.texts
assert any(t.startswith("fit of a very") and "…" in t and t.endswith("é  12.5") for t in figure.texts)
figure, data = figures.draw("bench", first, second, "--log")
assert {"first", "second"} <= set(figure.texts)
one, two = check(data, "first", low=None), check(data, "second", 2.0, low=None)
assert all(a > b for a, b in zip(one, two))

with open(f"{tmp}/own.tsv", "w", encoding="utf-8") as file:
    file.write(figures.call(program, "bench", "fit", "--points", "20000", "--stream", "0", "--runs", "2", "--format", "tsv"))
figure, data = figures.draw("bench", f"{tmp}/own.tsv")
assert ("area", 1, "own read") in data
assert "ns/point" in figures.pdf_text("bench", first)

# Norms: two ratios, named with their shape where there are several.
for widths in ("64", "64,128"):
    with open(f"{tmp}/norms.tsv", "w", encoding="utf-8") as file:
        file.write(figures.call(program, "bench", "norms", "--norms", "rmsnorm,dyt", "--widths", widths, "--rows", "16", "--runs", "2", "--format", "tsv"))
    with open(f"{tmp}/norms.tsv", encoding="utf-8") as file:
        table = list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))
    figure, data = figures.draw("bench", f"{tmp}/norms.tsv")
    assert len(figure.panels) == 2 and {"forward / copy", "forward + backward / copy"} <= set(figure.texts), figure.texts
    for row in table:
        name = "norms " + row["norm"] + (f", {row['rows']} × {row['width']}" if "," in widths else "")
        for panel, what in ((1, "forward"), (2, "both")):
            bar, whisker = data["area", panel, name], data["curve", panel, name]
            assert np.allclose(bar[1:3, 0], float(row[what + "_of_copy"])), (name, bar)
            assert np.isclose(np.nanmax(whisker[:, 0]), float(row[what + "_of_copy_max"]))

figures.refused("bench", "tests/golden/fit.tsv", status=3, parts=("tests/golden/fit.tsv", "expected a column 'measure'"))
figures.refused("bench", write("none", [("a", "s", float("nan"), 1.0, 2.0)]), status=3, parts=("none.tsv", "none in 1 rows"))
figures.refused("bench", write("many", [(f"m{i}", "s", 1.0, 1.0, 2.0) for i in range(40)]), status=3, parts=("at most 32 measures",))
