"""What holds for every kind of figure, with both backends: PDF, SVG and EPS are valid, have real text in embedded fonts, and look as the PNG
does to those who draw them; what gnuplot leaves reruns unchanged to the same picture. A new kind without a line here fails the test."""
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

sys.path.insert(0, "tests/tools")
import browser
import pictures
import stores
import svg

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
os.environ["OMP_NUM_THREADS"] = "1"
DPI = 150
rng = np.random.default_rng(5)

x = rng.standard_normal((60, 5, 32)) * (1 + 3 * rng.random((60, 5, 1)))
run = stores.write(f"{tmp}/run.h5", [dict(x=(x * s).astype("f4"), y=stores.layernorm(x), name=f"blocks.{i}.norm", role=("attention", "mlp", "final")[i % 3]) for i, s in enumerate((1, 2, 0.5, 3, 8))])
dyt = "datasets/runs/vit-dyt"
with open(f"{tmp}/bench.tsv", "w", encoding="utf-8") as file:
    file.write("measure\tunit\tmedian\tmin\tmax\nforward\tms\t5\t4\t7\nbackward\tms\t9\t8.5\t12\nbackward / forward\t1\t1.8\t1.2\t3\n")
with open(f"{tmp}/sweep.tsv", "w", encoding="utf-8") as file:
    file.write("alpha_0\twidth\tseed\taccuracy\n" + "".join(f"{a}\t{w}\t{s}\t{50 + 9 * a - w / 99 + s}\n" for a in (0.2, 0.5, 1, 2) for w in (96, 192) for s in range(3)))

# kind -> a figure: what it reads and asks for, and words that are to be found in it.
FIGURES = {
    "scurve": ([run, "--layers", "1,3,5"], ["ViT LN layer 3", "blocks.2.norm", "ViT LN output", "LN input", "s·tanh(αx)"]),
    "tokens": ([run, "--layers", "1,5"], ["ViT LN layer 5", "ViT LN output", "LN input", "8 of 300 tokens"]),
    "channels": ([run, "--layers", "1,5"], ["ViT LN layer 5", "ViT LN output", "LN input"]),
    "residual": ([run, "--layers", "1,5"], ["ViT LN layer 5", "LN input", "s·tanh(αx)", "RMSE"]),
    "rows": ([run], ["LN layer", "of a row of the LN input", "Boxes: 25 to 75"]),
    "curves": (["--curve", "all", "--derivative"], ["tanh", "softsign", "x"]),
    "alpha": ([dyt], ["epoch", "1/σ of the input", "attention", "least squares", "95 % interval"]),
    "training": ([dyt], ["epoch", "loss (nat)", "accuracy (%)", "validation"]),
    "depth": ([run], ["kurtosis of x", "S-index", "largest |x|", "rows, 5 to 95 %", "site", "attention"]),
    "sweep": ([f"{tmp}/sweep.tsv", "-x", "alpha_0", "-y", "accuracy", "--second", "width"], ["alpha_0", "width", "accuracy", "192", "68.0"]),
    "bench": ([f"{tmp}/bench.tsv"], ["forward  5.00", "ratio", "ms"]),
}


def plot(kind, folder, ending, *more):
    path = f"{folder}/{kind}.{ending}"
    said = pictures.call(program, "plot", kind, *FIGURES[kind][0], "-o", path, "--dpi", str(DPI), "--title", f"Title of {kind}", *more)
    assert said.startswith(path), said
    return path


def has_words(kind, text, where):
    for word in (f"Title of {kind}", *FIGURES[kind][1]):
        assert pictures.squeezed(word) in pictures.squeezed(text), f"{where}: {word!r} is not in {text}"


