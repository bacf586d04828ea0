"""Norms of queries and keys (tests/golden/words/qwen3: 4 heads of queries, 2 of keys): a row is a head of a token, and it goes the way of
any other row through dump, resume, verify, stats, merge and the figures."""
import json
import os
import shutil
import struct
import subprocess

import h5py
import numpy as np

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
golden = "tests/golden/words/qwen3"
HEADS = {"query": 4, "key": 2}


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout}"
    return done.stdout


def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            a, b = entry["data_offsets"]
            yield name, np.frombuffer(data[8 + size + a : 8 + size + b], "<f4").reshape(entry["shape"])


def text(value):
    return value if isinstance(value, str) else value.decode()


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


expected = dict(tensors(f"{golden}/expected.safetensors"))
mask = expected["mask"].astype(bool)
samples, length = mask.shape
ids = np.where(mask, expected["ids"], -1).astype(np.int32)
np.save(f"{t}/ids.npy", ids)


def dump(name, *more):
    run("dump", golden, f"{t}/ids.npy", "-o", f"{t}/{name}.h5", "-f", *more)
    return f"{t}/{name}.h5"


# Every row, against transformers; padding is that of the token; sample, position and head are in order.
whole = dump("whole", "-b", "1", "--mode", "both")
run("verify", whole)
seen = 0
with h5py.File(whole) as f:
    for site in f["sites"].values():
        heads = HEADS.get(text(site.attrs["role"]), 1)
        assert site.attrs.get("heads", 1) == heads and site.attrs["positions"] == length * heads
        assert ("head" in site) == (heads > 1)
        key = "%03d %s" % (site.attrs["index"], text(site.attrs["name"]))
        for which in ("input", "output"):
            assert relative(site[which][:].reshape(expected[f"{which}/{key}"].shape)[mask], expected[f"{which}/{key}"][mask]) < 1e-5, key
        assert np.array_equal(site["sample"][:], np.repeat(np.arange(samples), length * heads))
        assert np.array_equal(site["position"][:], np.tile(np.repeat(np.arange(length), heads), samples))
        assert np.array_equal(site["kind"][:] == 4, np.repeat(~mask.ravel(), heads))
        assert site["sketch/positions"].shape == (2, length, 5)
        counts = site["sketch/positions"][1][:, 0]
        assert np.array_equal(counts, mask.sum(0) * heads * site.attrs["channels"]), key
        if heads > 1:
            seen += 1
            assert site.attrs["channels"] == 16
            assert np.array_equal(site["head"][:], np.tile(np.arange(heads), samples * length))
assert seen == 4

# The first position is that of the token, in rows and in a sketch.
def stats(*more):
    table = json.loads(run("stats", whole, "--format", "json", *more))
    return {r["site"]: r for r in (table["rows"] if isinstance(table, dict) else table)}


from_rows, from_sketch = stats("--from", "rows"), stats("--from", "sketch")
for site, row in from_rows.items():
    for key in row:
        if "first" in key or key in ("rows", "padding"):
            a, b = row[key], from_sketch[site][key]
            assert a == b or abs(a - b) <= 1e-4 * abs(a), (site, key, a, b)
first = [k for k in from_rows[min(from_rows)] if "first" in k]
assert first, "stats says nothing of the first position"

# Sampled rows: each is that of the whole run, and no two are the same.
sampled = dump("sampled", "-b", "1", "--sample-rows", "25")
run("verify", sampled)
with h5py.File(sampled) as f, h5py.File(whole) as all_rows:
    slot = samples % 2
    for name, site in f["sites"].items():
        heads = int(site.attrs.get("heads", 1))
        sources = {"": ("sample", "position", "head"), "extreme_": ("extreme_sample", "extreme_position", "extreme_head")}
        for prefix, (s, p, h) in sources.items():
            pick = (lambda d: d[:]) if not prefix else (lambda d: d[slot])
            sample, position = pick(site[s]), pick(site[p])
            head = pick(site[h]) if heads > 1 else np.zeros_like(position)
            there = sample >= 0
            at = (sample * length + position) * heads + head
            rows = pick(site[prefix + "input"])
            assert np.array_equal(rows[there], all_rows["sites"][name]["input"][:][at[there]]), (name, prefix)
            if not prefix:
                assert len(set(at)) == min(25, samples * length * heads)

# An interrupted run goes on where it was.
for source in (whole, sampled):
    cut = shutil.copy(source, f"{t}/cut.h5")
    more = ["--mode", "both"] if source == whole else ["--sample-rows", "25"]
    with h5py.File(cut, "r+") as f:
        f["progress/samples_committed"][0] = 2
        for site in f["sites"].values():
            for k in ("input", "sample", "position", "head"):
                if k in site:
                    last = int(site["rows_before"][2]) if "rows_before" in site else 2 * site.attrs["positions"]
                    site[k][last:] = 77
    run("dump", golden, f"{t}/ids.npy", "-o", cut, "-b", "1", "--resume", *more)
    with h5py.File(cut) as f, h5py.File(source) as g:
        for name in g["sites"]:
            for k in ("input", "output", "sample", "position", "head"):
                if k in g["sites"][name]:
                    assert np.array_equal(f["sites"][name][k][:], g["sites"][name][k][:]), (source, name, k)

# Parts merged are the whole, copied, referred to and sampled.
def merged(name, of, *more, options=()):
    parts = [dump(f"{name}-{i}", "-b", "1", "--skip", str(i), "-n", "1", *of) for i in range(samples)]
    run("merge", *parts, "-o", f"{t}/{name}.h5", "-f", *options)
    return f"{t}/{name}.h5"


for name, of, options, source in (("copied", ["--mode", "both"], [], whole), ("linked", [], ["--link"], whole),
                                  ("picked", ["--sample-rows", "25"], [], sampled)):
    path = merged(name, of, options=options)
    run("verify", path)
    with h5py.File(path) as f, h5py.File(source) as g:
        for group in g["sites"]:
            for k in ("input", "output", "sample", "position", "head", "kind"):
                if k in g["sites"][group]:
                    a, b = f["sites"][group][k][:], g["sites"][group][k][:]
                    same = np.abs(a - b).max() <= 2e-6 * np.abs(b).max() if a.dtype.kind == "f" else np.array_equal(a, b)
                    assert same, (name, group, k)

# Fits and figures take such sites; tokens are named with their head.
assert len(run("fit", whole, "--format", "tsv").splitlines()) >= 9
for figure in (["scurve"], ["tokens", "-l", "2,3"], ["channels"], ["depth"], ["rows"]):
    run("plot", figure[0], whole, "-o", f"{t}/{figure[0]}.svg", "-f", *figure[1:])
    assert os.path.getsize(f"{t}/{figure[0]}.svg") > 1000
run("plot", "tokens", whole, "-o", f"{t}/tokens.svg", "-f", "-l", "2")
assert "sample:position:head" in open(f"{t}/tokens.svg").read()
run("plot", "scurve", sampled, "-o", f"{t}/sampled.svg", "-l", "2,3")
