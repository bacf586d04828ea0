"""What of a folder is not in the run: files whose names are not those of images are counted and named, and with --on-error skip the images that
cannot be read. What is left is what the same folder without them gives. And WebP is read as Pillow reads it, where libwebp is there."""
import gzip
import json
import os
import re
import subprocess

import h5py
import numpy as np
from PIL import Image

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model, n = "datasets/vit-fmnist-layernorm", 30
options = ["-l", "1,17", "--resize", "28", "--to-the-end"]
pixels = np.frombuffer(gzip.open("datasets/fashion-mnist-1000/t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 28, 28)[:n]


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, (arguments, done.returncode, done.stdout)
    return done.stdout


def rows(path):
    with h5py.File(path) as file:
        return {s: file[f"sites/{s}/input"][()] for s in file["sites"]}, file["samples/name"].asstr()[:].tolist(), dict(file.attrs)


for folder in ("clean", "mixed"):
    os.makedirs(f"{t}/{folder}")
for i in range(n):
    Image.fromarray(pixels[i]).save(f"{t}/mixed/{i:02}.png")
    if i not in (3, 17):
        Image.fromarray(pixels[i]).save(f"{t}/clean/{i:02}.png")
png = open(f"{t}/mixed/03.png", "rb").read()
open(f"{t}/mixed/03.png", "wb").write(png[: len(png) // 2])
open(f"{t}/mixed/17.png", "w").write("no image\n")
for name in ("photo.gif", "scan.tiff", "notes.txt"):
    open(f"{t}/mixed/{name}", "w").write("x")

# stop, the default, names the first; the file is not made.
said = run("dump", model, f"{t}/mixed", "-o", f"{t}/mixed.h5", *options, status=3)
assert "mixed/03.png" in said and not os.path.exists(f"{t}/mixed.h5"), said
os.symlink("/nowhere", f"{t}/mixed/zz.png")
assert "mixed/zz.png: cannot be read: " in run("dump", model, f"{t}/mixed", "-o", f"{t}/mixed.h5", *options, status=3)
run("dump", model, f"{t}/clean", "-o", f"{t}/clean.h5", *options)
said = run("dump", model, f"{t}/mixed", "-o", f"{t}/mixed.h5", "--on-error", "skip", *options)
assert re.search(r"left out: 3 samples that cannot be read:\n.*03\.png: .*cut short.*\n.*17\.png: expected a PNG, JPEG or WebP image, found text\n.*zz\.png: ", said), said
assert re.search(r"left out: 3 files that are no images by their names:\n  notes\.txt\n  photo\.gif\n  scan\.tiff\n", said), said
a, b = rows(f"{t}/mixed.h5"), rows(f"{t}/clean.h5")
assert a[1] == b[1] and all((a[0][s] == b[0][s]).all() for s in b[0])
assert a[2]["files_unknown"] == 3 and a[2]["files_unreadable"] == 3 and a[2]["files_left_out"].count("\n") == 5
assert a[2]["samples"] == n - 2 and "files_unknown" not in b[2]
info = run("info", f"{t}/mixed.h5")
assert "left out       3 files, no images by their names" in info and "left out       3 files, unreadable" in info, info
run("verify", f"{t}/mixed.h5")

# Parts count the places of the order, so that they stay apart; a resumed run leaves out the same.
for k, part in enumerate((["-n", "15"], ["--skip", "15"])):
    run("dump", model, f"{t}/mixed", "-o", f"{t}/part{k}.h5", "--on-error", "skip", *options, *part)
run("merge", f"{t}/part0.h5", f"{t}/part1.h5", "-o", f"{t}/merged.h5")
m = rows(f"{t}/merged.h5")
assert m[1] == b[1] and all(np.abs(m[0][s] - b[0][s]).max() <= 2e-6 * np.abs(b[0][s]).max() for s in b[0])
run("dump", model, f"{t}/mixed", "-o", f"{t}/mixed.h5", "--on-error", "skip", *options, "--resume")
os.makedirs(f"{t}/bad")
open(f"{t}/bad/a.png", "w").write("no image\n")
said = run("dump", model, f"{t}/bad", "-o", f"{t}/bad.h5", "--on-error", "skip", status=3)
assert "none of 1 samples can be read" in said and "a.png" in said, said

# WebP: as the same pixels in PNG. What Pillow's own decoder makes of it is the reference, lossy with alpha included.
rng = np.random.default_rng(0)
picture = np.kron(rng.integers(0, 256, (8, 8, 4), dtype=np.uint8), np.ones((5, 5, 1), np.uint8))
os.makedirs(f"{t}/webp")
os.makedirs(f"{t}/png")
for name, image, more in (("lossless", picture[..., :3], {"lossless": True}), ("lossy", picture[..., :3], {"quality": 60}), ("alpha", picture, {"quality": 80})):
    Image.fromarray(image).save(f"{t}/webp/{name}.webp", **more)
    read = np.array(Image.open(f"{t}/webp/{name}.webp"))[..., :3]
    Image.fromarray(read).save(f"{t}/png/{name}.png")
if "libwebp" not in run("version"):
    assert "expected images" in run("dump", model, f"{t}/webp", "-o", f"{t}/webp.h5", status=3)
else:
    for kind in ("webp", "png"):
        run("dump", model, f"{t}/{kind}", "-o", f"{t}/{kind}.h5", *options)
    x, y = rows(f"{t}/webp.h5"), rows(f"{t}/png.h5")
    assert all((x[0][s] == y[0][s]).all() for s in y[0]) and len(x[1]) == 3
    frames = [Image.fromarray(picture[..., k : k + 3]) for k in (0, 1)]
    frames[0].save(f"{t}/webp/moving.webp", save_all=True, append_images=frames[1:])
    assert "found a WebP animation" in run("dump", model, f"{t}/webp", "-o", f"{t}/webp.h5", "-f", status=3)
    data = open(f"{t}/webp/lossy.webp", "rb").read()
    for size in (11, 20, len(data) // 2, len(data) - 1):
        os.makedirs(f"{t}/cut{size}")
        open(f"{t}/cut{size}/a.webp", "wb").write(data[:size])
        said = run("dump", model, f"{t}/cut{size}", "-o", f"{t}/cut.h5", *options, status=3)
        assert "a.webp" in said and not os.path.exists(f"{t}/cut.h5"), said
