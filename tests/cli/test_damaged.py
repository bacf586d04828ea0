"""The guard before HDF5: files on which HDF5 1.10 itself crashes or never ends (tests/damaged), files that point outside themselves, and
files that another program has locked. Each is told by every command that reads it, with status 3, within a second of processor time."""
import fcntl
import gzip
import os
import resource
import shutil
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import stores
from refusals import accepted, done, fail, model, refused, run, t, write

figure = t + "/figure.pdf"
COMMANDS = (["info"], ["verify"], ["stats"], ["fit"], ["correlate"], ["plot", "scurve", "-o", figure], ["plot", "alpha", "-o", figure], ["plot", "training", "-o", figure],
            ["merge", "-o", t + "/merged.h5"], ["report", "-o", t + "/page.html"])


def everywhere(path, *parts, commands=COMMANDS):
    for command in commands:
        refused([*command, path], f"{path}: ", *parts)
    for made in (figure, t + "/merged.h5", t + "/page.html"):
        if os.path.exists(made):
            fail([path], f"made {made}")
            os.remove(made)


# Files that HDF5 does not survive.
for name in sorted(os.listdir("tests/damaged")):
    path = write(name[:-3], gzip.open(f"tests/damaged/{name}").read())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    everywhere(path, "a damaged HDF5 file (HDF5 c")  # cannot read, crashes, comes to no end
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(COMMANDS)
    if seconds > (5 if "NS_SANITIZED" in os.environ else 1):
        fail([path], f"{seconds:.2f} s of processor time a command")
    refused(["dump", model, "fashion-mnist-1000", "-n", "2", "--resume", "-o", path], f"{path}: a damaged HDF5 file (HDF5 c")
    refused(["correlate", path, "datasets/runs/vit-dyt"], f"{path}: a damaged", prints=True, status=1)  # the others are not lost by it

# Files that lead outside themselves: what they point to is named, and not opened.
x = np.random.default_rng(0).standard_normal((10, 3, 8)).astype("f4")
RUNS = COMMANDS[:4] + COMMANDS[5:6] + COMMANDS[8:]


def run_file(name, change=None, **more):
    path = stores.write(f"{t}/{name}.h5", [{"x": x, "y": stores.layernorm(x), **more}])
    if change:
        with h5py.File(path, "a") as file:
            change(file, file["sites/001"])
    return path


def replaced(name, **how):
    def change(file, site):
        values = site[name][()]
        del site[name]
        made = site.create_dataset(name, shape=values.shape, dtype=values.dtype, **how)
        if "external" not in how:
            made[...] = values

    return change


def viewed(source, dataset="/sites/001/input"):
    def change(file, site):
        layout = h5py.VirtualLayout(shape=(30, 8), dtype="f4")
        layout[:] = h5py.VirtualSource(source, dataset, shape=(30, 8))
        del site["input"]
        site.create_virtual_dataset("input", layout)

    return change


def named_source(source, **changed):
    def change(file, site):
        viewed(source)(file, site)
        state = os.stat(source)
        attributes = {"path": source, "bytes": state.st_size, "modified": state.st_mtime_ns, "sha256": "0" * 64, **changed}
        file.create_group("sources/000001").attrs.update(attributes)

    return change


def link(file, site):
    del file["sites/001"]
    file["sites/001"] = h5py.ExternalLink("/etc/hostname", "/secret")


good = run_file("good")
open(t + "/values.bin", "wb").write(x.tobytes())
outside = "expected a file that points to nothing outside itself"
everywhere(run_file("linked", link), "/sites/001 is a link to /secret of /etc/hostname, ", outside, commands=RUNS)
everywhere(run_file("stored", replaced("input", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])), "/sites/001/input keeps its values in /etc/hostname, ", outside, commands=RUNS)
everywhere(run_file("viewed", viewed(good)), f"/sites/001/input is a view of {good}, ", outside, commands=RUNS)
everywhere(run_file("itself", viewed(".")), "/sites/001/input is a view of ., ", outside, commands=RUNS)
everywhere(run_file("packed", replaced("input", chunks=(5, 8), scaleoffset=3)), "/sites/001/input is packed by the filter scaleoffset", "expected gzip, shuffle and fletcher32", commands=RUNS)
# A source that stands in `sources` is looked at as well: damaged, or a view again (here of itself).
path = write("source.h5", gzip.open("tests/damaged/crash-vlen.h5.gz").read())
refused(["stats", run_file("of-damaged", named_source(path))], f"{path}: a damaged HDF5 file")
path = run_file("circle", viewed(t + "/other.h5"))
refused(["stats", run_file("of-a-view", named_source(path))], f"{path}: /sites/001/input is a view of {t}/other.h5, ", outside)

# Inside the file, links and packed values are read as before.
kinds = {"softly": lambda f, s: (f.move("sites/001", "kept"), f.__setitem__("sites/001", h5py.SoftLink("/kept"))),
         "dangling": lambda f, s: f.__setitem__("nothing", h5py.SoftLink("/not/there")),
         "round": lambda f, s: f.__setitem__("circle", f["/"]),
         "gzipped": replaced("input", chunks=(5, 8), compression="gzip", shuffle=True, fletcher32=True)}
usual = run("stats", good, "--format", "tsv")
for name, change in kinds.items():
    path = run_file(name, change)
    found = run("stats", path, "--format", "tsv")
    if found[0] or found[1].replace(path, good) != usual[1]:
        fail(["stats", path], f"status {found[0]}: {found[1]}{found[2]}, expected {usual[1]}")

# Locked by another program, as HDF5 locks: said so, and read once it is free.
for path, command in ((good, ["stats"]), (t + "/training.h5", ["plot", "training", "-o", figure])):
    if path != good:
        shutil.copy("datasets/runs/vit-dyt/training.h5", path)
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused([*command, path], f"{path}: locked by another program", status=1)
    accepted([*command, path])
done()
