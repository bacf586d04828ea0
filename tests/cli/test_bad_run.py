"""Runs' files that are damaged, of another program or make no sense, sites that are not there, and places that cannot be written: the
message names the file, what was expected and what was found; exit status 3; nothing that was there is gone."""
import os
import shutil
import stat
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import stores
from refusals import accepted, as_nobody, done, dump, fail, model, refused, run, t, write

good = t + "/good.h5"
figure = t + "/figure.pdf"
COMMANDS = (["info"], ["verify"], ["stats"], ["fit"], ["plot", "scurve", "-o", figure], ["merge", "-o", t + "/merged.h5"])
accepted(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", good])

# Sites.
dump("fashion-mnist-1000", "--layers: expected numbers between 1 and 17, found 18", more=["-l", "18"])
dump("fashion-mnist-1000", "--layers: expected numbers like 5,15,20-25, found '3-'", more=["-l", "3-"], status=2)
dump("fashion-mnist-1000", "--select 'bloks.*' matches none of the 17 sites; near: blocks.0", "the first is blocks.0.norm1, the last norm", more=["-s", "bloks.*"])
dump("fashion-mnist-1000", "the selection leaves none of the 17 sites", more=["-s", "norm", "-x", "norm"])
for command in (["stats"], ["fit"], ["plot", "scurve", "-o", figure]):
    refused([*command, good, "-s", "bloks.*"], f"{good}: --select 'bloks.*' matches none of the 17 sites; near: blocks.0")

# What is no run's file.
data = open(good, "rb").read()
with h5py.File(t + "/other.h5", "w") as file:
    file["x"] = [1]
os.makedirs(t + "/empty")
os.mkfifo(t + "/pipe")
bad = [(t + "/other.h5", "an HDF5 file of another program: expected the attribute format = normscope, found none"), (t + "/nowhere.h5", "cannot be opened: No such file"),
       (t + "/empty", "expected a file, found a folder"), (t + "/pipe", "expected a file, found a pipe"), ("/dev/null", "expected a file, found a device"),
       (write("half.h5", data[: len(data) // 2]), "a damaged HDF5 file"), (write("last.h5", data[:-1]), "a damaged HDF5 file"),
       (write("zero.h5", b""), "expected an HDF5 file, found something else (0 bytes)"), (write("text.h5", "hello"), "expected an HDF5 file, found"),
       (model + "/model.safetensors", "expected an HDF5 file, found"),
       ("datasets/runs/vit-dyt", "a training run, expected the file of a run of normscope dump"), ("datasets/runs/vit-dyt/training.h5", "a training run, expected the file of a run")]
for command in COMMANDS:
    for path, message in bad:
        refused([*command, path], f"{path}: {message}")
for size in np.linspace(0, len(data) - 1, 24).astype(int):
    refused(["verify", write("cut.h5", data[:size])], "cut.h5: ", "HDF5 file")
refused(["stats", good, t + "/other.h5", t + "/zero.h5"], "these files could not be used:", "other.h5: an HDF5 file of another program", "zero.h5: expected an HDF5 file", prints=True, status=1)
refused(["list", good], "expected a checkpoint (safetensors", "found an HDF5 file; normscope info shows")
refused(["dump", good, "fashion-mnist-1000", "-o", t + "/x.h5"], "good.h5: expected a checkpoint (safetensors", "found an HDF5 file; normscope info shows")
dump(good, "good.h5: expected", "found an HDF5 file")

# Runs that HDF5 reads and that make no sense.
x = np.random.default_rng(0).standard_normal((10, 3, 8)).astype("f4")


def broken(name, change, **attributes):
    path = stores.write(f"{t}/{name}.h5", [{"x": x, "y": stores.layernorm(x)}], **attributes)
    with h5py.File(path, "a") as file:
        change(file, file["sites/001"])
    return path


def attribute(name, value):
    return lambda file, site: site.attrs.__setitem__(name, value)


def replaced(name, value):
    def change(file, site):
        del site[name]
        if value is not None:
            site[name] = value

    return change


def removed(name):
    return lambda file, site: file.__delitem__(name)


cases = [("newer", lambda f, s: f.attrs.__setitem__("format_major", 2), ["written in format 2, this program reads up to 1: use a newer one"]),
         ("major", lambda f, s: f.attrs.__setitem__("format_major", "one"), ["expected an attribute format_major from 1 on, found none"]),
         ("samples", lambda f, s: f.attrs.__setitem__("samples", -1), ["expected attributes samples and batch", "found -1 samples"]),
         ("bare", removed("sites/001"), ["expected sites in the group /sites, found none"]), ("sites", removed("sites"), ["expected a group /sites, found none"]), ("progress", removed("progress"), ["/progress/samples_committed: expected one number up to 10, found none"]),
         ("kind", attribute("kind", "softmax"), ["sites/001: ", "softmax"]), ("channels", attribute("channels", 7), ["sites/001/input: expected [rows, 7], found another shape"]),
         ("range", attribute("channels", 2**62), ["sites/001: index, channels or positions out of range"]), ("positions", attribute("positions", 4), ["expected 40 rows (10 samples of 4), found 30"]),
         ("input", replaced("input", None), ["sites/001: expected a dataset input, found none"]), ("text", replaced("input", "text"), ["sites/001/input: expected numbers, found another type"]),
         ("output", replaced("output", np.zeros((29, 8), "f4")), ["sites/001/output: its shape does not fit that of input"]),
         ("integers", replaced("input", np.zeros((30, 8), "i4")), ["sites/001/input: expected floating-point numbers"]),
         ("gamma", lambda f, s: s.__setitem__("gamma", np.zeros(7, "f4")), ["sites/001/gamma: expected 8 values, found 7"]),
         ("alpha", attribute("kind", "dyt"), ["sites/001: a dyt layer needs arrays that are not there"]),
         ("rows", lambda f, s: s.__setitem__("rows_before", np.array([0, 99] + [99] * 10)), ["sites/001/rows_before: expected at most 30 rows, found 99"]),
         ("twice", lambda f, s: f.copy("sites/001", "sites/002"), ["site 1 stands in it twice"])]
for name, change, parts in cases:
    path = broken(name, change)
    for command in COMMANDS:
        refused([*command, path], f"{path}: ", *parts)
path = stores.write(t + "/more.h5", [{"x": x, "y": x}], committed=11)
refused(["stats", path], "more.h5: /progress/samples_committed: expected one number up to 10, found a larger one")
path = broken("ids", removed("samples"))
refused(["verify", path], "ids.h5: /samples/id: HDF5 cannot read rows 0 to 10")

# Text out of a file reaches neither the terminal's control nor JSON as bytes that are none.
path = broken("controls", lambda f, s: s.attrs.__setitem__("name", np.bytes_(b"caf\xe9\x1b[31m\n")), created="now\x1b]0;title\x07")
for command in (["info", path], ["stats", path, "--format", "json"], ["fit", path, "--format", "tsv"], ["plot", "scurve", path, "-o", figure, "--force"]):
    status, out, said = run(*command)
    if status or "\x1b" in out + said or "caf??[31m?" not in out + "caf??[31m?" * (command[0] == "plot") or said.replace("\n", ""):
        fail(command, f"status {status}: {out}{said}")

# Resuming.
for path, message in bad[:1] + bad[2:9]:
    refused(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", path, "--resume"], path + ": ")
refused(["dump", model, "fashion-mnist-1000", "-n", "5", "-o", good, "--resume"], "good.h5: cannot be resumed: samples was 4 when it was begun, is 5 now")
if open(good, "rb").read() != data:
    fail(["dump", "--resume"], "changed a file that it refused")

# Outputs.
for place, message in [(t + "/empty", "expected the name of a file to write, found a folder"), (t + "/pipe", "expected the name of a file to write, found a pipe"),
                       (t + "/nowhere/x.h5", "cannot be written: No such file"), (good + "/x.h5", "cannot be written: Not a directory"), ("/proc/x.h5", "cannot be written"),
                       (t + "/" + "x" * 300 + ".h5", "cannot be written: File name too long")]:
    for more in ([], ["--force"]):
        refused(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", place, *more], place + ": ", message)
        refused(["merge", good, "-o", place, *more], place, message)
for place, message in [(t + "/nowhere/x.pdf", "cannot be written: No such file"), (good + "/x.png", "cannot be written: Not a directory"), ("/proc/x.svg", "cannot be written")]:
    refused(["plot", "scurve", good, "-o", place], place + ": ", message)
os.rename(t + "/pipe", t + "/pipe.pdf")
refused(["plot", "scurve", good, "-o", t + "/pipe.pdf", "--force"], "pipe.pdf: expected the name of a file to write, found a pipe")
if not stat.S_ISFIFO(os.stat(t + "/pipe.pdf").st_mode):
    fail(["plot"], "put a file into a pipe's place")

# No write permission; root needs another user to be refused.
os.makedirs(t + "/locked")
shutil.copy(good, t + "/locked/kept.h5")
os.chmod(t + "/locked", 0o555)
nobody = as_nobody()
if nobody is None:
    print("no write permission: left out, another user cannot run the program here")
else:
    refused(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", t + "/locked/x.h5"], "locked/x.h5: cannot be written: Permission denied", prefix=nobody)
    refused(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", t + "/locked/kept.h5", "--force"], "locked/kept.h5: cannot be written: Permission denied", prefix=nobody)
    refused(["dump", model, "fashion-mnist-1000", "-n", "4", "-o", t + "/locked/kept.h5", "--resume"], "locked/kept.h5: cannot be written: Permission denied", prefix=nobody)
    refused(["plot", "scurve", good, "-o", t + "/locked/x.pdf"], "locked/x.pdf: cannot be written: Permission denied", prefix=nobody)
    os.chmod(good, 0)
    refused(["stats", good], "good.h5: cannot be opened: Permission denied", prefix=nobody)
done()
