"""normscope plot rows: percentiles of the rows' sigma against numpy.quantile, of one and of several runs; from a sketch to its bins, from samples,
with rows that are not finite or padding; the axes; names."""
import os
import shutil
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import stores
from figures import call, draw, pdf_text, program, refused, tmp

rng = np.random.default_rng(9)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def site(x, y=None, **more):
    x = np.asarray(x, "f4")
    return dict(x=x, y=stores.layernorm(x) if y is None else np.asarray(y, "f4"), **more)


def wanted(x, y=None, kinds=None):
    """Percentiles of the standard deviations of rows [..., channels], of their finite points."""
    x = np.asarray(x, "f4").astype("f8")
    keep = np.isfinite(x) if y is None else np.isfinite(x) & np.isfinite(y)
    if kinds is not None:
        keep &= (kinds != stores.PADDING)[..., None]
    sigmas = [np.float32(row[k].std()) for row, k in zip(x.reshape(-1, x.shape[-1]), keep.reshape(-1, x.shape[-1])) if k.any()]
    return np.quantile(np.array(sigmas, "f8"), QUANTILES)


def drawn(data, name):
    """site -> its percentiles, as the shapes have them; checks that the shapes agree with each other."""
    whiskers, box, median = (data[what, 1, f"{name} {of}"][:, :2] for what, of in (("curve", "5-95 %"), ("area", "25-75 %"), ("curve", "median")))
    assert len(whiskers) // 6 == len(box) // 5 == len(median) // 3
    out = {}
    for w, b, m in zip(whiskers.reshape(-1, 6, 2), box.reshape(-1, 5, 2), median.reshape(-1, 3, 2)):
        assert w[1, 1] == b[0, 1] == b[1, 1] and w[3, 1] == b[2, 1] == b[3, 1] and m[0, 1] == m[1, 1] and np.isclose(w[0, 0], m[:2, 0].mean())
        out[int(np.rint(w[0, 0]))] = np.array([w[0, 1], b[0, 1], m[0, 1], b[2, 1], w[4, 1]])
    return out


# One run, with padding and with values that are not finite.
kinds = np.zeros((40, 5), "u1")
kinds[:, 3] = stores.PADDING
x = [rng.standard_normal((40, 5, 24)) * (k + rng.random((40, 5, 1))) + 3 for k in range(1, 8)]
x[1][0, 0, :5], x[1][1, 1] = np.nan, np.inf
sites = [site(a, np.tanh(a), kinds=kinds) for a in x]
run = stores.write(f"{tmp}/run.h5", sites)
figure, data = draw("rows", run)
found = drawn(data, "run")
assert list(found) == list(range(1, 8))
for k, a in enumerate(x, 1):
    assert np.allclose(found[k], wanted(a, sites[k - 1]["y"], kinds), rtol=1e-6), (k, found[k], wanted(a, sites[k - 1]["y"], kinds))
panel = figure.panels[0]
assert panel.y_label == "σ of a row of the LN input" and "LN layer" in figure.texts and not any(t == "run" for t in figure.texts)
assert [v for _, v in panel.x_labels] == list(range(1, 8)) and min(v for _, v in panel.y_labels) == 0
assert "Boxes: 25 to 75\u00a0% of the rows, with the median; whiskers: 5 to 95\u00a0%." in " ".join(figure.texts), figure.texts
assert f"{7 * 160 - 1} rows" in call(program, "plot", "rows", run, "-o", f"{tmp}/s.svg")
assert list(drawn(draw("rows", run, "--layers", "2,5")[1], "run")) == [2, 5]
for layers in ("3", "3,4"):
    assert [v for _, v in draw("rows", run, "--layers", layers)[0].panels[0].x_labels] == [int(k) for k in layers.split(",")]  # no half layers

