"""Every program of examples/, compiled against an installed tree as a user does it, run, and its results checked."""
import glob
import os
import re
import subprocess
import sys

import h5py

tmp, build, program = os.environ["TMP"], os.environ["BUILD"], os.environ["NORMSCOPE"]
MODEL = "datasets/vit-fmnist-layernorm"


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


# The prefix stands in the build: it gets its own again, for whoever installs from it after the tests.
root = f"{tmp}/root"
run("make", "-s", f"BUILD={build}", f"PREFIX={root}", "install")
run("make", "-s", f"BUILD={build}", "all")
env = dict(os.environ, PKG_CONFIG_PATH=f"{root}/lib/pkgconfig", LD_LIBRARY_PATH=f"{root}/lib")
flags = run("pkg-config", "--cflags", "--libs", "normscope", env=env).split()
extra = ["-fsanitize=address,undefined"] if "NS_SANITIZED" in os.environ else []
names = sorted(os.path.basename(path)[:-2] for path in glob.glob("examples/*.c"))
assert names == ["engine", "own_network", "watch"], f"examples/ has other programs than this test knows: {names}"
for name in names:
    run("cc", "-Wall", "-Wextra", "-Werror", *extra, f"examples/{name}.c", "-o", f"{tmp}/{name}", *flags, "-lm", env=env)

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

# own_network: its two norms, which give at most the root of 16 channels; and the network is the one that plain loops make.
said = run(f"{tmp}/own_network", env=env)
sites = [line.split() for line in said.splitlines() if "sigma" in line]
assert [site[:2] for site in sites] == [["0.norm", "layernorm"], ["1.norm", "rmsnorm"]], said
assert all(float(site[3].rstrip(",")) > 0.1 and 1 < float(site[-1]) <= 4 for site in sites), said
(differs,) = re.findall(r"differs from plain loops by (\S+)", said)
assert float(differs) < 1e-5, said
