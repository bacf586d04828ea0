"""training.h5 against its page, docs/training-format.md, read by h5py with nothing of ours: every name, unit and shape, and the reverse."""
import os
import re
import subprocess

import h5py
import numpy as np

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"

page = open("docs/training-format.md", encoding="utf-8").read()
rows = {}  # section -> name -> (type and shape, unit)
for section in re.split(r"^## ", page, flags=re.M)[1:]:
    key = "root" if section.startswith("Root") else re.findall(r"`(\w+)`", section)[0]
    rows[key] = {}
    for line in section.split("\n"):
        if line.startswith("| `"):
            first, kind, *more = (cell.strip() for cell in line.strip("|").split("|"))
            names = re.findall(r"`(\w+)`", first)
            units = (more[0].split(", ") if key != "root" else [""]) * len(names)
            rows[key].update({name: (kind, unit) for name, unit in zip(names, units)})

for norm, more in (("dyt-channel", ["--watch-every", "2"]), ("rmsnorm", [])):
    done = subprocess.run([program, "train", "--norm", norm, "--data", "fashion-mnist-1000", "--validation", "900", "--epochs", "2", "-b", "32", "--width", "8", "--heads",
                           "2", "--depth", "2", "-o", f"{tmp}/{norm}", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    with h5py.File(f"{tmp}/{norm}/training.h5") as file:
        assert set(file) == {"steps", "epochs", "watch"} == set(rows) - {"root"}, set(file)
        assert set(file.attrs) == set(rows["root"]), set(file.attrs) ^ set(rows["root"])
        assert file.attrs["training_version"] == 1 and file.attrs["norm"] == norm
        sizes = {"S": len(file["steps/loss"]), "E": 2, "W": len(file["watch/step"]), "N": 5}
        assert sizes["S"] == 2 * file.attrs["steps_per_epoch"] == file.attrs["steps_in_all"] == 6
        for group in ("steps", "epochs", "watch"):
            assert set(file[group]) == set(rows[group]), set(file[group]) ^ set(rows[group])
            for name, dataset in file[group].items():
                kind, unit = rows[group][name]
                type_, shape = re.fullmatch(r"(\w+) \[(.*)\]", kind).groups()
                assert dataset.shape == tuple(sizes[s] for s in shape.split(", ")), (group, name, dataset.shape)
                assert dataset.dtype.kind == "S" if type_ == "text" else dataset.dtype == type_, (group, name, dataset.dtype)
                assert dataset.attrs.get("unit", "") == unit, (group, name, unit)
        assert [n.decode() for n in file["watch/names"]] == ["blocks.0.norm1", "blocks.0.norm2", "blocks.1.norm1", "blocks.1.norm2", "norm"]
        assert [n.decode() for n in file["watch/roles"]] == ["attention", "mlp", "attention", "mlp", "final"]
        assert file["watch/step"][()].tolist() == ([0, 2, 3, 4, 6] if "--watch-every" in more else [0, 3, 6])
        assert np.isnan(file["watch/alpha"][()]).all() == (norm == "rmsnorm")
