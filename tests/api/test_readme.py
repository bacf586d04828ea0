"""The README, as a newcomer reads it: its lines of Python give what the program gives, and the files that it names are there."""
import csv
import os
import re
import subprocess
import sys

import numpy as np

tmp, program = os.environ["TMP"], os.environ["NORMSCOPE"]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


readme = open("README.md", encoding="utf-8").read()
(lines,) = re.findall(r"```python\n(.*?)```", readme, re.S)

# LayerNorm, DyT, a sample of rows, padding: sigma and extremes are those of stats.
runs = {
    "layernorm": ("datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "40"),
    "dyt": ("datasets/runs/vit-dyt", "fashion-mnist-1000", "-n", "40"),
    "sampled": ("datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "40", "--sample-rows", "100"),
    "padded": ("tests/golden/words/bert", f"{tmp}/ids.npy"),
}
np.save(f"{tmp}/ids.npy", np.array([[1, 2, 3, 4, 5], [3, 1, 2, -1, -1]]))
for name, command in runs.items():
    run(program, "dump", *command, "-o", f"{tmp}/{name}.h5")
    table = [line for line in run(program, "stats", f"{tmp}/{name}.h5", "--format", "tsv").splitlines() if not line.startswith("#")]
    sites = list(csv.DictReader(table, delimiter="\t"))
    found = [line.split() for line in run(sys.executable, "-c", lines, f"{tmp}/{name}.h5").splitlines()]
    assert [f[0] for f in found] == [s["name"] for s in sites]
    for f, s in zip(found, sites):
        assert abs(float(f[2]) / float(s["inverse_sigma"]) - 1) < 1e-5, (name, f, s)
        assert abs(float(f[5]) / float(s["max_abs_y"]) - 1) < 1e-5, (name, f, s)

# The commands on a real checkpoint, and what they print: lines between are left out as "...".
(session,) = [part for part in re.findall(r"(?:^    .*\n)+", readme, re.M) if part.startswith("    $ normscope dump")]
steps = re.split(r"^    \$ normscope ", session, flags=re.M)[1:]
assert len(steps) == 5, steps
root = os.getcwd()
for step in steps:
    command, *shown = step.rstrip("\n").split("\n")
    words = [f"{root}/{word}" if word.startswith("datasets/") else word for word in command.split()]
    done = subprocess.run([program, *words], capture_output=True, text=True, cwd=f"{tmp}")
    assert done.returncode == 0, (command, done.stderr)
    said = [line.rstrip() for line in done.stdout.splitlines()]
    for line in shown:
        assert line == "    ..." or line[4:] in said, f"README.md: {command}: expected the line\n{line[4:]}\nfound\n{done.stdout}"

# Every file that the README and the guide name is there.
for page in ("README.md", "docs/guide.md"):
    text = open(page, encoding="utf-8").read()
    folder = os.path.dirname(page)
    for path in re.findall(r"`((?:tests|analysis|datasets|scripts|plots|probe)/[\w./-]+)`", text):
        assert os.path.exists(path), f"{page} names {path}, which is not there"
    for path in re.findall(r"\]\(((?!http)[^)]+)\)", text):
        assert os.path.exists(os.path.join(folder, path.split("#")[0])), f"{page} names {path}, which is not there"
