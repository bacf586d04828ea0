"""normscope plot tokens: which rows are chosen, by a second implementation of the priorities; their points, lines and slopes against NumPy; the
same tokens at every site and from a sample; what cannot be drawn, and names."""
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import stores
from figures import call, draw, named, pdf_text, program, refused, tmp

rng = np.random.default_rng(5)
MASK = 2**64 - 1


def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def draw_any(kind, *words, draw=draw, **more):
    return draw(kind, *words, **more)


def draw(kind, *words, **more):  # noqa: F811
    return draw_any(kind, *words, "--largest", "0", **more)


def priority(seed, sample, position):
    h = mix(mix(seed + 0x9E3779B97F4A7C15 & MASK) ^ sample)
    return mix(h + 0x9E3779B97F4A7C15 * (position + 1) & MASK)


def lowest(seed, rows, count):
    return [f"{s}:{p}" for s, p in sorted(rows, key=lambda r: priority(seed, *r))[:count]]


def site(x, y=None, **more):
    x = np.asarray(x, "f4")
    return dict(x=x, y=stores.layernorm(x) if y is None else np.asarray(y, "f4"), **more)


def row(site, name):
    s, p = map(int, name.split(":"))
    return np.stack([site["x"][s, p], site["y"][s, p]], 1).astype("f8")


def sorted_rows(a):
    return a[np.lexsort(a.T[::-1])]


# Two sites: the same tokens in both, each mark is a point of its row and each line goes through them with the slope 1/sigma.
kinds = np.zeros((40, 5), "u1")
kinds[:, 3] = stores.PADDING
sites = [site(rng.standard_normal((40, 5, 24)) * (1 + rng.random((40, 5, 1))) + 0.3, kinds=kinds) for _ in range(2)]
run = stores.write(f"{tmp}/run.h5", sites)
rows = [(s, p) for s in range(40) for p in (0, 1, 2, 4)]
for seed, count in ((0, 8), (7, 3), (0, 1)):
    figure, data = draw("tokens", run, "--seed", str(seed), "--tokens", str(count))
    wanted = lowest(seed, rows, count)
    for panel, s in enumerate(sites, 1):
        marks, lines = named(data, "mark", panel), named(data, "curve", panel)
        assert list(marks) == list(lines) == wanted, (list(marks), wanted)
        for name in wanted:
            points = row(s, name)
            assert np.array_equal(marks[name][:, :2], points) and np.array_equal(lines[name][:, :2], sorted_rows(points))
            slope = np.polyfit(*lines[name][:, :2].T, 1)[0]
            assert abs(slope * np.sqrt(points[:, 0].var() + 1e-6) - 1) < 1e-5
        cloud = data["bin", panel, f"blocks.{panel}.norm"]
        assert cloud[:, 4].sum() == 40 * 4 * 24  # every point but padding
        assert set(wanted) <= {text for _, _, text in figure.panels[panel - 1].texts}
    caption = f"{count} of 160 tokens, chosen by seed {seed}, as sample:position: " + ", ".join(wanted)
    assert caption in " ".join(figure.texts), figure.texts
assert figure.panels[0].y_label == "ViT LN output" and "LN input" in figure.texts
assert draw("tokens", run, "--seed", "1")[0].texts != draw("tokens", run, "--seed", "2")[0].texts

# Unless none is asked for, two of them are the rows with the largest |x| of their site, and the caption says so.
figure, data = draw_any("tokens", run)
for panel, s in enumerate(sites, 1):
    size = np.where(kinds == stores.PADDING, 0, np.abs(s["x"]).max(-1))
    two = [f"{i // 5}:{i % 5}" for i in np.argsort(-size.ravel())[:2]]
    assert list(named(data, "mark", panel)) == two + [n for n in lowest(0, rows, 8) if n not in two][:6]
assert "8 of 160 tokens, 2 of the largest |x| first, the others chosen by seed 0, as sample:position. " in " ".join(figure.texts)

# Many tokens: a scale instead of a legend. Many points: bins by token, which hold each of its points.
figure, data = draw("tokens", run, "--tokens", "20")
assert list(named(data, "mark")) == lowest(0, rows, 20) and "1/σ of the token" in " ".join(figure.texts)
slopes = [1 / row(sites[0], name)[:, 0].std() for name in lowest(0, rows, 20)]
labels = [float(t.replace("\u2212", "-")) for at, _, t in figure.panels[0].texts if at > sum(figure.panels[0].frame[::2])]
assert min(slopes) - 1e-3 <= min(labels) and max(labels) <= max(slopes) + 1e-3, (labels, slopes)
wide = [site(rng.standard_normal((3, 2, 3000)))]
figure, data = draw("tokens", stores.write(f"{tmp}/wide.h5", wide), "--tokens", "5", dpi=150)
bins = named(data, "bin")
cloud = bins.pop("blocks.1.norm")
assert list(bins) == lowest(0, [(s, p) for s in range(3) for p in range(2)], 5) and not named(data, "mark")
x_edges, y_edges = (np.unique(np.concatenate([cloud[:, k], cloud[:, k + 2]])) for k in (0, 1))
for name, b in bins.items():
    points = row(wide[0], name)
    assert b[:, 4].sum() == 3000
    for (x0, y0, x1, y1, n), inside in zip(b[:50], range(50)):
        within = (points[:, 0] >= x0) & (points[:, 0] < x1) & (points[:, 1] >= y0) & (points[:, 1] < y1)
        assert within.sum() == n, (name, x0, y0)
    assert {len(named(data, "curve")[name])} == {129}

