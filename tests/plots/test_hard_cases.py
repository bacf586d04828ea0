"""Figures of data that are hard to draw: one point, all alike, nothing finite, six decades each way, 200 sites, long names and names of
what formats take amiss. Each kind either draws what can be read, by cairo and gnuplot the same, or says what is missing, by the status that
the message belongs to."""
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
from PIL import Image

sys.path.insert(0, "tests/tools")
import pictures
import stores

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
os.environ["OMP_NUM_THREADS"] = "1"
rng = np.random.default_rng(11)
LONG, ODD = "encoder." + "a_very_long_name." * 4 + "norm", "a & b < c % d_e \\f $g\n {h} 'i' \"j\""
LONG += "x" * (80 - len(LONG))


# ---- data ----

def site(x, y=None, **more):
    x = np.asarray(x, "f4")
    return dict(x=x, y=stores.layernorm(x) if y is None else np.asarray(y, "f4"), **more)


def run(name, sites, **attributes):
    """Of LayerNorm, and the same of DyT, which have an alpha each."""
    stores.write(f"{tmp}/{name}.h5", sites, **attributes)
    stores.write(f"{tmp}/{name}-dyt.h5", [dict(s, kind="dyt", alpha=np.array([0.5 + i / len(sites)], "f4")) for i, s in enumerate(sites)], **attributes)
    return name


def training(name, change=lambda values: values, names=None, records=None):
    """The bundled recording, with other values and sites."""
    path = f"{tmp}/{name}-training.h5"
    shutil.copy("datasets/runs/vit-dyt/training.h5", path)
    with h5py.File(path, "r+") as file:
        for group in ("watch", "epochs"):
            for column in list(file[group]):
                values = file[group][column][()]
                if column in ("names", "roles"):
                    values = values if not names else np.array([n.encode() for n in names]) if column == "names" else np.resize(values, len(names))
                else:
                    values = values[:records]
                if values.dtype.kind == "f":
                    values = change(np.resize(values, (len(values), len(names))) * (1 + np.arange(len(names), dtype="f4") / len(names)) if names and values.ndim == 2 else values)
                del file[group][column]
                file[group][column] = values
    return name


