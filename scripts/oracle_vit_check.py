"""The large comparisons of the ViT with PyTorch. See oracle_vit.py; `make check-oracle` runs them."""
import json
import os
import re
import subprocess
import tempfile

import h5py
import numpy as np
import torch

import oracle_vit
import oracle_vit_models as models

SMALL, LARGE = 1e-5, 1e-4  # what agreement of a site means: largest difference over largest magnitude


class Report:
    def __init__(self):
        self.failed = 0

    def line(self, what, found, limit, good, where=""):
        self.failed += not good
        print(("%-44s %-16s %-16s %-6s %s" % (what, found, limit, "ok" if good else "FAILED", where)).rstrip(), flush=True)

    def sites(self, what, differences, limit):
        worst = max(differences, key=differences.get)
        self.line(what, "%.1e" % differences[worst], "at most %.0e" % limit, differences[worst] <= limit,
                  worst if len(differences) > 1 else "")


def apart(found, expected):
    """Largest difference over the largest magnitude; NaN counts as different."""
    expected = np.asarray(expected, dtype=np.float64)
    d = np.abs(np.asarray(found, dtype=np.float64).reshape(expected.shape) - expected)
    return float("inf") if np.isnan(d).any() else float(d.max() / np.abs(expected).max())


def forward(build, folder, pixels, temporary):
    """What the C model makes of pixels: logits (or None), {name: (x, y)}."""
    out = tempfile.mkdtemp(dir=temporary)
    np.ascontiguousarray(pixels, dtype="<f4").tofile(os.path.join(out, "pixels"))
    text = subprocess.run([os.path.join(build, "oracle-forward"), folder, os.path.join(out, "pixels"), str(len(pixels)), out],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    sites = {}
    for line in text.splitlines():
        index, name = line.split("\t")[:2]
        sites[name] = tuple(np.fromfile(os.path.join(out, "%03d.%s" % (int(index), t)), "<f4") for t in "xy")
    path = os.path.join(out, "logits")
    return np.fromfile(path, "<f4") if os.path.exists(path) else None, sites


def compare_with_torch(report, build, temporary, what, naming, settings, seed, samples, limit):
    model, c = models.build(naming, **settings)
    models.randomise(model, seed)
    pixels = torch.randn((samples, c["channels"], c["height"], c["image"]), generator=torch.Generator().manual_seed(seed))
    folder = tempfile.mkdtemp(dir=temporary)
    oracle_vit.write_safetensors(os.path.join(folder, "model.safetensors"), model.state_dict())
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(oracle_vit.config_of(naming, c), f)
    logits, sites = forward(build, folder, pixels.numpy(), temporary)
    os.remove(os.path.join(folder, "model.safetensors"))
    in_float, taps_float = models.run_with_taps(model, pixels)
    out, taps = models.run_with_taps(model.double(), pixels.double())
    if list(taps) != list(sites):
        report.line(what, "sites: %d" % len(sites), "%d" % len(taps), False)
        return
    x = {name: apart(sites[name][0], taps[name][0]) for name in taps}
    y = {name: apart(sites[name][1], taps[name][1]) for name in taps}
    report.sites("%s: input of %d sites" % (what, len(x)), x, limit)
    report.sites("%s: output of %d sites" % (what, len(y)), y, limit)
    if c["classes"]:
        report.sites("%s: logits" % what, {"logits": apart(logits, out)}, limit)
    own = max(apart(t, taps[name][i]) for name, pair in taps_float.items() for i, t in enumerate(pair))
    print("%-44s %.1e" % ("  PyTorch's own float32 against its float64", own))


def compare_with_taps(report, build, temporary, model, taps, data):
    """The recorded sites against a dump of the same four images, from the images on; and the logits."""
    name = os.path.basename(model)
    run = os.path.join(temporary, name + ".h5")
    subprocess.run([os.path.join(build, "normscope"), "dump", model, data, "-n", "4", "-o", run], check=True,
                   stdout=subprocess.DEVNULL)
    x, y = {}, {}
    with h5py.File(taps) as expected, h5py.File(run) as found:
        by_name = {}
        found.visititems(lambda path, o: by_name.update({o.attrs["name"]: o}) if "name" in o.attrs and "input" in o else None)
        for group, site in expected["sites"].items():
            path = group.split("_", 1)[1]
            key = path if path in by_name else path.encode()
            x[path] = apart(by_name[key]["input"], site["input"])
            y[path] = apart(by_name[key]["output"], site["output_before_affine"])
        report.line("%s: sites" % name, str(len(by_name)), str(len(x)), len(by_name) == len(x))
        report.sites("%s: input of %d sites" % (name, len(x)), x, SMALL)
        report.sites("%s: output of %d sites" % (name, len(y)), y, SMALL)
        logits = forward(build, model, expected["preprocessed"][:], temporary)[0]
        report.sites("%s: logits" % name, {"logits": apart(logits, expected["logits"])}, SMALL)


def compare_accuracy(report, build, temporary, model, data, percent):
    text = subprocess.run([os.path.join(build, "normscope"), "dump", model, data, "--layers", "1", "--sample-rows", "16",
                           "--to-the-end", "--batch", "100", "-o", os.path.join(temporary, "accuracy.h5"), "--force"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"top-1 accuracy: ([\d.]+) % \((\d+) of (\d+)\)", text)
    shown = "%s %% of %s" % (found.group(1), found.group(3)) if found else text.strip()
    report.line("%s: top-1" % os.path.basename(model), shown, "%s %% of 10000" % percent, shown == "%s %% of 10000" % percent)


TINY = dict(width=192, depth=12, heads=3, head_dim=64, hidden=768, patch=16, image=224, classes=1000)
BASE = dict(TINY, width=768, heads=12, hidden=3072)


def check(build, shared):
    report = Report()
    data = os.path.join(shared, "data")
    with tempfile.TemporaryDirectory() as temporary:
        if os.path.isdir(data):
            for name, few, many, percent in (
                    ("vit-fmnist-layernorm", "fashion-mnist-1000", "fashion-mnist", "86.82"),
                    ("vit-mnist-vitpytorch", *[os.path.join(data, "mnist", "t10k-images-idx3-ubyte.gz")] * 2, "97.21")):
                model = os.path.join(data, name)
                compare_with_taps(report, build, temporary, model, os.path.join(model, "taps.h5"), few)
                compare_accuracy(report, build, temporary, model, many, percent)
        else:
            print("%s is not there: the recorded runs and the accuracies are skipped (NS_SHARED names the folder)" % data)
        for seed, (name, (naming, settings)) in enumerate(oracle_vit.SMALL.items()):
            compare_with_torch(report, build, temporary, name, naming, settings, 500 + seed, 8, SMALL)
        for naming in ("timm", "huggingface", "vit-pytorch"):
            compare_with_torch(report, build, temporary, "ViT-Ti/16, " + naming, naming,
                               dict(TINY, eps=1e-5 if naming == "vit-pytorch" else 1e-6), 7, 2, LARGE)
        compare_with_torch(report, build, temporary, "ViT-B/16, torchvision", "torchvision", BASE, 8, 2, LARGE)
    print("%d of the comparisons failed" % report.failed if report.failed else "all agree")
    return 1 if report.failed else 0
