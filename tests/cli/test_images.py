"""The same 40 images as IDX, as PNG with a list of labels, as PNG in class folders, as pixels and as tensors in .npy: the
stored rows are the same to the bit. And what preprocessor_config.json says about images is followed or refused."""
import gzip
import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
from PIL import Image

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
model, bundle, n = "datasets/vit-fmnist-layernorm", "datasets/fashion-mnist-1000", 40


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, "%s: status %d\n%s" % (" ".join(arguments), done.returncode, done.stdout)
    return done.stdout


def rows(path):
    with h5py.File(path) as file:
        sites = [k for k in file["sites"]]
        assert len(sites) == 17
        return {k: file["sites"][k]["input"][()] for k in sites}, dict(file.attrs)


pixels = np.frombuffer(gzip.open(bundle + "/t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 28, 28)[:n]
labels = np.frombuffer(gzip.open(bundle + "/t10k-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)[:n]
flat, classes = tmp + "/flat", tmp + "/classes"
os.mkdir(flat)
for i in range(n):
    os.makedirs("%s/%d" % (classes, labels[i]), exist_ok=True)
    name = "%s/%04d.png" % (flat, i)
    (Image.fromarray(pixels[i]).convert("RGB") if i % 2 else Image.fromarray(pixels[i])).save(name)
    shutil.copy(name, "%s/%d/" % (classes, labels[i]))
open(tmp + "/list.txt", "w").write("".join("%04d.png %d\n" % (i, labels[i]) for i in range(n)))
tensors = (pixels[:, None].astype("f4") / np.float32(255) - np.float32(0.286)) / np.float32(0.353)
np.save(tmp + "/tensors-images.npy", tensors)
np.save(tmp + "/tensors-labels.npy", labels.astype("i8"))
np.save(tmp + "/pixels.npy", pixels[:, None])
np.save(tmp + "/grey.npy", pixels)

whole = ["--resize", "28"]  # timm's default would enlarge to 31 and cut
one = run("dump", model, "fashion-mnist-1000", "-n", str(n), "-o", tmp + "/idx.h5")
accuracy = [line for line in one.splitlines() if "top-1" in line]
assert accuracy, one
reference, attributes = rows(tmp + "/idx.h5")
assert attributes["data_path"] == "fashion-mnist-1000", attributes["data_path"]
assert attributes["preprocessing"] == "mean 0.286, std 0.353", attributes["preprocessing"]
cases = {
    "flat": [flat, "--labels", tmp + "/list.txt", *whole],
    "tensors": [tmp + "/tensors-images.npy"],
    "pixels": [tmp + "/pixels.npy", "--labels", tmp + "/tensors-labels.npy"],
    "grey": [tmp + "/grey.npy", "--labels", tmp + "/list-numbers.txt"],
}
open(tmp + "/list-numbers.txt", "w").write("".join("%d\n" % v for v in labels))
for name, arguments in cases.items():
    said = run("dump", model, *arguments, "-o", "%s/%s.h5" % (tmp, name))
    assert accuracy[0] in said, name + "\n" + said
    found, attributes = rows("%s/%s.h5" % (tmp, name))
    for site in reference:
        assert np.array_equal(reference[site], found[site]), (name, site)
    assert attributes["data_path"] == arguments[0]
    assert len(attributes["data_sha256"]) == 64
    run("verify", "%s/%s.h5" % (tmp, name))

# Class folders come class by class; each image's rows are the same, up to the last bits: another place in a batch may meet
# another edge of the matrix product's tiles, which depends on the processor.
said = run("dump", model, classes, *whole, "-o", tmp + "/classes.h5")
assert accuracy[0] in said, said
found, attributes = rows(tmp + "/classes.h5")
assert attributes["preprocessing"] == "shorter side 28 bicubic, centre 28 x 28, mean 0.286, std 0.353", attributes["preprocessing"]
order = sorted(range(n), key=lambda i: (str(labels[i]), i))
for site in reference:
    by_image = reference[site].reshape(n, -1, 96)
    assert np.abs(by_image[order].reshape(-1, 96) - found[site]).max() <= 2e-6 * np.abs(found[site]).max(), site
stretched = run("dump", model, classes, "--fit", "stretch", "--interpolation", "bilinear", "--mean", "0", "--std", "1", "-o", tmp + "/s.h5")
assert rows(tmp + "/s.h5")[1]["preprocessing"] == "stretched to 31 x 31 bilinear, centre 28 x 28, mean 0, std 1"
assert "--resize: expected at least 28" in run("dump", model, classes, "--resize", "20", "-o", tmp + "/x.h5", status=2)
assert "--std: expected positive" in run("dump", model, classes, "--std", "0", "-o", tmp + "/x.h5", status=2)
assert "--mean: expected 1 number" in run("dump", model, classes, "--mean", "0,0,0", "-o", tmp + "/x.h5", status=2)
shutil.copy(flat + "/0001.png", flat + "/0050.png")
assert "none for 0050.png" in run("dump", model, flat, "--labels", tmp + "/list.txt", "-o", tmp + "/x.h5", status=3)
assert not os.path.exists(tmp + "/x.h5")

# preprocessor_config.json goes before config.json and the scheme's defaults.
copied = tmp + "/model"
shutil.copytree(model, copied)


def listed(status=0, **config):
    json.dump(config, open(copied + "/preprocessor_config.json", "w"))
    out = run("list", copied, status=status)
    return out if status else {line[:15].strip(): line[15:34].strip() for line in out.splitlines()}


def expect(facts, **wanted):
    for name, value in wanted.items():
        assert facts[name] == value, (name, value, facts)


expect(listed(), mean="0.5", std="0.5", resize="28 x 28", interpolation="bilinear")
expect(listed(image_mean=[0.25], image_std=[2], size=28, resample=3), mean="0.25", std="2", interpolation="bicubic")
expect(listed(do_normalize=False, image_mean=[0.25]), mean="0", std="1")
expect(listed(size={"height": 32, "width": 32}, do_center_crop=True, crop_size=28), resize="32 x 32")
expect(listed(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}), resize="shorter side 32")
expect(listed(image_processor_type="DeiTImageProcessor"), interpolation="bicubic")
expect(listed(do_resize=False), resize="none")
for wrong, message in [
    ({"image_mean": [1, 2, 3]}, "\"image_mean\": expected a list with one number a channel, found [1,2,3]"),
    ({"image_std": [0]}, "\"image_std\": expected positive numbers"),
    ({"image_std": ["a"]}, "\"image_std\": expected positive numbers"),
    ({"size": 224}, "\"size\": expected images of 28 x 28 in the end, as the tensors have it, found 224"),
    ({"size": {"height": 28, "width": 30}}, "\"size\": expected one length in pixels"),
    ({"size": 32, "do_center_crop": True, "crop_size": 30}, "\"crop_size\": expected images of 28 x 28"),
    ({"size": {"shortest_edge": 28}}, "\"size\": expected images of 28 x 28"),
    ({"resample": 1}, "\"resample\": expected 2 (bilinear) or 3 (bicubic), found 1"),
    ({"do_rescale": False}, "\"do_rescale\": expected true, found false"),
    ({"rescale_factor": 1}, "\"rescale_factor\": expected 1/255, found 1"),
]:
    said = listed(status=3, **wrong)
    assert copied + "/preprocessor_config.json: " + message in said, said
sys.exit(0)
