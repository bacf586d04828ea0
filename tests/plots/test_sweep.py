"""normscope plot sweep: means and spreads against numpy's, over numbers and words, as lines and as a heat map; tables that are not as they
should be."""
import os
import subprocess
import sys
import xml.etree.ElementTree as tree

import numpy as np

sys.path.insert(0, "tests/tools")
import figures
import svg

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
rng = np.random.default_rng(5)
alphas, models, seeds = [0.1, 0.2, 0.5, 1.0, 2.5], ["ViT B", "ViT-L & é", "DiT"], range(4)
runs = [(a, m, s, w, rng.uniform(50, 90)) for a in alphas for m in models for s in seeds for w in (96, 8)]
rng.shuffle(runs)
lost = [i for i, (a, m, s, w, y) in enumerate(runs) if a == 2.5 and m == "DiT" and w == 8]  # a cell without any result


def write(path, rows, head="1/x\ttext\t1\t1\t%"):
    with open(path, "w", encoding="utf-8") as file:
        file.write((f"# runs of a day\n#{head}\n" if head else "") + "alpha_0\tmodel\tseed\twidth\taccuracy\n")
        for i, (a, m, s, w, y) in enumerate(rows):
            file.write(f"{a}\t{m}\t{s}\t{w}\t{'' if i in lost else repr(float(y))}\n")
    return path


path = write(f"{tmp}/runs.tsv", runs)
kept = [run for i, run in enumerate(runs) if i not in lost]


def results(**wanted):
    return np.array([y for a, m, s, w, y in kept if all({"a": a, "m": m, "s": s, "w": w}[k] == v for k, v in wanted.items())])


def ends(y, spread):
    return (y.min(), y.max()) if spread == "range" else (y.mean() - y.std(ddof=1), y.mean() + y.std(ddof=1))


for spread in ("range", "sd"):
    figure, data = figures.draw("sweep", path, "--x", "alpha_0", "--y", "accuracy", "--group", "model", "--spread", spread, "--log-x")
    assert {"alpha_0 (1/x)", *models} <= set(figure.texts) and figure.panels[0].y_label == "accuracy (%)"
    for m in models:
        ys = [results(a=a, m=m) for a in alphas]
        for what in ("curve", "mark"):
            assert np.allclose(data[what, 1, m][:, :2], np.stack([alphas, [y.mean() for y in ys]], 1), rtol=1e-12)
        assert data["mark", 1, m][:, 4].tolist() == [len(y) for y in ys]
        whiskers = data["curve", 1, f"{m} spread"].reshape(-1, 3, 5)
        assert np.allclose(whiskers[:, 0, 1], [ends(y, spread)[0] for y in ys]) and np.allclose(whiskers[:, 1, 1], [ends(y, spread)[1] for y in ys])
        assert np.allclose(whiskers[:, :2, 0], np.array(alphas)[:, None])
over = f"Mean of {8 - len(lost)} to 8 runs over: seed, width."
assert f"{over} {len(lost)} of {len(runs)} runs without a result that can be drawn." in " ".join(figure.texts), figure.texts


