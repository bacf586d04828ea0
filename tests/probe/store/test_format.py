"""A dump read by h5py with nothing of ours: every group, dataset and attribute stands in docs/run-format.md and the reverse; y follows
from x in float64; rows know their sample and position; hashes are those of the files."""
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
from PIL import Image

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
model, data, n = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", 20


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}"
    return done.stdout


page = open("docs/run-format.md", encoding="utf-8").read()
named = {}  # section -> the names in its tables' first columns
for section in re.split(r"^## ", page, flags=re.M)[1:]:
    title = section.split("\n")[0]
    key = "root" if title.startswith("Root") else "sketch" if "sketch" in title else re.findall(r"`(\w+)", title)[0]
    named[key] = {w for line in section.split("\n") if line.startswith("| `") for w in re.findall(r"`(\w+)`", line.split("|")[1])}


def layernorm(x, eps):
    x = x.astype("f8")
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps)


variants = {
    "all": [],
    "half": ["--dtype", "f16", "--order", "shuffled", "--seed", "5"],
    "sampled": ["--sample-rows", "100", "-b", "8"],
    "dyt": [],
    "both": ["--mode", "both"],
    "files": ["--on-error", "skip"],
    "words": ["-n", "3", "--to-the-end"],
}
seen = {"root": set(), "progress": set(), "samples": set(), "results": set(), "names": set(), "sites": set(), "sketch": set()}
pixels = np.frombuffer(gzip.open(f"datasets/{data}/t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 28, 28)
for i in range(n):
    os.makedirs(f"{tmp}/folder/{'odd' if i % 2 else 'even'}", exist_ok=True)
    Image.fromarray(pixels[i]).save(f"{tmp}/folder/{'odd' if i % 2 else 'even'}/{i}.png")
open(f"{tmp}/folder/odd/broken.png", "wb").write(open(f"{tmp}/folder/odd/1.png", "rb").read()[:200])
open(f"{tmp}/folder/odd/notes.txt", "w").write("no image")
for name, more in variants.items():
    path, source = f"{tmp}/{name}.h5", model if name != "dyt" else "tests/golden/vit/timm-dyt"
    if name == "dyt":
        with np.errstate(all="ignore"):
            shape = re.search(r"image +(\d+) x (\d+)", run("list", source))
            channels = int(re.search(r"^channels +(\d+)", run("list", source), re.M)[1])
        np.save(f"{tmp}/noise.npy", np.random.default_rng(0).standard_normal((6, channels, int(shape[1]), int(shape[2]))).astype("f4"))
        run("dump", source, f"{tmp}/noise.npy", "-o", path)
    elif name == "files":
        run("dump", source, f"{tmp}/folder", "-o", path, "--resize", "28", *more)
    elif name == "words":
        run("dump", "datasets/runs/gpt-layernorm", "shakespeare", "-o", path, *more)
    else:
        run("dump", source, data, "-n", str(n), "-o", path, *more)
    with h5py.File(path, "r") as file:
        seen["root"] |= set(file.attrs)
        for part in {"progress", "samples", "results"} | set(file) & {"names"}:
            seen[part] |= set(file[part]) | set(file[part].attrs)
        assert set(file) - {"names"} == {"progress", "samples", "results", "sites"}, set(file)
        if name == "files":
            assert file["samples/name"].asstr()[:].tolist() == sorted(f"{'odd' if i % 2 else 'even'}/{i}.png" for i in range(n))
            assert file["names/class"].asstr()[:].tolist() == ["even", "odd"] and (file["samples/label"][:] == ([0] * 10 + [1] * 10)).all()
            assert file.attrs["files_unknown"] == file.attrs["files_unreadable"] == 1
            left_out = file.attrs["files_left_out"].split("\n")
            assert left_out[0] == "odd/notes.txt" and "odd/broken.png: the PNG image is cut short" in left_out[1], left_out
        if name == "words":
            text = dict(zip(file["names/token_id"][:], file["names/token"].asstr()[:]))
            said = "".join(text[i] for i in file["samples/words"][:].ravel())
            assert gzip.open("datasets/shakespeare/shakespeare.txt.gz").read().decode().startswith(said) and len(said) == file["samples/words"].size
            assert file["samples/judged"][:].tolist() == [file["samples/words"].shape[1] - 1] * 3
            assert set(file["sites/001/kind"][:]) == {3}
            continue
        samples = file["samples/id"][()]
        assert file["progress/samples_committed"][0] == file.attrs["samples"] == len(samples)
        for site in file["sites"].values():
            seen["sites"] |= (set(site) | set(site.attrs)) - {"sketch"}
            seen["sketch"] |= set(site.get("sketch", []))
            x, y, c, t = site["input"][()], site["output"][()], site.attrs["channels"], site.attrs["positions"]
            assert x.shape == y.shape and x.shape[1] == c and x.dtype == ("f2" if name == "half" else "f4")
            assert site["input"].attrs["unit"] == "x" and site["output"].attrs["unit"] == "1"
            if name == "sampled":
                assert len(x) == 100 and site["rows_before"][()].tolist()[-1] == 100
                pairs = set(zip(site["sample"][()], site["position"][()]))
                assert len(pairs) == 100
                reference = full[site.attrs["index"]]
                for r in range(0, 100, 7):
                    at = site["sample"][r] * t + site["position"][r]
                    assert np.abs(x[r] - reference[at]).max() <= 2e-6 * np.abs(reference[at]).max(), (name, r)
            else:
                assert np.array_equal(site["sample"][()], np.repeat(samples, t)), name
                assert np.array_equal(site["position"][()], np.tile(np.arange(t), len(samples))), name
                assert set(site["kind"][()]) <= {0, 1}, name
            kind = site.attrs["kind"]
            if kind == "layernorm":
                wanted, most = layernorm(x, site.attrs["eps"]), np.sqrt(c - 1)
            else:
                wanted, most = np.tanh(site["alpha"][0].astype("f8") * x), 1
            # float16: x itself is rounded to 11 bits, and y amplifies that by 1/sigma
            scale = 1 if name != "half" else np.abs(x.astype("f8")).max() / x.astype("f8").std(1).min()
            assert np.abs(wanted - y).max() <= (2e-6 if name != "half" else 2.0**-11 * scale) * max(1, np.abs(wanted).max()), (name, kind)
            assert np.abs(wanted).max() <= most
        if name == "all":
            full = {s.attrs["index"]: s["input"][()] for s in file["sites"].values()}
            assert np.array_equal(samples, np.arange(n))
            digest = hashlib.sha256(open(model + "/model.safetensors", "rb").read()).hexdigest()
            assert file.attrs["model_sha256"] == digest
            labels = np.frombuffer(gzip.open(f"datasets/{data}/t10k-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)[:n]
            assert np.array_equal(file["samples/label"][()], labels)
            assert " -n 20 -o " in file.attrs["command_line"]

# Token types.
np.save(f"{tmp}/few.npy", np.ones((2, 4), int))
run("dump", "tests/golden/words/bert", f"{tmp}/few.npy", "--types", f"{tmp}/few.npy", "-o", f"{tmp}/types.h5")
with h5py.File(f"{tmp}/types.h5", "r") as file:
    seen["root"] |= set(file.attrs)

# Norms of queries and keys, of which a token has several rows.
np.save(f"{tmp}/ids.npy", np.arange(1, 25).reshape(3, 8))
run("dump", "tests/golden/words/qwen3", f"{tmp}/ids.npy", "--sample-rows", "20", "-o", f"{tmp}/heads.h5")
with h5py.File(f"{tmp}/heads.h5", "r") as file:
    for site in file["sites"].values():
        seen["sites"] |= set(site) | set(site.attrs)

run("merge", f"{tmp}/all.h5", "--link", "-o", f"{tmp}/linked.h5")
with h5py.File(f"{tmp}/linked.h5", "r") as file:
    seen["sources"] = set(file["sources/000001"].attrs)
    seen["root"] |= set(file.attrs)
undocumented = {k: seen[k] - named[k] for k in seen if seen[k] - named[k]}
assert not undocumented, f"docs/run-format.md does not name {undocumented}"
# What these runs have no example of: layers that the C tests of the store write, and texts that are cut (tests/cli/test_text.py).
absent = {k: named[k] - seen[k] - {"shift", "mean", "variance", "samples_cut"} for k in seen}
assert not any(absent.values()), f"docs/run-format.md names what is not there: {absent}"

# --dry-run's bytes a site, against the datasets.
said = run("dump", model, data, "-n", str(n), "--dry-run", "--format", "tsv")
rows = [line.split("\t") for line in said.splitlines() if not line.startswith("#")]
column = rows[0].index("bytes")
with h5py.File(f"{tmp}/all.h5", "r") as file:
    for row in rows[1:]:
        site = file["sites/%03d" % int(row[0])]
        stored = sum(site[k].size * site[k].dtype.itemsize for k in ("input", "output", "sample", "position", "kind"))
        assert stored == int(row[column]), row

# A newer major version is refused by name.
shutil.copy(f"{tmp}/all.h5", f"{tmp}/newer.h5")
with h5py.File(f"{tmp}/newer.h5", "r+") as file:
    file.attrs["format_major"] = 2
said = run("info", f"{tmp}/newer.h5", status=3)
assert "format 2" in said and "up to 1" in said, said
sys.exit(0)
