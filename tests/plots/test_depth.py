"""normscope plot depth: what is drawn is what stats says, from rows, from a sample of them and from sketches."""
import csv
import io
import os
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
import figures
import stores

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
SIGMA = "\u03c3"


def table(command, path, *more):
    text = figures.call(program, command, path, "--format", "tsv", *more)
    return list(csv.DictReader(io.StringIO("\n".join(line for line in text.splitlines() if not line.startswith("#"))), delimiter="\t"))


def check(data, path, label, sites, *more):
    def column(of, name):
        return np.array([float(row[name] or "nan") for row in of if int(row["site"]) in sites])

    stats = table("stats", path, *more)
    curves = {**figures.named(data, "curve", 1), **{k: v for panel in range(2, 7) for k, v in figures.named(data, "curve", panel).items()}}
    wanted = {SIGMA: column(stats, "sigma"), "excess kurtosis": column(stats, "excess_kurtosis"), "largest |x|": np.maximum(-column(stats, "min"), column(stats, "max")),
              "median |x|": column(stats, "median_abs"), "channel kurtosis": column(stats, "channel_kurtosis"), "saturated": 100 * column(stats, "saturated_2"),
              "S-index": column(stats, "s_index")}
    for name, values in wanted.items():
        assert np.array_equal(curves[f"{label} {name}"][:, 0], sites), name
        assert np.allclose(curves[f"{label} {name}"][:, 1], values, rtol=1e-12, equal_nan=True), (name, curves[f"{label} {name}"][:, 1], values)
    band, n = data["area", 1, f"{label} rows, 5 to 95 %"], len(sites)
    assert np.allclose(band[:n, 1], column(stats, "row_sigma_q0.95")) and np.allclose(band[n:, 1][::-1], column(stats, "row_sigma_q0.05"))
    rows = {int(r["site"]): r["role"] for r in stats if int(r["site"]) in sites}
    for role in set(rows.values()):
        marks = data["mark", 1, f"{label} {SIGMA}, {role}"]
        assert marks[:, 0].tolist() == [s for s in sites if rows[s] == role] and np.array_equal(marks[:, 1], curves[f"{label} {SIGMA}"][[sites.index(int(s)) for s in marks[:, 0]], 1])


model, images = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"
for name, more in (("rows", []), ("sketch", ["--mode", "sketch"]), ("sampled", ["--sample-rows", "60"])):
    figures.call(program, "dump", model, images, "-n", "12", "-o", f"{tmp}/{name}.h5", *more)
everything = list(range(1, 18))
figure, data = figures.draw("depth", f"{tmp}/rows.h5")
assert len(figure.panels) == 6 and {"site", "attention", "mlp", "final", "rows"} <= set(figure.texts)
check(data, f"{tmp}/rows.h5", "rows", everything)
figure, data = figures.draw("depth", f"{tmp}/rows.h5", f"{tmp}/sketch.h5", "--layers", "3,4,17", "--columns", "3")
check(data, f"{tmp}/rows.h5", "rows", [3, 4, 17])
check(data, f"{tmp}/sketch.h5", "sketch", [3, 4, 17])
assert "histogram of all values (the file's sketch), whose bins are 1.6 to 3 % of x wide." in " ".join(figure.texts)
figure, data = figures.draw("depth", f"{tmp}/sampled.h5", "--layers", "1-5")
check(data, f"{tmp}/sampled.h5", "sampled", [1, 2, 3, 4, 5])
assert any("sample of rows" in text for text in figure.texts)

# Sites of which nothing can be told leave gaps.
rng = np.random.default_rng(0)
x = rng.standard_normal((9, 3, 8)).astype("f4")
odd = stores.write(f"{tmp}/odd.h5", [dict(x=v, y=stores.layernorm(v)) for v in (x, np.full_like(x, np.nan), 3 * x, 0 * x + 1, 2 * x)])
figure, data = figures.draw("depth", odd)
assert np.isfinite(data["curve", 1, f"odd {SIGMA}"][:, 1]).tolist() == [True, False, True, False, True]

text = figures.pdf_text("depth", f"{tmp}/rows.h5")
assert all(part in text for part in ("site", "attention", "largest |x|", "rows, 5 to 95 %")), text
figures.refused("depth", f"{tmp}/rows.h5", "--from", "sketch", status=3, parts=(f"{tmp}/rows.h5", "sketch"))
figures.refused("depth", f"{tmp}/rows.h5", "--layers", "18", status=3, parts=("18",))