def said(*args):
    """The caption, and what stands on stderr."""
    done = subprocess.run([program, "plot", "sweep", *args, "-y", "accuracy", "-o", f"{tmp}/said.svg", "--force", "--dpi", "72"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return " ".join(svg.Figure(f"{tmp}/said.svg").texts), done.stderr


def runs_table(*rows):
    with open(f"{tmp}/means.tsv", "w", encoding="utf-8") as file:
        file.write("alpha_0\tseed\twidth\tname\toptimizer\tloss\taccuracy\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return f"{tmp}/means.tsv"


# What is averaged over is said: settings alone, and a warning where they are more than the seed.
rows = [(a, s, w, f"run-{a}-{s}-{w}-{o}", o, 0.1 + a + s / 7 + w / 900 + len(o) / 70, 50 + a + s) for a in (0.5, 1) for s in (0, 1, 2) for w in (8, 96) for o in ("adam", "sgd w/ m")]
few = [row for row in rows if row[2] == 8 and row[4] == "adam"]
for table, more, over, warned in ((few, (), "Mean of 3 runs over: seed.", None), (rows, (), "Mean of 12 runs over: seed, width, optimizer.", "width, optimizer;"),
                                  (rows, ("-g", "width"), "Mean of 6 runs over: seed, optimizer.", "optimizer;"), (rows, ("-2", "optimizer"), "Mean of 6 runs over: seed, width.", "width;"),
                                  (few[:1] + few[3:4], (), "", None), (few[:1] * 2, (), "Mean of 2 runs.", None),
                                  ([few[0], (*few[0][:2], 96, *few[0][3:])], (), "Mean of 2 runs over: width.", "width;")):
    caption, warning = said(runs_table(*table), "-x", "alpha_0", *more)
    assert (over in caption) if over else "Mean of" not in caption, (over, caption)
    assert ("warning" in warning and "means.tsv" in warning and f"seed: {warned}" in warning) if warned else not warning, (more, warning)

# One group needs no legend; of one run a setting there is no whisker.
single = write(f"{tmp}/single.tsv", [(a, "m", 0, 1, 50 + a) for a in alphas if a != 2.5], head=None)
lost_before, lost = lost, []
single = write(f"{tmp}/single.tsv", [(a, "m", 0, 1, 50 + a) for a in alphas], head=None)
figure, _ = figures.draw("sweep", single, "-x", "alpha_0", "-y", "accuracy", "--x-label", "α₀ & so on", "--y-label", "test accuracy (%)")
assert figure.panels[0].y_label == "test accuracy (%)" and "α₀ & so on" in figure.texts, figure.texts
figure, data = figures.draw("sweep", single, "-x", "alpha_0", "-y", "accuracy")
assert np.allclose(data["curve", 1, "accuracy"][:, 1], 50 + np.array(alphas)) and ("curve", 1, "accuracy spread") not in data and figure.texts.count("accuracy") == 1
assert figure.panels[0].y_label == "accuracy"

# Several files are so many groups.
figure, data = figures.draw("sweep", path, single, "-x", "alpha_0", "-y", "accuracy")
assert np.allclose(data["mark", 1, "runs"][:, 1], [results(a=a).mean() for a in alphas]) and len(data["mark", 1, "single"]) == 5

# Words: marks beside each other, none joined.
figure, data = figures.draw("sweep", path, "-x", "model", "-y", "accuracy", "-g", "width")
assert set(models) <= set(figure.texts) and not figures.named(data, "curve").keys() & {"96", "8"}
order = list(dict.fromkeys(m for a, m, s, w, y in runs))
for w in (96, 8):
    marks = data["mark", 1, str(w)]
    assert np.array_equal(np.round(marks[:, 0]), [1, 2, 3]) and np.allclose(marks[:, 1], [results(m=m, w=w).mean() for m in order])
assert not set(data["mark", 1, "96"][:, 0]) & set(data["mark", 1, "8"][:, 0])

# No name is lost, however many or long: beside each other, in lines, or turned, in text that can be read.


def names_below(figure):
    """Each name as its tick has it: lines joined, without spaces; and how they stand."""
    panel = figure.panels[0]
    x, y, w, h = panel.frame
    level = {}
    for at, base, text in panel.texts:
        near = [k for k, tick in enumerate(panel.x_ticks) if abs(tick - at) < 0.1]
        if base > y + h and near and text != "norm":
            level.setdefault(near[0], []).append(text)
    turned = {}
    for (at, top), size, text in panel.turned_names:
        turned.setdefault(int(np.argmin([abs(tick - at) for tick in panel.x_ticks])), []).append(text)
        assert top >= y + h and top + 0.45 * size * len(text) <= figure.size[1], (text, top, figure.size)
        assert size >= 5, size
    at = sorted(place for (place, _), _, _ in panel.turned_names)
    assert all(b - a >= 1.05 * size for a, b in zip(at, at[1:])), (at, size)
    lines = turned or level
    return ["".join(lines[k]).replace(" ", "") for k in sorted(lines)], "turned" if turned else "lines" if any(len(v) > 1 for v in level.values()) else "level"


def named_table(names):
    with open(f"{tmp}/names.tsv", "w", encoding="utf-8") as file:
        file.write("norm\tseed\taccuracy\n" + "".join(f"{name}\t{seed}\t{50 + 3 * seed + k}\n" for k, name in enumerate(names) for seed in (0, 1)))
    return f"{tmp}/names.tsv"


fifteen = [f"{a} {b}" for a in ("tanh", "hardtanh", "softsign") for b in ("s=0", "s=1", "s=2", "free", "no alpha")]
longest = [f"vit-fmnist-layernorm-width-{w}-heads-8-learning-rate-0.00{w}" for w in (16, 32, 48, 64, 96, 128)]
for names, more, form in ((["LayerNorm", "RMSNorm", "DyT"], (), "level"), (["RMSNorm", "DyT per channel", "DyT no alpha", "none at all"], (), "lines"), (fifteen, (), "turned"), (longest, (), "turned"),
                          ([name + " " + name for name in fifteen], (), "turned"), (["x" * 90, "y" * 90], (), "turned"), ([f"model {k}" for k in range(64)], (), "turned"),
                          *((names, ("--venue", venue, "--span", "column"), "turned") for names in (fifteen, longest) for venue in ("cvpr", "icml", "neurips", "nature"))):
    for second in ((), ("--second", "seed")):
        figure, _ = figures.draw("sweep", named_table(names), "-x", "norm", "-y", "accuracy", *more, *second)
        shown, how = names_below(figure)
        assert shown == [name.replace(" ", "") for name in names], (more, shown)
        assert second or how == form or (names is fifteen and "neurips" in more), (names, more, how)
        assert not any("\u2026" in text for text in figure.texts), figure.texts
figures.call(program, "plot", "sweep", named_table(fifteen), "-x", "norm", "-y", "accuracy", "-o", f"{tmp}/g.svg", "--backend", "gnuplot")
drawn = "".join(tree.parse(f"{tmp}/g.svg").getroot().itertext()).replace("\u00a0", " ")
assert all(name in drawn for name in fifteen), drawn
assert "64 names" in figures.call(program, "plot", "sweep", named_table([f"model {k}" for k in range(64)]), "-x", "norm", "-y", "accuracy", "-o", f"{tmp}/narrow.svg", "--width", "84", status=2)

# A heat map: a cell's colour is its mean's.
figure, data = figures.draw("sweep", path, "-x", "alpha_0", "-y", "accuracy", "--second", "model")
cells = figures.named(data, "area")
assert len(cells) == 15 and {"accuracy (%)", *models} <= {*figure.texts}
for m in models:
    for i, a in enumerate(alphas):
        cell = cells[f"{a:g}, {m}"]
        assert np.allclose(cell[:, 4], results(a=a, m=m).mean()) and cell[:, 0].min() == i + 0.5 and cell[:, 1].max() == order.index(m) + 1.5
lost = lost_before
figure, data = figures.draw("sweep", write(f"{tmp}/dit.tsv", runs), "-x", "alpha_0", "-y", "accuracy", "--second", "width")
assert len(figures.named(data, "area")) == 10 and list(figures.named(data, "area"))[0] == "0.1, 8"

text = figures.pdf_text("sweep", path, "-x", "alpha_0", "-y", "accuracy", "-g", "model")
assert all(part in text for part in ("alpha_0 (1/x)", "ViT-L & é", "runs without a result")), text

# Tables that are not as they should be.
use = ("-x", "alpha_0", "-y", "accuracy")
for content, status, parts, more in (("", 3, ("names",), use), ("alpha_0\taccuracy\n", 3, ("names alone",), use), ("alpha_0\taccuracy\n1\t2\t3\n", 3, ("line 2", "expected 2 cells, found 3"), use),
                                     ("alpha_0\taccurasy\n1\t2\n", 3, ("expected a column 'accuracy'", "accurasy"), use), ("alpha_0\taccuracy\n1\tgood\n", 3, ("line 2", "accuracy", "'good'"), use),
                                     ("alpha_0\taccuracy\n1\tnan\n2\t\n", 3, ("found none of 2",), use), ("alpha_0\taccuracy\n1\t2\n", 2, ("--x and --y",), ("-x", "alpha_0")),
                                     ("alpha_0\taccuracy\tg\n1\t2\ta\n1\t3\tb\n", 2, ("--second", "2 groups"), (*use, "-g", "g", "-2", "g")),
                                     ("alpha_0\twidth\taccuracy\n1\t0\t5\n2\t\t6\n", 3, ("line 3", "width", "found none"), (*use, "-2", "width")),
                                     ("alpha_0\twidth\taccuracy\n1\tsmall\t5\n2\t\t6\n", 3, ("line 3", "width", "found none"), (*use, "-2", "width")),
                                     ("alpha_0\taccuracy\n" + "".join(f"{i}x\t1\n" for i in range(70)), 3, ("at most 64", "alpha_0"), use)):
    with open(f"{tmp}/bad.tsv", "w", encoding="utf-8") as file:
        file.write(content)
    figures.refused("sweep", f"{tmp}/bad.tsv", *more, status=status, parts=parts)
with open(f"{tmp}/bytes.tsv", "wb") as file:
    file.write(b"alpha_0\taccuracy\r\n\xff\x01\t2\r\n<b>\t3\r\n\r\n# end\r\n")
figures.draw("sweep", f"{tmp}/bytes.tsv", *use)
