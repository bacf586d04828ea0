"""What a run's folder holds when things go wrong: runs beside it, a network that diverges, another test set, a newer file."""
import json
import os
import re
import signal
import subprocess

import numpy as np

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
SMALL = ["--data", "fashion-mnist-1000", "--norm", "dyt", "--width", "8", "--depth", "1", "--heads", "1", "--patch", "14", "--epochs", "1"]
WILD = ["--data", "fashion-mnist-1000", "--norm", "none", "--width", "16", "--depth", "3", "--heads", "2", "--lr", "1000", "--init-std", "5", "--clip", "0",
        "--warmup", "0", "--batch", "900"]


def train(folder, *words, status=0, threads="1"):
    done = subprocess.run([program, "train", *words, "-o", f"{tmp}/{folder}"], capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS=threads))
    assert done.returncode == status, (words, done.returncode, done.stderr)
    return done.stdout + done.stderr


def read(folder):
    with open(f"{tmp}/{folder}/train.json") as f:
        return json.load(f)


def states(folder):
    return sorted(name for name in os.listdir(f"{tmp}/{folder}") if name.startswith("state-"))


# A folder's name is a name, whatever it means to a shell; only the run's own old states go.
train("r1", *SMALL)
beside = states("r1")
with open(f"{tmp}/r1/state-of-the-art.safetensors", "w") as f:
    f.write("a user's own")
for _ in range(2):
    train("r[1]", *SMALL, "--batch", "100", "--force")
assert states("r[1]") == [read("r[1]")["state"]] and states("r1") == sorted([*beside, "state-of-the-art.safetensors"])
train("r1", *SMALL, "--resume", "--force", status=2)

# The first epoch's last step leads astray: what was there before stays, and can be gone on with.
said = train("wild", *WILD, "--epochs", "3", status=1)
# In which epoch that is depends on rounding: the sanitizers' build has it in the second.
found = re.search(r"after step (\d) \(epoch \1\) the loss on the samples held out is not finite; the state (?:before the first step|after step (\d)) is kept", said)
assert found and int(found[2] or 0) == int(found[1]) - 1 < 2, said
assert read("wild")["step"] == int(found[2] or 0) and bool(read("wild")["epochs"]) == bool(found[2])
done = subprocess.run([program, "dump", f"{tmp}/wild", "fashion-mnist-1000", "-n", "50", "-o", f"{tmp}/wild.h5"], capture_output=True, text=True)
assert done.returncode == 0 and "accuracy" in done.stdout + done.stderr, done.stderr
said = train("wild-all", *WILD, "--epochs", "3", "--validation", "0", status=1)
assert "the loss on the samples watched is not finite" in said and read("wild-all")["step"] < 2, said

# The last figure is of the test set that is asked for.
first = train("tested", *SMALL, "--test", "fashion-mnist-1000")
assert "of 1000" in first and len(read("tested")["test"]["sha256"]) == 64
with_none = train("tested", *SMALL, "--resume")
assert "test accuracy" not in with_none, with_none
with open(f"{tmp}/few-images-idx3-ubyte", "wb") as f:
    f.write(np.array([0x803, 60, 28, 28], ">i4").tobytes() + bytes(60 * 784))
with open(f"{tmp}/few-labels-idx1-ubyte", "wb") as f:
    f.write(np.array([0x801, 60], ">i4").tobytes() + bytes([0, 9] * 30))
other = train("tested", *SMALL, "--resume", "--test", f"{tmp}/few-images-idx3-ubyte")
assert "of 60 " in other and read("tested")["test"]["samples"] == 60, other
assert train("tested", *SMALL, "--resume", "--test", "fashion-mnist-1000").splitlines()[-1] == first.splitlines()[-1]

# Values that are given to the network as they are have no mean and deviation of their own.
np.save(f"{tmp}/real.npy", np.random.default_rng(1).uniform(0.5, 0.7, (200, 1, 28, 28)).astype("f4"))
np.save(f"{tmp}/labels.npy", np.arange(200) % 10)
train("real", *SMALL, "--data", f"{tmp}/real.npy", "--labels", f"{tmp}/labels.npy")
with open(f"{tmp}/real/config.json") as f:
    config = json.load(f)
assert config["mean"] == [0] and config["std"] == [1], config

# Other threads give other bits: refused while there is something left to train. What an earlier version let pass is told.
child = subprocess.Popen([program, "train", *SMALL, "--epochs", "500", "-o", f"{tmp}/threads"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         env=dict(os.environ, OMP_NUM_THREADS="1"))
child.stdout.readline()
child.send_signal(signal.SIGINT)
said = child.communicate()[0]
assert child.returncode == 4, said
before = read("threads")
said = train("threads", *SMALL, "--epochs", "500", "--resume", status=3, threads="2")
assert "threads/train.json: cannot be resumed: threads was 1 when it was begun, is 2 now" in said and read("threads") == before, said
assert "number of threads" not in train("r1", *SMALL, "--resume", threads="2")
earlier = {**read("r1"), "threads_changed": True}
with open(f"{tmp}/r1/train.json", "w") as f:
    json.dump(earlier, f)
assert "another number of threads" in train("r1", *SMALL, "--resume")

# What a newer program wrote, or another one.
for change, part in (({"version": 2}, 'expected "version" 1 to 1, found 2'), ({"format": "else"}, 'expected "format": "normscope training run"')):
    os.makedirs(f"{tmp}/newer", exist_ok=True)
    with open(f"{tmp}/newer/train.json", "w") as f:
        json.dump({**read("r1"), **change}, f)
    said = train("newer", *SMALL, "--resume", status=3)
    assert "newer/train.json: " + part in said, said
