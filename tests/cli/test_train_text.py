"""A GPT from text to a run: the sites' inputs against PyTorch's, training and resuming over bytes and characters, text that is none."""
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import interrupted

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
text = os.path.join(tmp, "play.txt")
with open(text, "w") as f:
    f.write("".join("Say %d: the quick brown f\u00f6x jumps over %d lazy dogs.\n" % (i, i * i % 97) for i in range(400)))
SMALL = ["--arch", "gpt", "--data", text, "--width", "16", "--depth", "2", "--heads", "2", "--context", "32", "--batch", "8", "--warmup",
         "0", "--label-smoothing", "0", "--drop-path", "0"]


def run(*words, status=0):
    done = subprocess.run([program, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    start = 8 + int.from_bytes(raw[:8], "little")
    return {k: (t["shape"], raw[start + t["data_offsets"][0]:start + t["data_offsets"][1]])
            for k, t in json.loads(raw[8:start]).items() if k != "__metadata__"}


def write_safetensors(path, tensors):
    head, at = {}, 0
    for name, (shape, data) in tensors.items():
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    words = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(words)) + words + b"".join(data for _, data in tensors.values()))


# The model that dump runs, with PyTorch's weights, over PyTorch's text.
for norm in ("layernorm", "dyt"):
    golden = read_safetensors(f"{root}/tests/golden/train/text-{norm}.safetensors")
    folder = f"{tmp}/gpt-{norm}"
    os.makedirs(folder)
    write_safetensors(folder + "/model.safetensors", {k[2:]: v for k, v in golden.items() if k.startswith("q/")})
    letters = subprocess.run(["zcat", f"{root}/datasets/shakespeare/shakespeare.txt.gz"], capture_output=True).stdout.decode()
    with open(folder + "/config.json", "w") as f:
        json.dump({"n_head": 2, "norm": norm, "activation_function": "gelu", "vocabulary": "".join(sorted(set(letters)))}, f)
    with open(f"{tmp}/start.txt", "w") as f:
        f.write(letters[:32])
    run("dump", folder, f"{tmp}/start.txt", "-o", f"{tmp}/{norm}.h5")
    seen = np.frombuffer(golden["seen"][1], "<f4").reshape(golden["seen"][0])
    with h5py.File(f"{tmp}/{norm}.h5") as f:
        sites = sorted((s for s in f["sites"].values()), key=lambda s: s.attrs["index"])
        assert len(sites) == len(seen) == 5
        for site, wanted in zip(sites, seen):
            assert np.abs(site["input"][:] - wanted).max() < 1e-5 * np.abs(wanted).max(), site.name
        assert f.attrs["model_family"] == "gpt" and f.attrs["data_format"] == "text"

# Bytes and characters, and the same bits when stopped and resumed.
for words, vocabulary in (((), 256), (("--characters",), len(set(open(text).read())))):
    out = run("train", *SMALL, *words, "--epochs", "3", "--norm", "dyt", "--alpha-init", "2", "-o", f"{tmp}/whole", "-f")
    losses = [float(line.split()[1]) for line in out.splitlines()[2:5]]
    assert losses[2] < losses[0], out
    shape = read_safetensors(f"{tmp}/whole/model.safetensors")["wte.weight"][0]
    assert shape == [vocabulary, 16], shape
    run("dump", f"{tmp}/whole", text, "--samples", "4", "-o", f"{tmp}/whole.h5", "-f")
shutil.rmtree(f"{tmp}/parts", ignore_errors=True)
command = ["train", *SMALL, "--characters", "--epochs", "3", "--norm", "dyt", "--alpha-init", "2", "-o", f"{tmp}/parts"]
with open(f"{tmp}/whole/train.json") as f:
    steps = json.load(f)["step"]
status, said = interrupted.at_step(steps // 2, [program, *command], environment)
stopped = interrupted.check(f"{tmp}/parts", status, said, steps)
assert "NS_SANITIZED" in os.environ or stopped["step"] == steps // 2 and stopped["step"] % (steps // 3) > 0, (stopped["step"], steps)
run(*command, "--resume")
assert sorted(os.listdir(f"{tmp}/whole")) == sorted(os.listdir(f"{tmp}/parts"))
for name in os.listdir(f"{tmp}/whole"):
    assert open(f"{tmp}/whole/{name}", "rb").read() == open(f"{tmp}/parts/{name}", "rb").read(), name

# What is no text, or not the model's.
with open(f"{tmp}/bad.txt", "wb") as f:
    f.write(b"abc\xff\xfedef" * 100)
with open(f"{tmp}/cut.txt.gz", "wb") as f:
    f.write(gzip.compress(open(text, "rb").read())[:-9])
with open(f"{tmp}/other.txt", "w") as f:
    f.write("\u4f60\u597d" * 100)
with open(f"{tmp}/short.txt", "w") as f:
    f.write("Say")
assert "expected UTF-8, found none at byte 3" in run("train", *SMALL, "--data", f"{tmp}/bad.txt", "--characters", "-o", f"{tmp}/no", status=3)
assert "cut.txt.gz: expected a whole gzip file, found it cut short" in run("dump", f"{tmp}/whole", f"{tmp}/cut.txt.gz", "-o", f"{tmp}/no.h5", status=3)
assert "U+4F60" in run("dump", f"{tmp}/whole", f"{tmp}/other.txt", "-o", f"{tmp}/no.h5", status=3)
assert "expected a sample of 32 tokens, found 3" in run("dump", f"{tmp}/whole", f"{tmp}/short.txt", "-o", f"{tmp}/no.h5", status=3)
images = struct.pack(">4I", 0x803, 100, 28, 28) + bytes(range(1, 225)) * 350
for name, data in (("images-idx3-ubyte", images), ("images-idx3-ubyte.gz", gzip.compress(images))):
    with open(f"{tmp}/{name}", "wb") as f:
        f.write(data)
    for more in ((), ("--characters",)):
        said = run("train", *SMALL, "--data", f"{tmp}/{name}", *more, "-o", f"{tmp}/no", status=3)
        assert f"{tmp}/{name}: expected text or token ids for a model that takes words, found an IDX file" in said, said
    assert f"{name}: expected text or token ids for a model that takes words, found an IDX file" in run("dump", f"{tmp}/whole", f"{tmp}/{name}", "-o", f"{tmp}/no.h5", status=3)
with open(f"{tmp}/zeros.txt", "wb") as f:
    f.write(images[3:])  # other bytes are what one makes of them
run("train", *SMALL, "--data", f"{tmp}/zeros.txt", "--epochs", "1", "-o", f"{tmp}/zeros")
assert not os.path.exists(f"{tmp}/no.h5") and not os.path.exists(f"{tmp}/no")

# A path may be of any bytes; the run is written and resumed all the same.
named = f"{tmp}/\udcff.txt"
shutil.copy(text, named)
run("train", *SMALL, "--data", named, "--epochs", "1", "-o", f"{tmp}/named")
run("train", *SMALL, "--data", named, "--epochs", "1", "-o", f"{tmp}/named", "--resume")
