"""--backend gnuplot where something goes wrong: no gnuplot, an old or a poor one, one that fails, Ctrl-C. A message says what, and nothing is
left behind."""
import glob
import os
import signal
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, "tests/tools")
import stores

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
x = np.random.default_rng(3).standard_normal((20, 2, 8)).astype("f4")
run = stores.write(f"{tmp}/run.h5", [dict(x=x, y=stores.layernorm(x))])


def plot(path, name, *more, status=0, **environment):
    done = subprocess.run([program, "plot", "scurve", path, "-o", f"{tmp}/{name}", "--dpi", "100", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **environment})
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == status, f"{name} {more}: status {done.returncode}: {text}"
    return text


def fake(name, body):
    folder = f"{tmp}/fake-{name}"
    os.makedirs(folder)
    with open(f"{folder}/gnuplot", "w") as file:
        file.write("#!/bin/sh\n" + body)
    os.chmod(f"{folder}/gnuplot", 0o755)
    return f"{folder}:/usr/bin:/bin"


answer = "case \"$1\" in -e) echo '5.4 dumb pdfcairo pngcairo svg epscairo' >&2; exit 0;; esac\n"
os.makedirs(f"{tmp}/bad")
os.makedirs(f"{tmp}/no-programs")
for path, parts in ((f"{tmp}/no-programs", ("no gnuplot in PATH", "5.2")), (fake("old", "echo '4.6 pdfcairo' >&2\n"), ("5.2", "4.6")),
                    (fake("poor", "echo '5.4 dumb svg pdfcairo2' >&2\n"), ("pdfcairo", "terminal")), (fake("failing", answer + "echo 'line 3: oh no' >&2; exit 1\n"), ("oh no",)),
                    (fake("lazy", answer), ("did not write",)), (fake("killed", answer + "kill -9 $$\n"), ("signal 9",))):
    said = plot(run, "bad/f.pdf", "--backend", "gnuplot", status=1, PATH=path)
    assert all(part in said for part in parts), said
    assert not os.listdir(f"{tmp}/bad"), os.listdir(f"{tmp}/bad")
assert "no/such/f.pdf" in plot(run, "no/such/f.pdf", "--backend", "gnuplot", status=3)
assert ".pdf" in plot(run, "f.gif", "--backend", "gnuplot", status=2)
assert "control" in plot(run, "a\nb.pdf", "--backend", "gnuplot", status=2)

# Ctrl-C ends gnuplot too, at once.
slow = fake("slow", answer + f"echo $$ > {tmp}/pid; exec sleep 60\n")
process = subprocess.Popen([program, "plot", "scurve", run, "-o", f"{tmp}/bad/f.pdf", "--backend", "gnuplot"], env={**os.environ, "PATH": slow}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
end = time.time() + 60
while not (os.path.exists(f"{tmp}/pid") and open(f"{tmp}/pid").read().strip()) and time.time() < end:
    time.sleep(0.02)
process.send_signal(signal.SIGINT)
said = process.communicate(timeout=30)[0].decode()
assert process.returncode != 0 and "stopped" in said, (process.returncode, said)
pid = int(open(f"{tmp}/pid").read())
assert not os.path.exists(f"/proc/{pid}"), "gnuplot still runs"
assert not os.listdir(f"{tmp}/bad") and not glob.glob(f"{tmp}/*/.normscope-*")
