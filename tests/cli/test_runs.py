"""What is bundled of trained runs: every checkpoint loads and reaches the accuracy that datasets/runs/accuracy.tsv states on the bundled
1,000 images, the records can be read, and a short training repeats to the bit."""
import csv
import glob
import json
import os
import re
import subprocess

import h5py
import numpy as np

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
runs = os.path.join(root, "datasets", "runs")


def run(*words):
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


with open(runs + "/accuracy.tsv") as f:
    lines = [line for line in f if not line.startswith("#")]
stated = {row["run"]: row for row in csv.DictReader(lines, delimiter="\t")}
folders = {os.path.basename(f): f for f in glob.glob(runs + "/*") if os.path.isdir(f)}
assert set(stated) == set(folders) and len(folders) >= 4, (stated, folders)
size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(runs) for f in files)
assert size <= 25 << 20, size

for name, folder in folders.items():
    with open(folder + "/train.json") as f:
        settings = json.load(f)["settings"]
    gpt = settings["arch"] == "gpt"
    out = run("dump", folder, "shakespeare" if gpt else "fashion-mnist-1000", *(["--samples", "16"] if gpt else []), "--mode", "sketch",
              "-o", f"{tmp}/{name}.h5")
    if not gpt:
        found = float(re.search(r"accuracy:? *([0-9.]+) %", out).group(1))
        assert abs(found - float(stated[name]["top1_of_1000"])) <= 0.2, (name, found, stated[name])
    with h5py.File(folder + "/training.h5") as f:
        alpha, epochs = f["watch/alpha"][:], f["epochs/validation_accuracy"][:]
        assert len(epochs) == settings["epochs"] and len(alpha) == settings["epochs"] + 1
        assert np.isfinite(alpha).all() == (settings["norm"] in ("dyt", "derf")), name
        assert abs(100 * epochs[-1] - float(stated[name]["validation_accuracy"])) < 0.006, (name, epochs[-1])
    sites = [site.attrs["name"] for site in h5py.File(f"{tmp}/{name}.h5")["sites"].values()]
    assert len(sites) == alpha.shape[1]

short = ["train", "--data", "fashion-mnist-1000", "--norm", "derf", "--width", "16", "--depth", "2", "--heads", "2", "--epochs", "2",
         "--batch", "50"]
for which in ("one", "two"):
    run(*short, "-o", f"{tmp}/{which}")
for name in ("model.safetensors", "training.h5", "config.json"):
    assert open(f"{tmp}/one/{name}", "rb").read() == open(f"{tmp}/two/{name}", "rb").read(), name
