"""--force never costs what a command reads: an output that is one of the inputs, by its name, another spelling of it, a link or a hard link, is
refused (2) and the input is untouched. An output that cannot be written is told before anything is read."""
import os
import shutil
import subprocess
import sys

sys.stdout.reconfigure(line_buffering=True)
program, t = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
model, data = os.path.abspath("datasets/vit-fmnist-layernorm"), os.path.abspath("datasets/fashion-mnist-1000")
run_of_dyt = os.path.abspath("datasets/runs/vit-dyt")
os.environ["NORMSCOPE_DATA"] = os.path.abspath("datasets")
os.chdir(t)


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == status, (arguments, done.returncode, done.stderr)
    return done.stderr


def refused(path, *arguments):
    before = open(path, "rb").read()
    said = run(*arguments, "--force", status=2)
    assert "is read, so it cannot be what is written" in said, said
    assert open(path, "rb").read() == before, arguments
    return said


def listing():
    return sorted(os.listdir("."))


run("dump", model, "fashion-mnist-1000", "-n", "2", "-l", "1,2", "-o", "run.h5")
os.symlink("run.h5", "link.pdf")
os.symlink("run.h5", "link.html")
os.link("run.h5", "hard.h5")
shutil.copytree(run_of_dyt, "folder")
shutil.copytree(model, "model")
shutil.copytree(data, "images")
open("bench.tsv", "w").write("#text\t1\nnorm\tvalue\nlayernorm\t1\nrmsnorm\t2\n")
there = listing()

said = refused("run.h5", "plot", "scurve", "run.h5", "-o", "link.pdf")
assert "(it is run.h5)" in said, said
refused("run.h5", "plot", "scurve", "run.h5", "-o", "a.pdf", "--data", "./run.h5")
refused("bench.tsv", "plot", "sweep", "bench.tsv", "-o", "a.pdf", "--data", "bench.tsv")
refused("folder/training.h5", "plot", "training", "folder", "-o", "a.pdf", "--data", "folder/training.h5")
refused("run.h5", "report", "run.h5", "-o", "link.html")
refused("run.h5", "merge", "run.h5", "-o", "hard.h5")
for name in ("model.safetensors", "config.json"):
    refused("model/" + name, "dump", "model", "fashion-mnist-1000", "-n", "1", "-o", "model/" + name)
refused("folder/training.h5", "dump", "folder", "fashion-mnist-1000", "-n", "1", "-o", "folder/training.h5")
for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
    refused("images/" + name, "dump", "model", "images/t10k-images-idx3-ubyte.gz", "-n", "1", "-o", "images/" + name)
refused("model/model.safetensors", "dump", "model/model.safetensors", "fashion-mnist-1000", "-n", "1", "-o", "./model/model.safetensors")
assert listing() == there, listing()

assert "expected another file than -o" in run("plot", "scurve", "run.h5", "-o", "a.pdf", "--data", "a.pdf", status=2)
assert "ends in .html" in run("report", "run.h5", "-o", "report.pdf", status=2)

# Told before the run is read: here there is none to read.
open("there.pdf", "w").close()
for words, status, message in (
    (("plot", "scurve", "nothing.h5", "-o", "there.pdf"), 1, "there.pdf: exists already"),
    (("plot", "scurve", "nothing.h5", "-o", "a.pdf", "--data", "there.pdf"), 1, "there.pdf: exists already"),
    (("plot", "scurve", "nothing.h5", "-o", "none/a.pdf"), 3, "none/a.pdf: cannot be written: No such file or directory"),
    (("report", "nothing.h5", "-o", "none/a.html"), 3, "none/a.html: cannot be written: No such file or directory"),
    (("dump", "model", "fashion-mnist-1000", "-o", "none/a.h5"), 3, "none/a.h5: cannot be written: No such file or directory"),
):
    said = run(*words, status=status)
    assert message in said and "nothing.h5" not in said, said
# What may be overwritten is: a file beside the run's own.
run("dump", "folder", "fashion-mnist-1000", "-n", "1", "-l", "1", "-o", "folder/activations.h5")
run("dump", "folder", "fashion-mnist-1000", "-n", "2", "-l", "1", "-o", "folder/activations.h5", "--force")
run("plot", "training", "folder", "-o", "folder/training.pdf")
run("plot", "training", "folder", "-o", "folder/training.pdf", "--force")
