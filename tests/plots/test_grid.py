"""The bins that a figure is drawn from, as --data writes them, equal numpy.histogram2d's to the last count, over twenty data sets."""
import os
import subprocess
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
import stores

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
PAD_X, PAD_Y = 0.03, 0.05  # room around the points, of the axis' length


def data_sets():
    """x, y, kinds. In each the largest |x| is a power of two: the axis' ends are then the same whether or not a processor fuses a
    multiplication with an addition."""
    rng = np.random.default_rng(20)
    for k in range(20):
        shape = (int(rng.integers(1, 30)), int(rng.integers(1, 6)), int(rng.integers(1, 70)))
        x = [rng.standard_normal, lambda s: rng.uniform(-1, 1, s), lambda s: rng.integers(-8, 9, s) * 1.0, lambda s: rng.standard_t(1.5, s)][k % 4](shape)
        y = np.tanh(x) * 3 + rng.normal(0, 0.3, shape) if k % 2 else rng.integers(-4, 5, shape) * 1.0
        limit = 2.0 ** rng.integers(-20, 20)
        x = (x * limit / 16).clip(-limit, limit).astype("f4")
        y = y.clip(-8, 8).astype("f4")
        x.flat[0], y.flat[0] = limit, -8
        kinds = np.zeros(shape[:2], "u1")
        if k % 5 == 3:
            kinds[:, -1] = stores.PADDING
            kinds.flat[0] = stores.CLASS
        if k % 5 == 4 and x.size > 4:
            x.flat[1], x.flat[2], y.flat[3] = np.nan, -np.inf, np.inf
        yield x, y, kinds


def axis(most, pad):
    low, high = -most, most
    room = (high - low) * pad
    return low - room, high + room


def read(path):
    """panel -> rows of bins."""
    bins = {}
    for line in open(path).read().splitlines()[2:]:
        panel, what, _, *numbers = line.split("\t")
        assert what == "bin"
        bins.setdefault(int(panel), []).append([float(n) for n in numbers])
    return {panel: np.array(rows) for panel, rows in bins.items()}


def on_edges(site, low, high, n):
    """Puts the middle of the points on edges of bins, rounded to the float below, at and above."""
    edges = np.linspace(low, high, n + 1)[1:-1].astype("f4")
    edges = np.concatenate([np.nextafter(edges, np.float32(-np.inf)), edges, np.nextafter(edges, np.float32(np.inf))])
    edges = edges[np.abs(edges) <= site["x"].flat[0]]  # the axis' ends stay
    count = min(site["x"].size - 8, len(edges))
    if count > 0:
        site["x"].reshape(-1)[8 : 8 + count] = np.random.default_rng(1).permutation(edges)[:count]


def check(name, sites, *more):
    """Draws the sites and compares every bin; returns bins along x of each panel."""
    path, widths = stores.write(f"{tmp}/{name}.h5", sites, samples=len(sites[0]["x"])), []
    done = subprocess.run([program, "plot", "scurve", path, "-o", f"{tmp}/{name}.svg", "--data", f"{tmp}/{name}.tsv", "--no-fit", "--dpi", "72", "--force", *more],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    panels = read(f"{tmp}/{name}.tsv")
    assert sorted(panels) == list(range(1, len(sites) + 1))
    for panel, site in enumerate(sites, 1):
        bins, limits = panels[panel], []
        kept = np.isfinite(site["x"]) & np.isfinite(site["y"]) & (site["kinds"] != stores.PADDING)[..., None]
        for values, low_column, pad in (("x", 0, PAD_X), ("y", 1, PAD_Y)):
            low, high = axis(float(np.abs(site[values][kept]).max()), pad)
            n = round((high - low) / np.median(bins[:, low_column + 2] - bins[:, low_column]))
            limits.append((low, high, n))
        (x_low, x_high, nx), (y_low, y_high, ny) = limits
        widths.append((x_low, x_high, nx))
        counts, x_edges, y_edges = np.histogram2d(site["x"][kept].astype("f8"), site["y"][kept].astype("f8"), bins=(nx, ny), range=((x_low, x_high), (y_low, y_high)))
        i, j = np.nonzero(counts)
        wanted = np.stack([x_edges[i], y_edges[j], x_edges[i + 1], y_edges[j + 1], counts[i, j]], 1)
        order = np.lexsort((i, j))  # row by row from the lowest y
        assert bins.shape == wanted.shape and np.array_equal(bins, wanted[order]), f"{name}, panel {panel}: {len(bins)} bins, numpy has {len(wanted)}"
        assert bins[:, 4].sum() == kept.sum()
    return widths


# A run has the same samples at every site, so that each of these is a run of its own; then again with points on the edges.
every = 3 if os.environ.get("NS_SANITIZED") else 1  # that is ten times as slow
for k, (x, y, kinds) in list(enumerate(data_sets()))[::every]:
    site = dict(x=x, y=y, kinds=kinds)
    (low, high, n), = check(f"plain-{k}", [site])
    on_edges(site, low, high, n)
    assert check(f"edges-{k}", [site])[0] == (low, high, n)

# Several panels, whose y they share: all of them have the same largest |y|.
rng = np.random.default_rng(3)
many = [dict(x=rng.uniform(-1, 1, (9, 3, 20)).astype("f4") * 2**i, y=rng.uniform(-1, 1, (9, 3, 20)).astype("f4"), kinds=np.zeros((9, 3), "u1")) for i in range(5)]
for i, site in enumerate(many):
    site["x"].flat[0], site["y"].flat[0] = 2**i, 1
check("many", many, "--all")
