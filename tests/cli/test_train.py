"""normscope train: every kind of norm from data to a checkpoint that dump reads; the same bits when resumed; what is watched against
NumPy; runs that cannot go on."""
import json
import os
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import interrupted

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
SMALL = ["--width", "16", "--depth", "2", "--heads", "2", "--patch", "7", "--batch", "20", "--data", "fashion-mnist-1000"]
KINDS = ["layernorm", "rmsnorm", "batchnorm", "dyt", "dyt-channel", "dyt-noalpha", "dyt-hardtanh", "dyt-sigmoid", "derf", "dyisru",
         "none", "fixup"]


def run(*words, status=0, threads="1"):
    done = subprocess.run([program, *words], capture_output=True, text=True, env=dict(environment, OMP_NUM_THREADS=threads))
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def train(folder, *words, **settings):
    return run("train", *SMALL, "-o", f"{tmp}/{folder}", *words, **settings)


def content(folder, name):
    with open(f"{tmp}/{folder}/{name}", "rb") as f:
        return f.read()


def tensors(folder, name):
    raw = content(folder, name)
    start = 8 + int.from_bytes(raw[:8], "little")
    return {key: np.frombuffer(raw[start + t["data_offsets"][0]:start + t["data_offsets"][1]], "<f4")
            for key, t in json.loads(raw[8:start]).items()}


def state(folder):
    return json.loads(content(folder, "train.json"))


# Each kind: the reference model finds the same norm at every site, and its accuracy over the test images is the trainer's.
for kind in KINDS:
    out = train(kind, "--norm", kind, "--epochs", "1", "--test", "fashion-mnist-1000", "--lr", "0.003")
    accuracy = out.splitlines()[-1].split()[2]
    dumped = run("dump", f"{tmp}/{kind}", "fashion-mnist-1000", "-o", f"{tmp}/{kind}.h5", "--to-the-end")
    assert f"top-1 accuracy: {accuracy} %" in dumped, (kind, out, dumped)
    with h5py.File(f"{tmp}/{kind}.h5") as h:
        assert len(h["sites"]) == 5 and {s.attrs["kind"] for s in h["sites"].values()} == {kind}, kind
    run("verify", f"{tmp}/{kind}.h5")

# It learns.
train("learns", "--norm", "dyt", "--epochs", "10", "--lr", "0.02", "--no-flip", "--crop-padding", "0", "--drop-path", "0")
epochs = state("learns")["epochs"]
assert epochs[-1]["accuracy"] > 0.5 > 0.3 > epochs[0]["accuracy"] and epochs[-1]["validation_accuracy"] > 0.5, epochs

# Interrupted in the middle of an epoch and resumed: the same bits as without. So with two threads.
for threads in ("1", "2"):
    words = ["--norm", "batchnorm", "--epochs", "5", "--watch-every", "17"]
    train("whole", *words, "--force", threads=threads)
    shutil.rmtree(f"{tmp}/parts", ignore_errors=True)
    status, said = interrupted.at_step(70, [program, "train", *SMALL, "-o", f"{tmp}/parts", *words], dict(environment, OMP_NUM_THREADS=threads))
    stopped = interrupted.check(f"{tmp}/parts", status, said, state("whole")["step"])
    assert stopped["step"] == 70 or "NS_SANITIZED" in os.environ, stopped["step"]
    assert "\"lr\"" in train("parts", *words, "--lr", "0.5", "--resume", status=3, threads=threads)
    train("parts", *words, "--resume", threads=threads)
    names = sorted(os.listdir(f"{tmp}/parts"))
    assert names == sorted(os.listdir(f"{tmp}/whole")), names
    for name in names:
        assert content("parts", name) == content("whole", name), (name, threads)
train("parts", *words, "--resume", threads="2")  # nothing is left to do

# Another seed is another run; the same one is the same.
for seed, folder in (("1", "seed-1"), ("1", "seed-1-again"), ("2", "seed-2")):
    train(folder, "--epochs", "1", "--seed", seed)