# Sites with other rows have other tokens: the caption says which where.
x = rng.standard_normal((6, 7, 9))
both = stores.write(f"{tmp}/both.h5", [site(x), site(x[:, :2])])
caption = " ".join(draw("tokens", both, "--tokens", "2")[0].texts)
for layer, positions in ((1, 7), (2, 2)):
    assert f"ViT LN layer {layer}: " + ", ".join(lowest(0, [(s, p) for s in range(6) for p in range(positions)], 2)) in caption, caption

# Points that lie on no line are not joined; a row without a finite point is not chosen.
x = rng.standard_normal((9, 2, 12)).astype("f4")
figure, data = draw("tokens", stores.write(f"{tmp}/cloud.h5", [site(x, rng.standard_normal(x.shape))]))
assert len(named(data, "mark")) == 8 and not named(data, "curve")
first = lowest(0, [(s, p) for s in range(9) for p in range(2)], 18)
s, p = map(int, first[0].split(":"))
x[s, p], (s, p) = np.nan, map(int, first[1].split(":"))
x[s, p, :4] = np.inf
figure, data = draw("tokens", stores.write(f"{tmp}/holes.h5", [site(x, np.tanh(x))]))
assert list(named(data, "mark")) == first[1:9] and len(data["mark", 1, first[1]]) == 8 and "16 not finite" in figure.texts
assert sorted(len(c) for c in named(data, "curve").values()) == [8] + [12] * 7

# A sample by the same seed has the same tokens; a sketch alone has none.
full, sampled, sketch = (f"{tmp}/{name}.h5" for name in ("full", "sampled", "sketch"))
for path, more in ((full, []), (sampled, ["--sample-rows", "40"]), (sketch, ["--mode", "sketch"])):
    call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "20", "-l", "3,17", "-o", path, *more)
tokens = [named(draw("tokens", path)[1], "mark") for path in (full, sampled)]
assert list(tokens[0]) == list(tokens[1]) and all(np.array_equal(tokens[0][k], tokens[1][k], equal_nan=True) for k in tokens[0])
texts = draw("tokens", sampled)[0].texts
assert "40 of 340 rows" in texts and "8 of 40 stored tokens" in " ".join(texts), texts
assert list(named(draw("tokens", sketch)[1], "mark")) == list(tokens[0])  # it has a sample of its rows
with h5py.File(sketch, "r+") as file:
    for name in ("input", "output", "sample", "position", "kind"):
        del file["sites/003"][name]
refused("tokens", sketch, status=3, parts=[sketch, "site 3", "expected stored rows", "a sketch alone"])

# Half floats lie on a line but for their rounding.
half = stores.write(f"{tmp}/half.h5", [site(rng.standard_normal((4, 2, 200)))], dtype="f2")
assert len(named(draw("tokens", half)[1], "curve")) == 8

# Nothing to see, and names.
some = np.zeros((4, 2, 3))
for name, x, y, said in (("one point", np.full((1, 1, 1), 0.5), None, "1 of 1 tokens"), ("all equal", some + 2, some + 1, "8 of 8 tokens"), ("only NaN", some * np.nan, None, "no finite points"),
                         ("large and small", np.array([[[1e-30, 1e30, -1e30, 0]]]), np.array([[[1e-6, -1e6, 1, 0]]]), "1 of 1 tokens")):
    figure, data = draw("tokens", stores.write(f"{tmp}/odd.h5", [site(x, y)]))
    assert said in " ".join(figure.texts), (name, figure.texts)
    kept = (np.isfinite(x) & np.isfinite(stores.layernorm(x) if y is None else y)).sum()
    assert sum(len(m) for m in named(data, "mark").values()) == kept, name
figure, _ = draw("tokens", stores.write(f"{tmp}/odd.h5", [site(some + 1, kinds=np.full((4, 2), stores.PADDING))]))
assert "no points" in figure.texts and "no tokens" in figure.texts
for i, name in enumerate(("encoder." * 10, "a&b <c> 50% x_y \\z $q \"w\"\n\ttail")):
    path = stores.write(f"{tmp}/name-{i}.h5", [site(rng.standard_normal((20, 2, 16)), name=name)])
    draw("tokens", path, "--width", "60")
assert 'a&b <c> 50% x_y \\z $q "w"??tail' in draw("tokens", path, "--width", "200")[0].texts
text = pdf_text("tokens", run, "--width", "174")
assert "8 of 160 tokens" in text and "−2" in text and lowest(0, rows, 1)[0] in text, text
for bad in (["--tokens", "0"], ["--tokens", "65"], ["--seed", "x"], ["--no-fit"]):
    refused("tokens", run, *bad, status=2, parts=[bad[0]])
assert max(map(len, call(program, "plot", "tokens", "--help").splitlines())) <= 80