# Wide ranges stand on a logarithmic axis.
path = stores.write(f"{tmp}/wide.h5", [site(rng.standard_normal((40, 2, 9)) * 10.0**k) for k in range(-2, 3)])
labels = [v for _, v in draw("rows", path)[0].panels[0].y_labels]
assert min(labels) > 0 and len(labels) >= 4 and np.allclose(np.log10(labels) % 1, 0), labels

# Several runs beside each other, by their files' names; by their paths where those are alike.
os.makedirs(f"{tmp}/other")
shutil.copy(run, f"{tmp}/other/run.h5")
figure, data = draw("rows", run, path)
assert set(drawn(data, "run")) == set(range(1, 8)) and set(drawn(data, "wide")) == set(range(1, 6))
assert {"run", "wide"} <= set(figure.texts)
at = [data["curve", 1, f"{name} median"][:2, 0] for name in ("run", "wide")]
assert at[0].max() < at[1].min() and np.isclose(at[0].mean() + at[1].mean(), 2)
data = draw("rows", run, f"{tmp}/other/run.h5")[1]
for name in (run, f"{tmp}/other/run.h5"):
    assert np.array_equal(drawn(data, name)[7], found[7])

# The bundled model: all rows, a sketch of them, a sample.
files = {name: f"{tmp}/{name}.h5" for name in ("full", "sketch", "sampled")}
for name, more in (("full", []), ("sketch", ["--mode", "sketch"]), ("sampled", ["--sample-rows", "100"])):
    call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "60", "-o", files[name], *more)
figure, data = draw("rows", *files.values(), "--width", "174")
every = {name: drawn(data, name) for name in files}
for name in ("full", "sampled"):
    with h5py.File(files[name]) as file:
        for k in range(1, 18):
            assert np.allclose(every[name][k], wanted(file[f"sites/{k:03d}/input"][:]), rtol=1e-6)
for k in range(1, 18):
    assert np.allclose(every["sketch"][k], every["full"][k], rtol=1 / 32) and not np.array_equal(every["sketch"][k], every["full"][k])
texts = " ".join(figure.texts)
assert "sketch: from a sketch, to 1/32." in texts and "sampled: a sample of the rows." in texts and "full:" not in texts, texts

# Nothing to see, and names.
some = np.zeros((4, 2, 3))
for name, x in (("one point", some[:1, :1, :1] + 0.5), ("all equal", some + 2), ("large and small", np.array([[[1e-30, 1e30, -1e30, 0]]])), ("denormals", rng.uniform(-1e-41, 1e-41, (30, 2, 9)))):
    figure, data = draw("rows", stores.write(f"{tmp}/odd.h5", [site(x)]))
    assert np.allclose(drawn(data, "odd")[1], wanted(x), rtol=1e-6), name
figure, data = draw("rows", stores.write(f"{tmp}/odd.h5", [site(some * np.nan), site(some + 2)]))
assert "odd: 1 of 2 layers have no finite row." in " ".join(figure.texts), figure.texts
refused("rows", stores.write(f"{tmp}/odd.h5", [site(some * np.nan)]), status=3, parts=(f"{tmp}/odd.h5", "rows that are finite", "none of 1"))
for name in ("a&b <c> 50% x_y \\z $q \"w\"\n\ttail.h5", "encoder." * 10 + "h5"):
    shutil.copy(run, f"{tmp}/{name}")
    figure, _ = draw("rows", run, f"{tmp}/{name}", "--width", "60")
    draw("rows", f"{tmp}/{name}")
figure, _ = draw("rows", run, f"{tmp}/a&b <c> 50% x_y \\z $q \"w\"\n\ttail.h5", "--width", "174")
assert 'a&b <c> 50% x_y \\z $q "w"  tail' in figure.texts, figure.texts
text = pdf_text("rows", run, path)
assert "σ of a row" in call("pdftotext", f"{tmp}/f.pdf", "-") and "wide" in text and "LN layer" in text, text
for bad in (["--all"], ["--no-fit"]):
    refused("rows", run, *bad, status=2, parts=[bad[0]])
assert max(map(len, call(program, "plot", "rows", "--help").splitlines())) <= 80
