"""Bad input at the program: its own message, which names the file, what was expected and what was found; exit status 3; and no file made."""
import gzip
import json
import os
import shutil
import struct
import subprocess
import zlib

import h5py
import numpy as np
from PIL import Image

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model, good = "datasets/vit-fmnist-layernorm", os.environ["TMP"] + "/good.h5"
failures = []


def run(*arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def refused(arguments, *parts, status=3):
    """The message has the parts in this order."""
    found, said = run(*arguments)
    at = 0
    for part in parts:
        place = said.find(part, at)
        if place < 0 or found != status:
            failures.append(f"{' '.join(arguments)}: status {found}, expected {status}; {part!r} expected in: {said}")
            return
        at = place


def dump(data, *parts, more=(), status=3):
    out = t + "/out.h5"
    refused(["dump", model, data, "-o", out, *more], *parts, status=status)
    if os.path.exists(out):
        failures.append(f"dump of {data} left a file")
        os.remove(out)


def write(name, data):
    path = f"{t}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(data if isinstance(data, bytes) else data.encode())
    return path


# Checkpoints.
weights = open(model + "/model.safetensors", "rb").read()
header = struct.unpack("<Q", weights[:8])[0]
for i, size in enumerate(np.linspace(0, len(weights) - 1, 24).astype(int)):
    refused(["list", write("cut.safetensors", weights[:size])], "cut.safetensors: ", "expected" if size < 8 or size > header + 8 else "promise", "found")
rng = np.random.default_rng(1)
for place in rng.integers(8, 8 + header, 24):
    flipped = bytearray(weights)
    flipped[place] ^= 1 << int(rng.integers(0, 7))
    status, said = run("list", write("flipped.safetensors", bytes(flipped)))
    # A flip in a name or in white space may leave a checkpoint that is still one, or one whose tensor is missing.
    if status not in (0, 3) or (status == 3 and "flipped.safetensors" not in said):
        failures.append(f"flip at {place}: status {status}: {said}")
config = json.load(open(model + "/config.json"))
shutil.copytree(model, t + "/model")
for change, parts in [({"depth": 9}, ["\"depth\": expected 8", "found 9"]), ({"embed_dim": 100}, ["\"embed_dim\": expected 96", "found 100"]),
                      ({"num_heads": 7}, ["num_heads", "found 7"]), ({"patch_size": 14}, ["patch_size", "found 14"]),
                      ({"act": "swish"}, ["act", "found", "swish"])]:
    write("model/config.json", json.dumps({**config, **change}))
    refused(["list", t + "/model"], "model/config.json: ", *parts)
write("model/config.json", '{"depth": 8,')
refused(["list", t + "/model"], "config.json: expected JSON", "line 1")
write("model/config.json", json.dumps(config))
os.remove(t + "/model/model.safetensors")
write("model/model.safetensors.index.json", json.dumps({"weight_map": {"cls_token": "lost.safetensors"}}))
refused(["list", t + "/model"], "lost.safetensors")
os.makedirs(t + "/empty")
refused(["list", t + "/empty"], "empty: expected model.safetensors", "found neither")
refused(["list", "README.md"], "README.md: expected a safetensors file, found text")
refused(["list", "/dev/null"], "/dev/null: expected a file, found")
refused(["list", write("zero", b"")], "zero: expected", "found 0")
refused(["list", t + "/nowhere"], "nowhere: cannot be opened: No such file")

# Data.
Image.new("L", (28, 28)).save(t + "/a.png")
dump(shutil.copy(t + "/a.png", t + "/renamed.npy"), "renamed.npy: expected a .npy file", "found a PNG image")
dump(t + "/empty", "empty: expected images", "found")
pixels = os.urandom(784 * 20)
dump(write("short-idx3-ubyte", struct.pack(">IIII", 0x803, 1000, 28, 28) + pixels), "short-idx3-ubyte: the IDX header promises 784000 values, the file holds 15680")
whole = gzip.compress(struct.pack(">IIII", 0x803, 20, 28, 28) + pixels)
dump(write("cut-idx3-ubyte.gz", whole[: len(whole) // 2]), "cut-idx3-ubyte.gz: expected a whole gzip file, found it cut short after")
dump("README.md", "README.md: expected", "found text")
dump("/dev/null", "/dev/null: expected a file, found")
dump("fashon-mnist", "fashon-mnist: no such file or folder", "near: fashion-mnist")
dump("fashion-mnist-1000", "5000 samples asked for, found 1000", more=["-n", "5000"])
for name, array, parts in [("shape", np.zeros((4, 3, 28, 28), "f4"), ["expected samples of 1 x 28 x 28", "found 3 x 28 x 28"]),
                           ("big", np.zeros((4, 1, 28, 28), ">f4"), ["little-endian", "found the type '>f4'"]),
                           ("fortran", np.asfortranarray(np.zeros((4, 1, 28, 28), "f4")), ["C order", "found Fortran order"]),
                           ("objects", np.array([{}], object), ["expected little-endian numbers", "found the type '|O'"]),
                           ("none", np.zeros((0, 1, 28, 28), "f4"), ["expected samples, found none"])]:
    np.save(f"{t}/{name}.npy", array, allow_pickle=True)
    dump(f"{t}/{name}.npy", f"{name}.npy: ", *parts)
for name, shape, parts in [("giant", "(9000000000000000000, 1, 28, 28)", ["overflows"]), ("negative", "(-4, 1, 28, 28)", ["expected a header", "found"]),
                           ("promise", "(4000, 1, 28, 28)", ["4000"])]:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    dump(write(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text), name + ".npy: ", *parts)
Image.fromarray(np.frombuffer(pixels, np.uint8)[: 64 * 64 * 3].reshape(64, 64, 3)).save(t + "/whole.jpg")
jpeg = open(t + "/whole.jpg", "rb").read()
dump(os.path.dirname(write("cut-jpeg/a.jpg", jpeg[: len(jpeg) // 2])), "a.jpg: damaged JPEG image")
png = open(t + "/a.png", "rb").read()
dump(os.path.dirname(write("cut-png/a.png", png[: len(png) - 30])), "a.png: the PNG image is cut short")
dump(os.path.dirname(write("text/a.png", "no image")), "a.png: expected a PNG or JPEG image, found text")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


vast = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
dump(os.path.dirname(write("vast/a.png", vast)), "a.png: ", "pixels")
dump("fashion-mnist-1000", "labels.txt: expected 1000 labels", "found 2", more=["--labels", write("labels.txt", "1\n2\n")])

# Sites and files of runs.
assert run("dump", model, "fashion-mnist-1000", "-n", "4", "-o", good)[0] == 0
dump("fashion-mnist-1000", "--layers: expected numbers between 1 and 17, found 18", more=["-l", "18"])
dump("fashion-mnist-1000", "'bloks.*' matches none of the 17 sites; near: blocks.0", more=["-s", "bloks.*"])
with h5py.File(t + "/other.h5", "w") as file:
    file["x"] = [1]
data = open(good, "rb").read()
bad = {"other.h5": "an HDF5 file of another program", "none.h5": "cannot be opened: No such file", "empty": "expected a file, found a folder",
       os.path.basename(write("cut.h5", data[: len(data) // 2])): "damaged HDF5 file", os.path.basename(write("zero.h5", b"")): "expected an HDF5 file, found",
       os.path.basename(write("text.h5", "hello")): "expected an HDF5 file, found"}
for command in (["info"], ["verify"], ["stats"], ["fit"], ["plot", "scurve", "-o", t + "/f.pdf"]):
    refused([*command, good, "-s", "bloks.*"] if command[0] not in ("info", "verify") else [*command, t + "/nix"], "near: blocks.0" if command[0] not in ("info", "verify") else "nix: ")
    for name, message in bad.items():
        refused([*command, f"{t}/{name}"], f"{t}/{name}: ", message)

# Outputs.
for place, message in [(t + "/empty", "expected the name of a file to write, found a folder"), (t + "/nowhere/x.h5", "cannot be written: No such file"),
                       (t + "/a.png/x.h5", "cannot be written: Not a directory"), ("/proc/x.h5", "cannot be written")]:
    refused(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", place], place + ": ", message)
refused(["plot", "scurve", good, "-o", t + "/nowhere/x.pdf"], "nowhere/x.pdf: ")
# No write permission; root needs another user to be refused.
os.makedirs(t + "/locked")
os.chmod(t + "/locked", 0o555)
as_nobody = []
if os.geteuid() == 0:
    as_nobody = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--regid=65534", "--clear-groups"]
    os.chmod(t, 0o755)
    os.chmod(os.path.dirname(t), 0o755)
if subprocess.run([*as_nobody, program, "list", model], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
    done = subprocess.run([*as_nobody, program, "dump", model, "fashion-mnist-1000", "-n", "4", "-o", t + "/locked/x.h5"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 3 or "locked/x.h5: cannot be written: Permission denied" not in done.stdout:
        failures.append(f"no permission: {done.returncode}: {done.stdout}")
else:
    print("no write permission: left out, another user cannot run the program here")
assert not failures, "\n".join(failures)
