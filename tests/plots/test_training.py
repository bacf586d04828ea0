"""normscope plot training: the lines are the columns of training.h5 as h5py reads them; runs without validation, without epochs, of other
files."""
import os
import shutil
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import figures

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]


def train(name, *more, validation="900", epochs="2"):
    figures.call(program, "train", "--data", "fashion-mnist-1000", "--validation", validation, "--epochs", epochs, "-b", "32", "--width", "8", "--heads", "2", "--depth", "1",
                 "-o", f"{tmp}/{name}", *more)
    return f"{tmp}/{name}"


def check(data, path, label, steps=False, validated=True, kind="curve"):
    with h5py.File(f"{path}/training.h5") as file:
        per_epoch = file.attrs["steps_per_epoch"]
        for panel, factor, column in ((1, 1, "loss"), (2, 100, "accuracy")):
            lines = {f"{label} training": file["steps" if steps else "epochs"][column][()]}
            if validated:
                lines[f"{label} validation"] = file["epochs"]["validation_" + column][()]
            for name, values in lines.items():
                x = np.arange(1, len(values) + 1) / (per_epoch if steps and "training" in name else 1)
                assert np.array_equal(data[kind, panel, name][:, :2], np.stack([x, factor * values.astype("f8")], 1)), (panel, name)


dyt, other = train("dyt", "--norm", "dyt"), train("other", "--norm", "rmsnorm", "--seed", "2")
figure, data = figures.draw("training", dyt)
assert len(figure.panels) == 2 and figure.texts.count("epoch") == 2 and {"training", "validation", "loss (nat)", "accuracy (%)"} <= set(figure.texts) and "dyt" not in figure.texts
check(data, dyt, "dyt")
check(data, dyt, "dyt", kind="mark")  # few epochs have marks too
figure, data = figures.draw("training", dyt, f"{other}/", "--steps", "--log")
assert {"dyt", "other"} <= set(figure.texts)
check(data, dyt, "dyt", steps=True)
check(data, other, "other", steps=True)
assert "ends at " in figures.call(program, "plot", "training", dyt, "-o", f"{tmp}/said.png", "--dpi", "40")

# Without samples held out there is no line of validation.
blind = train("blind", validation="0", epochs="1")
figure, data = figures.draw("training", blind)
assert "validation" not in figure.texts and np.isnan(data["curve", 1, "blind validation"][:, 1]).all()
check(data, blind, "blind", validated=False)

text = figures.pdf_text("training", dyt, other)
assert all(part in text for part in ("epoch", "loss (nat)"[:4], "validation", "other")), text

# No complete epoch: said, and --steps has something to show.
shutil.copytree(dyt, f"{tmp}/begun")
with h5py.File(f"{tmp}/begun/training.h5", "r+") as file:
    for name in list(file["epochs"]):
        del file["epochs"][name]
figures.refused("training", f"{tmp}/begun", status=3, parts=(f"{tmp}/begun/training.h5", "expected complete epochs"))
assert ("curve", 1, "begun training") in figures.draw("training", f"{tmp}/begun", "--steps")[1]
figures.refused("training", "tests/golden/fit.tsv", status=3, parts=("tests/golden/fit.tsv",))
figures.call(program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "2", "-o", f"{tmp}/run.h5")
figures.refused("training", f"{tmp}/run.h5", status=3, parts=(f"{tmp}/run.h5", "expected a training.h5"))
