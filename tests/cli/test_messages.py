"""What a command says of a full disk (the file's name), and of a run whose numbers are no good, when it ends."""
import json
import os
import shutil
import struct
import subprocess
import xml.etree.ElementTree as tree

import h5py
import numpy as np

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
model = os.path.abspath("datasets/vit-fmnist-layernorm")
os.environ["NORMSCOPE_DATA"] = os.path.abspath("datasets")
os.chdir(tmp)


def run(*words, status=0, blocks=None):
    limit = [] if blocks is None else ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "limited"]  # of files, in KiB: as a disk that is full
    done = subprocess.run([*limit, program, *words], capture_output=True, text=True)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stderr


assert run("dump", model, "fashion-mnist-1000", "-n", "8", "-o", "run.h5") == ""
before = sorted(os.listdir("."))
scurve = ("plot", "scurve", "run.h5", "-l", "1,2", "-o")
for words, name in (((*scurve, "a.pdf"), "a.pdf"), ((*scurve, "a.svg"), "a.svg"), ((*scurve, "a.png"), "a.png"), ((*scurve, "a.eps"), "a.eps"),
                    ((*scurve, "a.svg", "--backend", "gnuplot"), "a.svg"), (("report", "run.h5", "-l", "1", "-o", "page.html"), "page.html")):
    said = run(*words, status=1, blocks=2)
    assert said.startswith(f"normscope {words[0]}: {name}") and os.strerror(27) in said, said
small = ("plot", "scurve", "run.h5", "-l", "1,2", "--dpi", "36", "-o", "b.png", "--data", "b.tsv")
run(*small)
figure, table = os.path.getsize("b.png"), os.path.getsize("b.tsv")
assert table > figure + 4096, (table, figure)
os.remove("b.png"), os.remove("b.tsv")
assert "b.tsv: cannot be written: " + os.strerror(27) in run(*small, status=1, blocks=figure // 1024 + 2)
os.remove("b.png")  # it is whole
assert sorted(os.listdir(".")) == before, os.listdir(".")

# gnuplot lets "]]>" stand, which XML does not.
with open("table.tsv", "w") as f:
    f.write("x\ty\n1\t2\n2\t3\n")
for title in ("]]>", "a ]]]>]]> b < & c", "]] >"):
    for backend in ("gnuplot", "cairo"):
        run("plot", "sweep", "table.tsv", "-x", "x", "-y", "y", "--backend", backend, "-f", "-o", "title.svg", "--title", title)
        drawn = tree.parse("title.svg").getroot()
        assert title in ["".join(node.itertext()).strip() for node in drawn.iter("{http://www.w3.org/2000/svg}text")], (backend, title)


def changed(name, tensor, change):
    """The checkpoint with other values of one tensor."""
    shutil.copytree(model, name)
    os.chmod(f"{name}/model.safetensors", 0o644)
    with open(f"{name}/model.safetensors", "r+b") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        begin, end = json.loads(f.read(size))[tensor]["data_offsets"]
        f.seek(8 + size + begin)
        values = np.frombuffer(f.read(end - begin), "<f4").copy()
        change(values)
        f.seek(8 + size + begin)
        f.write(values.tobytes())
    return name


def warned(name, *more):
    """What it says, against what is in the file."""
    said = run("dump", name, "fashion-mnist-1000", "-n", "4", "-o", f"{name}.h5", "-f", *more)
    with h5py.File(f"{name}.h5") as f:
        sites = [f["sites"][key] for key in sorted(f["sites"])]
        odd = [[np.abs(site[part][()].astype("f8")) for part in ("input", "output")] for site in sites]
        bad = [sum(int((~np.isfinite(values)).sum()) for values in parts) for parts in odd]
        far = [sum(int((np.isfinite(values) & (values > 1e38)).sum()) for values in parts) for parts in odd]
        first = next((i for i in range(len(sites)) if bad[i] or far[i]), None)
        return said, sum(bad), sum(far), first is not None and f"site {sites[first].attrs['index']} ", sum(values.size for parts in odd for values in parts)


def set_nan(values):
    values[3] = np.nan


def scale(factor):
    def change(values):
        values *= np.float32(factor)
    return change


said, bad, far, first, all_values = warned(changed("nan", "blocks.2.mlp.fc1.bias", set_nan))
assert bad and f"{bad} of {all_values} values are not finite" in said and first in said, (said, bad, first)
said, bad, far, first, all_values = warned(changed("far", "blocks.7.mlp.fc2.weight", scale(1e38)))
assert far + bad and (not far or f"{far} of {all_values} values are beyond 1e+38" in said) and first in said, (said, far, bad)
said, *_ = warned(changed("gamma", "norm.weight", set_nan), "-l", "17")
assert "1 weights of the sites are not finite or beyond 1e38" in said and "site 17 (norm)" in said, said
# Of sampled rows and sketches too: what went by is counted, not what is kept. In float16, what it cannot hold.
said = run("dump", "nan", "fashion-mnist-1000", "-n", "4", "-o", "sampled.h5", "--mode", "sketch", "--sample-rows", "1")
full = run("dump", "nan", "fashion-mnist-1000", "-n", "4", "-o", "full.h5")
assert said == full != "", (said, full)
said, bad, *_ = warned(changed("half", "blocks.7.mlp.fc2.weight", scale(1e6)), "--dtype", "f16")
assert bad and f"{bad} of " in said and "values are beyond 65504, the largest float16, and infinite in the file" in said, (said, bad)
