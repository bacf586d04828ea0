"""Checkpoints in half precision, whose matrices stay so in memory, run as those of the same values in float32: every golden checkpoint of every
family, so that whoever looks at a layer's weights looks at packed ones too."""
import glob
import json
import os
import re
import shutil
import struct
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
from refusals import done, fail, run, t


def tensors(path):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, entry["dtype"], entry["shape"], data[8 + size + begin : 8 + size + end]


def write(folder, source, half):
    """half: F16 or BF16; None: the values that BF16 or F16 would have had, in float32."""
    header, body = {}, b""
    for name, dtype, shape, data in tensors(source):
        if dtype == "F32":
            a = np.frombuffer(data, "<f4")
            if len(name) % 2:
                short, wide = "BF16", (a.view("<u4") >> 16).astype("<u2")
                back = (wide.astype("<u4") << 16).view("<f4")
            else:
                short, wide = "F16", a.astype("<f2")
                back = wide.astype("<f4")
            dtype, data = (short, wide.tobytes()) if half else ("F32", back.tobytes())
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(folder)
    for extra in glob.glob(os.path.join(os.path.dirname(source), "*.json")):
        shutil.copy(extra, folder)
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)


def sites(model, data, to):
    status, _, said = run("dump", model, data, "-n", "2", "-o", to, "--force", "--to-the-end")
    if status:
        fail(["dump", model, data], said)
        return None
    with h5py.File(to) as f:
        return {name: site["input"][:] for name, site in f["sites"].items()}


def save_pixels(shape):
    np.save(f"{t}/data.npy", np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8))


compared = 0
for source in sorted(glob.glob("tests/golden/*/*/model.safetensors")):
    name = source.split("/")[2] + "-" + source.split("/")[3]
    expected = os.path.dirname(source) + "/expected.safetensors"
    if not os.path.exists(expected):
        continue
    given = {n: np.frombuffer(d, {"F32": "<f4", "I32": "<i4", "I64": "<i8"}[k]).reshape(s) for n, k, s, d in tensors(expected) if n in ("ids", "mask", "pixels")}
    if "ids" in given:
        np.save(f"{t}/data.npy", np.where(given["mask"].astype(bool) if "mask" in given else True, given["ids"], -1).astype(np.int64))
    elif "pixels" in given:
        save_pixels(given["pixels"].shape)
    else:
        continue
    write(f"{t}/{name}-half", source, True)
    write(f"{t}/{name}-wide", source, False)
    other = re.search(r"expected samples of (\d+) x (\d+) x (\d+) \(", run("dump", f"{t}/{name}-half", f"{t}/data.npy", "-o", f"{t}/half.h5", "--dry-run")[2])
    if other:  # the size that the checkpoint says, where the golden run had another
        save_pixels((2, *map(int, other.groups())))
    half, wide = (sites(f"{t}/{name}-{which}", f"{t}/data.npy", f"{t}/{which}.h5") for which in ("half", "wide"))
    if half is None or wide is None:
        continue
    compared += 1
    if half.keys() != wide.keys():
        fail([name], "other sites")
        continue
    for site in wide:
        apart = np.abs(half[site] - wide[site]).max() / max(np.abs(wide[site]).max(), 1e-30)
        if not apart < 1e-5:
            fail([name], f"{site}: {apart}")
if compared < 20:
    fail([], f"{compared} checkpoints compared, expected 20 or more")
print(compared, "checkpoints")
done()