def check_vectors(kind, folder, drawn, own):
    """PDF, SVG and EPS of one backend against its PNG, and the texts of them; `own`: of the cairo backend, whose SVG is our writer's."""
    size = drawn.shape[::-1]
    backend = () if own else ("--backend", "gnuplot")
    pdf, svg_path, eps = (plot(kind, folder, ending, *backend) for ending in ("pdf", "svg", "eps"))
    has_words(kind, pictures.check_pdf(pdf), pdf)
    if own:
        has_words(kind, " ".join(pictures.check_svg(svg_path).texts), svg_path)
    else:
        pictures.call("xmllint", "--noout", "--nonet", svg_path)
        has_words(kind, " ".join(svg.tree.parse(svg_path).getroot().itertext()), svg_path)
    return {"pdf": pictures.of_pdf(pdf, size, pdf + ".png"), "svg": pictures.of_svg(svg_path, size, svg_path + ".png"), "eps": pictures.of_eps(eps, size, eps + ".png")}


def rerun(kind, folder):
    """The scripts, run in their folder by gnuplot alone, make again what they made."""
    for ending in ("png", "svg"):
        path = f"{folder}/{kind}.{ending}"
        before = pictures.grey(path) if ending == "png" else pictures.of_svg(path, (600, 400), f"{path}.before.png")
        os.remove(path)
        said = pictures.call("gnuplot", f"{kind}.{ending}.gp", cwd=folder)
        assert not said.strip(), said
        assert np.array_equal(pictures.grey(path) if ending == "png" else pictures.of_svg(path, (600, 400), f"{path}.after.png"), before), path


def check(kind):
    """Everything but the browser; returns the cairo backend's picture and how far the others are from it, and are when shifted."""
    folders = [f"{tmp}/{backend}-{kind}" for backend in ("cairo", "gnuplot")]
    for folder in folders:
        os.makedirs(folder)
    drawn = pictures.grey(plot(kind, folders[0], "png"))
    theirs = pictures.grey(plot(kind, folders[1], "png", "--backend", "gnuplot"))
    seen = {f"cairo {k}": (v, drawn) for k, v in check_vectors(kind, folders[0], drawn, True).items()}
    seen.update({f"gnuplot {k}": (v, theirs) for k, v in check_vectors(kind, folders[1], theirs, False).items()})
    seen["gnuplot"] = theirs, drawn
    found = {label: pictures.check_alike(picture, like, f"{kind}, {label}", 2 if "eps" in label else 1) for label, (picture, like) in seen.items() if picture is not None}
    rerun(kind, folders[1])
    return drawn, found


listed = re.findall(r"^  (\w+)  ", pictures.call(program, "plot", "--help").split("Kinds:")[1].split("Each kind")[0], re.M)
assert listed and set(listed) == set(FIGURES), set(listed) ^ set(FIGURES)
with ThreadPoolExecutor(2) as pool:
    drawn = dict(zip(FIGURES, pool.map(check, FIGURES)))
for kind, (picture, found) in drawn.items():
    worst = max(found, key=lambda label: found[label][0] / found[label][1])
    print(f"{kind}: at most {found[worst][0]:.2f} of 255 apart ({worst}), {found[worst][1]:.2f} when shifted by eight pixels")

# The bound tells figures from each other: none is as near to another, brought to its size, as to itself.
for kind, (picture, found) in drawn.items():
    for other in FIGURES:
        if other != kind:
            apart = pictures.distance(pictures.grey(f"{tmp}/cairo-{other}/{other}.png", picture.shape[::-1]), picture)
            assert apart > max(off for off, _ in found.values()), (kind, other, apart, found)

if not browser.program():
    print("there is no chromium on this machine; scripts/setup.sh check installs it where it can be had")
    sys.exit(77)
with browser.Browser() as b:
    for kind, (picture, _) in drawn.items():
        path = f"{tmp}/cairo-{kind}/{kind}.svg"
        width, height = svg.Figure(path).size
        b.size(int(np.ceil(width * 96 / 72)), int(np.ceil(height * 96 / 72)))
        b.load(path)
        assert not b.complaints(), (kind, b.complaints())
        b.screenshot(f"{path}.chromium.png")
        pictures.check_alike(pictures.grey(f"{path}.chromium.png", picture.shape[::-1]), picture, f"{kind}, Chromium")