same = [content(f, "model.safetensors") for f in ("seed-1", "seed-1-again", "seed-2")]
assert same[0] == same[1] != same[2]

# What is watched, against NumPy on a dump of the same images: those of a shuffled order by seed 0, where none are held out.
for kind, alphas in (("dyt-channel", 16), ("layernorm", 0)):
    train("watch", "--norm", kind, "--epochs", "1", "--validation", "0", "--force", "--alpha-init", "0.8", "--alpha-init-attn", "1.5")
    run("dump", f"{tmp}/watch", "fashion-mnist-1000", "-o", f"{tmp}/watch.h5", "-n", "20", "--order", "shuffled", "--force")
    with h5py.File(f"{tmp}/watch/training.h5") as t, h5py.File(f"{tmp}/watch.h5") as d:
        assert list(t["watch/step"]) == [0, 50] and len(t["steps/loss"]) == 50
        first = t["watch/alpha"][0]
        assert np.allclose(first, [1.5, 0.8, 1.5, 0.8, 0.8]) if alphas else np.isnan(first).all()
        for i, site in enumerate(d["sites"].values()):
            x = site["input"][:].astype(float)
            rows = x.std(1)
            wanted = {"inverse_sigma": 1 / x.std(), "inverse_sigma_rows": 1 / np.median(rows), "largest": abs(x).max(),
                      "inverse_sigma_robust": 1 / (1.4826 * np.median(abs(x - np.median(x)))),
                      "row_sigma_5": np.quantile(rows, 0.05), "row_sigma_95": np.quantile(rows, 0.95)}
            if alphas:
                a = site["alpha"][:]
                wanted.update(alpha=a.mean(), alpha_least=a.min(), alpha_most=a.max(), saturated=(abs(x * a) > 2).mean())
                assert len(a) == alphas
            for name, value in wanted.items():
                found = t["watch"][name][1, i]
                assert abs(found - value) <= 0.01 * abs(value) + 1e-4, (kind, i, name, found, value)
            assert t["watch/gradient_norm"][1, i] > 0 and t["watch/names"][i].decode() == site.attrs["name"]

# Runs that cannot go on, or do not begin.
message = train("diverges", "--norm", "none", "--lr", "1000", "--clip", "0", "--warmup", "0", "--epochs", "3", status=1)
assert "is not finite" in message and "step" in message and ("began in the input of" in message or "began at" in message), message
kept = state("diverges")
assert all(np.isfinite(t).all() for name, t in tensors("diverges", kept["state"]).items() if not name.startswith("records."))
assert "--resume" in train("learns", status=1)
assert "nothing-there: expected a run to resume, found no train.json" in train("nothing-there", "--resume", status=3)
assert not os.path.lexists(f"{tmp}/nothing-there")
with open(f"{tmp}/a-file", "w") as f:
    f.write("no folder")
assert "a-file: expected a run to resume, found no train.json" in train("a-file", "--resume", status=3)
assert "a-file: expected a folder that can be made" in train("a-file", status=3)
# Two at once: the second is told, and the first is not disturbed; it would go on for minutes, and ends when it is interrupted.
first = subprocess.Popen([program, "train", *SMALL, "--epochs", "20000", "-o", f"{tmp}/busy"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, env=environment)
while not first.stdout.readline().startswith("    1"):
    assert first.poll() is None
assert "another process is training there" in train("busy", "--epochs", "20000", "--resume", status=1)
first.send_signal(signal.SIGINT)
said = first.communicate()[1]
assert interrupted.check(f"{tmp}/busy", first.returncode, said, 45 * 20000)["step"] >= 45
for words, status in ((["--norm", "layrnorm"], 2), (["--heads", "3"], 2), (["--patch", "5"], 2), (["--arch", "mamba"], 2),
                      (["--batch", "2000"], 3), (["--data", "fashion-mnist-100"], 3)):
    train("refused", *words, status=status)
run("train", "--data", "fashion-mnist-1000", status=2)
assert run("train", "-o", f"{tmp}/refused", status=2)
