"""What is somebody else's stays: a file that a dump is writing, whatever would replace it; a checkpoint that stands where a run is to be trained; what
is put under a name while it is being written. Links lead to what is written. With and without files that need no name (O_TMPFILE)."""
import json
import os
import shutil
import subprocess
import time

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
model, bench = os.path.abspath("datasets/vit-fmnist-layernorm"), os.path.join(tmp, "bench.tsv")
inject = os.path.realpath(os.environ["BUILD"] + "/tools/inject.so")
os.environ["NORMSCOPE_DATA"] = os.path.abspath("datasets")
os.chdir(tmp)
SMALL = ["--data", "fashion-mnist-1000", "--norm", "dyt", "--width", "8", "--depth", "1", "--heads", "1", "--patch", "14", "--epochs", "2"]


def run(*words, status=0, env=None):
    done = subprocess.run([program, *words], capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def start(*words, wait_for):
    child = subprocess.Popen([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not os.path.exists(wait_for):
        assert child.poll() is None, child.communicate()[0]
        time.sleep(0.001)
    return child


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def a_running_dump():
    """Its name fits every command's output; then the run is whole all the same."""
    for name in ("run.pdf", "run.html", "run.h5"):
        child = start("dump", model, "fashion-mnist-1000", "-b", "2", "-o", name, wait_for=name)
        others = [("merge", "small.h5", "-o", name), ("dump", model, "fashion-mnist-1000", "-n", "1", "-o", name)]
        if name.endswith("pdf"):
            others += [("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", name), ("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", name, "--backend", "gnuplot"),
                       ("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", "other.pdf", "--data", name)]
        if name.endswith("html"):
            others += [("report", "small.h5", "-o", name)]
        os.symlink(name, "to-it.h5")
        for words in [*others, ("dump", model, "fashion-mnist-1000", "-n", "1", "-o", "to-it.h5")]:
            said = run(*words, "--force", status=1)
            assert child.poll() is None, "the dump ended before it could be disturbed"
            assert "is being written by another process" in said, (words, said)
        os.remove("to-it.h5")
        said = child.communicate()[0]
        assert child.returncode == 0, said
        run("verify", name)
        os.remove(name)
    assert not os.path.exists("other.pdf")


def a_run_that_is_replaced():
    """The rows would be nowhere, so that it is no success; and what was put there stays."""
    for found in ("another one", "none of that name"):
        child = start("dump", model, "fashion-mnist-1000", "-b", "4", "-o", "lost.h5", wait_for="lost.h5")
        if found == "another one":
            write("theirs.txt", "theirs")
            os.replace("theirs.txt", "lost.h5")
        else:
            os.remove("lost.h5")
        said = child.communicate()[0]
        assert child.returncode == 1 and f"lost.h5: expected the file that was written, found {found}" in said, said
        if found == "another one":
            assert read("lost.h5") == b"theirs"
            os.remove("lost.h5")


def links():
    os.mkdir("elsewhere")
    os.symlink("elsewhere/run.h5", "link.h5")
    os.symlink("nowhere/run.h5", "dangling.h5")
    for words in (("dump", model, "fashion-mnist-1000", "-n", "2", "-l", "1"), ("merge", "small.h5")):
        run(*words, "-o", "link.h5")
        run("verify", "elsewhere/run.h5")
        run(*words, "-o", "link.h5", status=1)
        run(*words, "-o", "link.h5", "--force")
        assert os.path.islink("link.h5") and os.listdir("elsewhere") == ["run.h5"]
        os.remove("elsewhere/run.h5")
        said = run(*words, "-o", "dangling.h5", "--force", status=3)
        assert "nowhere/run.h5" in said and os.path.islink("dangling.h5"), said
    os.symlink("elsewhere/figure.pdf", "figure.pdf")
    for backend in ("cairo", "gnuplot"):
        run("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", "figure.pdf", "--backend", backend)
        assert os.path.islink("figure.pdf") and read("elsewhere/figure.pdf").startswith(b"%PDF"), backend
        os.remove("elsewhere/figure.pdf")
    if os.path.isdir("/dev/shm") and os.stat("/dev/shm").st_dev != os.stat(".").st_dev:  # a rename does not reach there
        far = f"/dev/shm/normscope-test-{os.getpid()}.pdf"
        os.remove("figure.pdf"), os.remove("figure.pdf.gp")
        if os.path.exists("figure.pdf.dat"):
            os.remove("figure.pdf.dat")
        os.symlink(far, "figure.pdf")
        try:
            run("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", "figure.pdf", "--backend", "gnuplot")
            assert read(far).startswith(b"%PDF")
        finally:
            os.remove(far)


def checkpoints():
    """A folder that holds what train would write, of which no train.json tells."""
    for name in ("config.json", "model.safetensors", "training.h5"):
        os.mkdir("theirs")
        write(f"theirs/{name}", "theirs")
        said = run("train", *SMALL, "-o", "theirs", status=1)
        assert f"theirs: holds a {name}" in said and "--force" in said, said
        assert os.listdir("theirs") == [name] and read(f"theirs/{name}") == b"theirs"
        shutil.rmtree("theirs")
    shutil.copytree(model, "theirs")
    run("train", *SMALL, "-o", "theirs", "--force")
    run("dump", "theirs", "fashion-mnist-1000", "-n", "1", "-o", "trained.h5")
    assert "dyt" in run("info", "trained.h5")


def a_run_that_is_disturbed():
    """A file that comes under the name of one of the run's own ends it, and stays."""
    for name in ("model.safetensors", "training.h5", "train.json", "config.json"):
        child = start("train", *SMALL, "--epochs", "200", "-o", "mine", wait_for="mine/training.h5")
        while not json.load(open("mine/train.json"))["epochs"]:
            time.sleep(0.01)
        while child.poll() is None:  # again, where it came just as the run was writing its own
            if not os.path.exists(f"mine/{name}") or read(f"mine/{name}") != b"theirs":
                write("theirs.txt", "theirs")
                os.replace("theirs.txt", f"mine/{name}")
            time.sleep(0.01)
        said = child.communicate()[0]
        assert child.returncode == 1 and f"mine/{name}: expected the file that this run wrote, found another one" in said, (name, said)
        assert read(f"mine/{name}") == b"theirs"
        shutil.rmtree("mine")


def before_the_first_record():
    """A disk that is full then: the run can be gone on with, and is the one that would have been."""
    run("train", *SMALL, "-o", "whole", env={"OMP_NUM_THREADS": "1"})
    done = subprocess.run(["bash", "-c", f"ulimit -f 2; '{program}' train {' '.join(SMALL)} -o cut"], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 1 and "cut/model.safetensors: cannot be written" in done.stderr, done.stderr
    assert os.listdir("cut") == ["train.json"], os.listdir("cut")
    run("train", *SMALL, "-o", "cut", "--resume", env={"OMP_NUM_THREADS": "1"})
    assert read("cut/model.safetensors") == read("whole/model.safetensors")
    done = subprocess.run(["bash", "-c", f"ulimit -f 0; '{program}' train {' '.join(SMALL)} -o none"], capture_output=True, text=True)
    assert done.returncode == 1 and "none/train.json: cannot be written" in done.stderr and os.listdir("none") == [], done.stderr
    run("train", *SMALL, "-o", "none")


def without_nameless_files():
    """A name beside the output's then, which goes in the end; those of the dead go with it."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    write(f"named.pdf.part-{dead.pid}", "half a figure")
    for pid in (dead.pid, os.getpid()):
        os.mkdir(f".normscope-{pid}-abcdef")
        write(f".normscope-{pid}-abcdef/figure.pdf.gp", "half a script")
    run("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", "beside.pdf", "--backend", "gnuplot")
    assert [name for name in os.listdir(".") if name.startswith(".normscope-")] == [f".normscope-{os.getpid()}-abcdef"]
    named = {"LD_PRELOAD": inject, "INJECT_NAMED": "1"}
    run("plot", "sweep", bench, "-x", "norm", "-y", "value", "-o", "named.pdf", env=named)
    run("dump", model, "fashion-mnist-1000", "-n", "2", "-l", "1", "-o", "named.h5", env=named)
    run("merge", "named.h5", "-o", "merged.h5", env=named)
    run("merge", "named.h5", "-o", "merged.h5", env=named, status=1)
    run("merge", "named.h5", "-o", "merged.h5", "-f", env=named)
    run("verify", "merged.h5")
    assert [name for name in os.listdir(".") if ".part" in name] == []
    killed = {**named, "INJECT_PATH": "killed.h5", "INJECT_AT": "3", "INJECT_MODE": "kill"}
    run("dump", model, "fashion-mnist-1000", "-n", "2", "-l", "1", "-o", "killed.h5", env=killed, status=-9)
    assert any(name.startswith("killed.h5.part-") for name in os.listdir(".")) and not os.path.exists("killed.h5")
    run("dump", model, "fashion-mnist-1000", "-n", "2", "-l", "1", "-o", "killed.h5", env=named)
    assert [name for name in os.listdir(".") if ".part" in name] == []


write(bench, "#text\t1\nnorm\tvalue\nlayernorm\t1\nrmsnorm\t2\n")
run("dump", model, "fashion-mnist-1000", "-n", "2", "-l", "1", "-o", "small.h5")
a_running_dump()
a_run_that_is_replaced()
links()
checkpoints()
a_run_that_is_disturbed()
before_the_first_record()
if "NS_SANITIZED" not in os.environ:  # a preloaded library and the sanitizers' own do not go together
    without_nameless_files()
