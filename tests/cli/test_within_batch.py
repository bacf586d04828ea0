"""A run of one batch alone: its progress is seen, a signal ends it within a second, and what it leaves is valid and resumed. And --threads."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import h5py

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
job = ["dump", "datasets/vit-fmnist-layernorm", "fashion-mnist", "-n", "4000", "-b", "4000", "-j", "1", "-l", "1,17", "--to-the-end"]
slow = 20 if "NS_SANITIZED" in os.environ else 1


def run(*arguments, status=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, (arguments, done.returncode, done.stdout)
    return done.stdout


def progress():
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen([program, *job, "-o", f"{t}/whole.h5"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    seen = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    assert process.wait() == 0
    counts = [int(n) for n in re.findall(rb"dump: (\d+) of 4000 samples", seen)]
    assert len(set(counts)) > 2 and counts == sorted(counts) and 0 < counts[0] < 4000, counts


def stopped(*more):
    path = f"{t}/part.h5"
    if os.path.exists(path):
        os.remove(path)
    child = subprocess.Popen([program, *job, *more, "-o", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not os.path.exists(path):
        time.sleep(0.001)
    time.sleep(0.3)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    said = child.communicate()[0]
    spent = time.monotonic() - began
    assert child.returncode == 4 and "0 of 4000 samples are in" in said and "--resume" in said, (child.returncode, said)
    assert spent < 1 * slow, spent
    assert "0 of 4000 complete" in run("info", path)
    run(*job, *more, "-o", path, "--resume")
    run("verify", path)
    return path


def same(a, b):
    with h5py.File(a) as p, h5py.File(b) as q:
        for site in p["sites"]:
            for name in ("input", "output", "sample", "position"):
                assert (p[f"sites/{site}/{name}"][()] == q[f"sites/{site}/{name}"][()]).all(), (site, name)
        assert (p["samples/prediction"][()] == q["samples/prediction"][()]).all()


progress()
same(stopped(), f"{t}/whole.h5")
stopped("--mode", "both")

small = ["dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "40", "-o", f"{t}/small.h5", "-f"]
for threads in (1, 3):
    run(*small, "--threads", str(threads))
    with h5py.File(f"{t}/small.h5") as file:
        assert file.attrs["threads"] == threads and file.attrs["batch"] == 32, dict(file.attrs)
most = max(os.cpu_count(), 16)
assert f"warning: --threads asks for 1000; {most} are used" in run(*small, "-j", "1000")
assert "--threads" in run(*small, "-j", "0", status=2)
