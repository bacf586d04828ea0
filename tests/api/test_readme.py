"""The README's programs, as a newcomer types them: compiled against an installed tree, run, and their results checked."""
import os
import re
import subprocess
import sys

import h5py
import numpy as np

tmp, build, program = os.environ["TMP"], os.environ["BUILD"], os.environ["NORMSCOPE"]
MODEL = "datasets/vit-fmnist-layernorm"
sanitized = "NS_SANITIZED" in os.environ


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


readme = open("README.md", encoding="utf-8").read()
blocks = {kind: re.findall(rf"```{kind}\n(.*?)```", readme, re.S) for kind in ("c", "python")}
assert len(blocks["c"]) == 2 and len(blocks["python"]) == 1, "README.md: other programs than this test knows"

root = f"{tmp}/root"
run("make", "-s", f"BUILD={build}", f"PREFIX={root}", "install")
# The build's own prefix again, for whoever installs from it after the tests.
run("make", "-s", f"BUILD={build}", "all")
env = dict(os.environ, PKG_CONFIG_PATH=f"{root}/lib/pkgconfig", LD_LIBRARY_PATH=f"{root}/lib")
flags = run("pkg-config", "--cflags", "--libs", "normscope", env=env).split()
for name, source in zip(("watch", "engine"), blocks["c"]):
    with open(f"{tmp}/{name}.c", "w", encoding="utf-8") as out:
        out.write(source)
    extra = ["-fsanitize=address,undefined"] if sanitized else []
    run("cc", "-Wall", "-Wextra", "-Werror", *extra, f"{tmp}/{name}.c", "-o", f"{tmp}/{name}", *flags, "-lm", env=env)

# watch: 1/sigma of the MLP's sites, which the images' own taps must give too.
images = "datasets/fashion-mnist-1000/t10k-images-idx3-ubyte.gz"
lines = run(f"{tmp}/watch", MODEL, images, env=env).splitlines()
assert [line.split()[0] for line in lines] == [f"blocks.{i}.norm2" for i in range(8)], lines
run(program, "dump", MODEL, images, "-o", f"{tmp}/same.h5", "--order", "shuffled", "--samples", "16")
with h5py.File(f"{tmp}/same.h5") as same:
    for i, line in enumerate(lines):
        sigma = same[f"sites/{2 * i + 2:03d}/input"][:].astype(float).std()
        assert abs(float(line.split()[-1]) * sigma - 1) < 1e-3, (line, sigma)

# engine: the file that it writes is one of ours, complete, and its output is what verify expects.
run(f"{tmp}/engine", f"{tmp}/engine.h5", env=env)
assert "1 site agrees on 40 samples" in run(program, "verify", f"{tmp}/engine.h5")
assert "layers.0.norm" in run(program, "fit", f"{tmp}/engine.h5")
run(program, "plot", "scurve", f"{tmp}/engine.h5", "-o", f"{tmp}/engine.svg")

# Python's lines agree with the file, for both files.
for path, sites in ((f"{tmp}/same.h5", 17), (f"{tmp}/engine.h5", 1)):
    table = run(sys.executable, "-c", blocks["python"][0], path).splitlines()
    assert len(table) == sites
    assert all(float(line.split()[2]) < 1e-5 for line in table), table

# Every file that the README names is there.
for path in re.findall(r"`((?:tests|analysis|datasets|scripts|plots|probe)/[\w./-]+)`", readme) + re.findall(r"\]\(((?!http)[^)]+)\)", readme):
    assert os.path.exists(path), f"README.md names {path}, which is not there"

# examples/own_network.c: every site's y has the mean square that a LayerNorm's must have, and keeps its bound.
extra = ["-fsanitize=address,undefined"] if sanitized else []
run("cc", "-Wall", "-Wextra", "-Werror", *extra, "examples/own_network.c", "-o", f"{tmp}/own", *flags, "-lm", env=env)
sites = [re.fullmatch(r"(\S+) +(\S+) +largest \|y\| ([\d.]+) of ([\d.]+), mean y\^2 ([\d.]+)", line) for line in run(f"{tmp}/own", env=env).splitlines()]
assert [site[1] for site in sites] == ["block.0.norm1", "block.0.norm2", "block.1.norm1", "block.1.norm2"]
assert all(float(site[3]) < float(site[4]) and abs(float(site[5]) - 1) < 1e-3 for site in sites), sites
