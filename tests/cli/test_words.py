"""Models of words over token ids: every integer type gives the same file, padding is marked, counted and in no statistic, and the loss and
accuracy of the next word are those that transformers has (tests/golden/words)."""
import json
import os
import re
import struct
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
from refusals import done, fail, refused, run, t, write

golden = "tests/golden/words/"


def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            a, b = entry["data_offsets"]
            yield name, np.frombuffer(data[8 + size + a : 8 + size + b], "<f4").reshape(entry["shape"])


def dump(model, ids, name, *more):
    np.save(f"{t}/{name}.npy", ids)
    status, out, said = run("dump", golden + model, f"{t}/{name}.npy", "-o", f"{t}/{name}.h5", "-f", *more)
    if status:
        fail(["dump", model, name], said)
    return out


def last(path):
    with h5py.File(path) as f:
        return f["sites"][sorted(f["sites"])[-1]]["output"][:]


for model in ("bert", "llama", "gpt2"):
    expected = dict(tensors(f"{golden}{model}/expected.safetensors"))
    mask = expected["mask"].astype(bool)
    ids = np.where(mask, expected["ids"], -100).astype(np.int64)
    more = ["--to-the-end"]
    if "types" in expected:
        np.save(f"{t}/types.npy", np.where(mask, expected["types"], -1).astype(np.int8))
        more += ["--types", f"{t}/types.npy"]
    out = dump(model, ids, model, *more)
    if "loss" in expected:
        loss, share = re.search(r"loss ([\d.]+) nats, top-1 accuracy ([\d.]+) %", out).groups()
        assert abs(float(loss) - expected["loss"][0]) < 1e-4 and abs(float(share) - 100 * expected["accuracy"][0]) < 0.01, out
    with h5py.File(f"{t}/{model}.h5") as f:
        for site in f["sites"].values():
            name = site.attrs["name"]
            name = name if isinstance(name, str) else name.decode()
            kind = site["kind"][:].reshape(mask.shape)
            assert (kind[~mask] == 4).all() and (kind[mask] == 3).all(), name
            key = [k for k in expected if k.startswith("input/") and k.endswith(" " + name)][0]
            x = site["input"][:].reshape(expected[key].shape)
            assert np.abs(x[mask] - expected[key][mask]).max() <= 1e-5 * np.abs(expected[key]).max(), name
    status, out, said = run("verify", f"{t}/{model}.h5")
    assert not status, said
    status, out, said = run("stats", f"{t}/{model}.h5", "--format", "json")
    first = json.loads(out)["rows"][0] if isinstance(json.loads(out), dict) else json.loads(out)[0]
    assert first["rows"] == int(mask.sum()), first
    # The type of the file's numbers changes nothing; unsigned ones have no padding.
    whole = expected["ids"].astype(np.int64)
    dump(model, whole, "wide", "-n", "1")
    wide = last(f"{t}/wide.h5")
    for kind in ("u1", "i2", "u2", "i4", "u4", "u8"):
        dump(model, whole.astype(kind), kind, "-n", "1")
        assert (last(f"{t}/{kind}.h5") == wide).all(), kind

np.save(f"{t}/large.npy", np.array([[1, 2], [3, 99]]))
refused(["dump", golden + "bert", f"{t}/large.npy", "-o", f"{t}/x.h5"], "large.npy: sample 1, word 1: expected one of the model's 99 words, found 99")
np.save(f"{t}/nothing.npy", np.array([[1, 2], [-1, -1]]))
refused(["dump", golden + "bert", f"{t}/nothing.npy", "-o", f"{t}/x.h5"], "nothing.npy: sample 1: expected words, found padding alone")
np.save(f"{t}/flat.npy", np.arange(9))
refused(["dump", golden + "bert", f"{t}/flat.npy", "-o", f"{t}/x.h5"], "flat.npy: expected token ids", "[samples, words]")
np.save(f"{t}/long.npy", np.ones((1, 33), int))
refused(["dump", golden + "bert", f"{t}/long.npy", "-o", f"{t}/x.h5"], "long.npy: expected samples of at most 32 words", "found 33")
np.save(f"{t}/floats.npy", np.ones((1, 3)))
refused(["dump", golden + "bert", f"{t}/floats.npy", "-o", f"{t}/x.h5"], "floats.npy: expected token ids", "found type f8")
# Token types are of the words' shape, of a model that has them, and so many.
np.save(f"{t}/three.npy", np.array([[1, 2, 3], [4, 5, 6]]))
np.save(f"{t}/zero.npy", np.zeros((2, 3), int))
for name, types, what in (("bert", np.ones((2, 2), int), "types.npy: expected token types of 2 samples of 3 words"), ("bert", np.full((2, 3), 2), "--types: "),
                          ("llama", np.zeros((2, 3), int), "expected a model with token types, found a LLaMA")):
    np.save(f"{t}/types.npy", types)
    refused(["dump", golden + name, f"{t}/three.npy", "--types", f"{t}/types.npy", "-o", f"{t}/x.h5"], what)
refused(["dump", golden + "bert", f"{t}/three.npy", "--types", write("types.txt", "0 0 0"), "-o", f"{t}/x.h5"], "--types: ")
np.save(f"{t}/types.npy", np.ones((2, 3), int))
for name in ("types", "zero"):
    status, out, said = run("dump", golden + "bert", f"{t}/three.npy", "--types", f"{t}/{name}.npy", "-o", f"{t}/{name}.h5", "-f")
    assert not status, said
run("dump", golden + "bert", f"{t}/three.npy", "-o", f"{t}/none.h5", "-f")
assert (last(f"{t}/zero.h5") == last(f"{t}/none.h5")).all() and (last(f"{t}/types.h5") != last(f"{t}/none.h5")).any()
refused(["dump", golden + "bert", f"{t}/three.npy", "--types", f"{t}/zero.npy", "-o", f"{t}/types.h5", "--resume"], "cannot be resumed: types_sha256")
done()