def table(name, rows):
    """For sweep; and for bench, whose medians are the results."""
    with open(f"{tmp}/{name}-sweep.tsv", "w", encoding="utf-8") as file:
        file.write("x\tsecond\tname\ty\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    with open(f"{tmp}/{name}-bench.tsv", "w", encoding="utf-8") as file:
        file.write("measure\tunit\tmedian\tmin\tmax\n" + "".join(f"{word} {k}\tns\t{y}\t{y}\t{y}\n" for k, (_, _, word, y) in enumerate(rows[:30])))


def spread(count, shape=(6, 3, 8)):
    return [rng.standard_normal(shape) * (1 + i % 7) for i in range(count)]


DECADES = 10.0 ** rng.uniform(-6, 6, (20, 4, 16)) * rng.choice([-1, 1], (20, 4, 16))
run("one", [site([[[0.5]]], [[[0.25]]])])
run("equal", [site(np.full((6, 3, 8), 2.0), np.full((6, 3, 8), 1.0)) for _ in range(3)])
run("nan", [site(np.full((4, 2, 6), np.nan), np.full((4, 2, 6), np.nan)) for _ in range(3)])
run("decades", [site(DECADES, np.tanh(DECADES)), site(DECADES * 1e-6, np.tanh(DECADES)), site(DECADES, DECADES), site(np.abs(DECADES))])
run("many", [site(x) for x in spread(200)])
run("long", [site(x, name=LONG[:-1] + str(i)) for i, x in enumerate(spread(5))], model_family=LONG)
run("odd", [site(x, name=ODD + str(i)) for i, x in enumerate(spread(5))], model_family=ODD)
training("one", records=1)
training("equal", lambda v: np.full_like(v, 0.5))
training("nan", lambda v: np.full_like(v, np.nan))
training("decades", lambda v: (10.0 ** rng.uniform(-6, 6, v.shape)).astype(v.dtype))
training("many", names=[f"blocks.{i // 2}.norm{1 + i % 2}" for i in range(200)])
training("long", names=[LONG[:-2] + f"{i:02}" for i in range(13)])
training("odd", names=[ODD + str(i) for i in range(13)])
table("one", [(1, 1, "a", 5)])
table("equal", [(1, 1, "a", 5)] * 4)
table("nan", [(1, 1, "a", "nan"), (2, 2, "b", "")])
table("decades", [(10.0 ** (i - 6), 10.0 ** (k - 6), f"m{i}", 10.0 ** ((5 * i + k) % 13 - 6)) for i in range(13) for k in range(3)])
table("many", [(i, i % 60, f"m{i % 30}", i * 0.37) for i in range(200)])
table("long", [(i, k, LONG[:-1] + str(i), 50 + i + k) for i in range(5) for k in range(2)])
table("odd", [(i, k, ODD.replace("\n", " ") + str(i), 50 + i + k) for i in range(5) for k in range(2)])
# Names of files stand in legends: two for whatever draws several.
for of in ("long", "odd"):
    name = LONG if of == "long" else ODD
    for ending in (".h5", "-dyt.h5", "-training.h5", "-bench.tsv", "-sweep.tsv"):
        folder = f"{tmp}/{of}{ending}-named"
        os.makedirs(folder)
        for k in range(2):
            shutil.copy(f"{tmp}/{of}{ending}", f"{folder}/{k}{name}.{ending.rsplit('.')[-1]}")

CASES = ("one", "equal", "nan", "decades", "many", "long", "odd")
# kind -> what it reads, and more arguments, each way in which it can be drawn
KINDS = {
    "scurve": [(".h5",), (".h5", "--vector-points", "--layers", "1"), (".h5", "--density"), (".h5", "--curve", "all", "--bound", "--slope")],
    "tokens": [(".h5",), (".h5", "-n", "30")],
    "channels": [(".h5",), (".h5", "-n", "30")],
    "residual": [(".h5",)],
    "rows": [(".h5",)],
    "depth": [(".h5",)],
    "alpha": [("-training.h5",), (".h5",), ("-dyt.h5", "--log")],
    "training": [("-training.h5",), ("-training.h5", "--log", "--steps")],
    "sweep": [("-sweep.tsv", "-x", "x", "-y", "y"), ("-sweep.tsv", "-x", "name", "-y", "y"), ("-sweep.tsv", "-x", "x", "-y", "y", "--second", "second"),
              ("-sweep.tsv", "-x", "x", "-y", "y", "--second", "name"), ("-sweep.tsv", "-x", "x", "-y", "y", "-g", "name", "--log-y")],
    "bench": [("-bench.tsv",), ("-bench.tsv", "--log")],
    "curves": [("",)],
}
ALPHAS = {"nan": "nan", "decades": "1e-6,1,1e6", "many": ",".join(str(1 + i / 10) for i in range(8))}
# What cannot be drawn: kind, ways, cases -> the file's ending and what is said of it.
REFUSED = [
    ("rows", (0,), ("nan",), ".h5: expected sites with rows that are finite, found none of 3"),
    ("depth", (0,), ("nan",), ".h5: expected sites with values that are finite, found none of 3"),
    ("alpha", (0,), ("nan",), "-training.h5: expected sites with an alpha"),
    ("alpha", (1, 2), ("one", "equal", "nan"), ".h5: expected sites that can be drawn, found "),
    ("training", (0,), ("nan",), "-training.h5: expected losses and accuracies that are finite, found none"),
    ("sweep", range(5), ("nan",), "-sweep.tsv: expected rows with a y that can be drawn, found none of 2"),
    ("sweep", (2, 3), ("many",), "-sweep.tsv: expected at most 64 different values of x, found more"),
    ("sweep", (4,), ("many",), "-sweep.tsv: expected at most 16 different values of the group, found more"),
    ("bench", range(2), ("nan",), "-bench.tsv: expected medians that can be drawn, found none in 2 rows"),
    ("curves", (0,), ("nan",), "--alpha: expected numbers like 0.5,1,2 between 1e-6 and 1e6 in size, found 'nan'"),
]


def refusal(kind, way, case):
    """The status and the part of the message, or None."""
    for its_kind, ways, cases, said in REFUSED:
        if kind == its_kind and way in ways and case in cases:
            return 2 if kind == "curves" else 3, said
    return None


def jobs():
    """name, kind, way, case and arguments of each figure."""
    for kind, ways in KINDS.items():
        for way, (reads, *more) in enumerate(ways):
            for case in CASES:
                if kind == "curves":
                    yield f"{kind}-{case}", kind, way, case, ["--alpha", ALPHAS.get(case, "1"), "--title", LONG if case == "long" else ODD]
                    continue
                yield f"{kind}-{way}-{case}", kind, way, case, [f"{tmp}/{case}{reads}", *more]
                folder = f"{tmp}/{case}{reads}-named"
                if os.path.isdir(folder) and "--second" not in more and way == 0:
                    yield f"{kind}-{way}-{case}-named", kind, way, case, [*sorted(f"{folder}/{name}" for name in os.listdir(folder)), *more]


def said_by(kind, arguments, path, status):
    said = pictures.call(program, "plot", kind, *arguments, "-o", path, "--dpi", "100", status=status)
    assert "Sanitizer" not in said and "runtime error" not in said, said
    return said


def is_something(kind, figure, path):
    """Colours, which neither axes nor text have; or words that say why there is nothing."""
    if any("no finite points" in text or (kind == "residual" and "no curve" in text) for text in figure.texts):
        return True
    pictures.call("rsvg-convert", "-b", "white", path, "-o", path + ".png")
    with Image.open(path + ".png") as image:
        pixels = np.asarray(image.convert("RGB"), int)
    return (pixels.max(2) - pixels.min(2) > 20).sum() > 1


def forms(label):
    """How a PDF can have a label: as it is, or, read as 2e6, as 2\u00d710 or 10 with the exponent somewhere else."""
    power = re.fullmatch(r"(.*?)([\d.]+)e\u2212?\d+", label)
    return (label, f"{power[1]}{power[2]}\u00d710", f"{power[1]}10") if power else (label,)


def check(job):
    """Number of files looked at."""
    name, kind, way, case, arguments = job
    path, refused = f"{tmp}/out/{name}", refusal(kind, way, case)
    if refused:
        said = said_by(kind, arguments, path + ".svg", refused[0])
        assert refused[1] in said and not os.path.exists(path + ".svg"), (name, said)
        return 0
    said_by(kind, arguments, path + ".svg", 0)
    figure = pictures.check_svg(path + ".svg")
    assert is_something(kind, figure, path + ".svg"), f"{name}: nothing is drawn"
    if sanitized:
        return 1
    for ending, more in ((".png", ()), ("-gnuplot.png", ("--backend", "gnuplot"))):
        said_by(kind, [*arguments, *more], path + ending, 0)
    apart = pictures.distance(pictures.grey(path + ".png"), pictures.grey(path + "-gnuplot.png"))
    assert apart < 6, f"{name}: gnuplot's picture is {apart:.1f} away"  # 3.8 at most; 20 and more where a label broke the script
    if way:
        return 3
    said_by(kind, arguments, path + ".pdf", 0)
    text = pictures.check_pdf(path + ".pdf")
    for label in figure.texts:  # of the SVG is in the PDF
        assert any(pictures.squeezed(form) in text for form in forms(label)), (name, label)
    return 4


sanitized = "NS_SANITIZED" in os.environ  # that is slow, and one format has all that is ours
os.makedirs(f"{tmp}/out")
kinds = re.findall(r"^  (\w+)  ", pictures.call(program, "plot", "--help").split("Kinds:")[1].split("Each kind")[0], re.M)
assert kinds and set(kinds) == set(KINDS), set(kinds) ^ set(KINDS)
with ThreadPoolExecutor(2) as pool:
    looked = sum(pool.map(check, jobs()))
print(f"{looked} figures of {len(KINDS)} kinds")

# More pages than one, of 200 sites: every page is as it should be, and the names of all sites are there.
said_by("scurve", [f"{tmp}/many.h5", "--all"], f"{tmp}/out/pages.pdf", 0)
text = pictures.check_pdf(f"{tmp}/out/pages.pdf")
assert len(pictures.pdf_words(f"{tmp}/out/pages.pdf")) > 1 and all(f"layer{i}" in text for i in range(1, 201))

# Without what a figure needs: the file, what was expected, what was found.
stores.write(f"{tmp}/begun.h5", [site(x) for x in spread(2)], committed=0)
NOT_RUNS = [("begun.h5", "expected complete samples, found none of 6"), ("one-training.h5", "a training run, expected the file of a run of normscope dump"), ("one-sweep.tsv", "expected an HDF5 file, found"),
            ("nowhere.h5", "No such file")]
LACKS = {
    "alpha": [("begun.h5", "expected complete samples, found none of 6"), ("one-sweep.tsv", "expected an HDF5 file, found"), ("out", "out/training.h5: cannot be opened")],
    "training": [("one.h5", "expected a training.h5 of normscope train, found no attribute"), ("one-sweep.tsv", "expected an HDF5 file, found"), ("out", "out/training.h5: cannot be opened")],
    "sweep": [("one-bench.tsv", "expected a column 'x', found measure, unit"), ("one.h5", "expected"), ("nowhere.tsv", "No such file")],
    "bench": [("one-sweep.tsv", "expected a column 'measure', found x, second"), ("one.h5", "expected"), ("nowhere.tsv", "No such file")],
}
for kind, ways in KINDS.items():
    more = list(ways[0][1:])
    for name, part in LACKS.get(kind, NOT_RUNS) if kind != "curves" else []:
        said = said_by(kind, [f"{tmp}/{name}", *more], f"{tmp}/none.pdf", 3)
        assert f"{tmp}/{name}" in said and part in said, (kind, said)
    said = said_by(kind, [f"{tmp}/one.h5"] if kind == "curves" else [], f"{tmp}/none.pdf", 2)
    assert "FILE" in said or "expected no" in said or "one.h5" in said, said
assert "unknown curve 'tnh'; expected one of tanh" in said_by("curves", ["--curve", "tnh"], f"{tmp}/none.pdf", 2)
with open(f"{tmp}/twice.tsv", "w") as file:
    file.write("measure\tunit\tmedian\tmin\tmax\n" + "a\ts\t1\t1\t1\n" * 2)
assert "twice.tsv: expected one row for each measure, found two of a" in said_by("bench", [f"{tmp}/twice.tsv"], f"{tmp}/none.pdf", 3)
assert not os.path.exists(f"{tmp}/none.pdf")
