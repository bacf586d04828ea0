"""What training.h5 says of the gradient that arrives at each site, against central differences in double of a ViT written in NumPy: of the
batch that is watched, with the recipe's label smoothing and without its drop path."""
import json
import os
import subprocess

import h5py
import numpy as np

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"
WIDTH, DEPTH, HEADS, BATCH, SMOOTHING, STEP = 8, 2, 2, 8, 0.2, 1e-5


def run(*words):
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    start = 8 + int.from_bytes(raw[:8], "little")
    return {k: np.frombuffer(raw[start + t["data_offsets"][0]:start + t["data_offsets"][1]], "<f4").reshape(t["shape"]).astype(float)
            for k, t in json.loads(raw[8:start]).items() if k != "__metadata__"}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Vit:
    """From the first site's input on: tokens [samples, tokens, WIDTH], the first of which is the class token."""

    def __init__(self, weights, norm):
        self.w, self.norm = weights, norm

    def linear(self, name, x):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def site(self, name, x):
        if self.norm == "dyt":
            y = np.tanh(self.w[name + ".alpha"] * x)
        else:
            y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        z = y * self.w[name + ".weight"] + self.w[name + ".bias"]
        return z + self.moves.get(name, 0)

    def attention(self, name, z):
        n, t, _ = z.shape
        q, k, v = self.linear(name + ".qkv", z).reshape(n, t, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
        out = softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(WIDTH // HEADS)) @ v
        return self.linear(name + ".proj", out.transpose(0, 2, 1, 3).reshape(n, t, WIDTH))

    def mlp(self, name, z):
        h = self.linear(name + ".fc1", z)
        return self.linear(name + ".fc2", 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))))

    def losses(self, x, labels, moves):
        """Of each sample, where the outputs of sites are moved by what `moves` says."""
        self.moves = moves
        for i in range(DEPTH):
            x = x + self.attention(f"blocks.{i}.attn", self.site(f"blocks.{i}.norm1", x))
            x = x + self.mlp(f"blocks.{i}.mlp", self.site(f"blocks.{i}.norm2", x))
        p = np.log(softmax(self.linear("head", self.site("norm", x)[:, 0])))
        return -(1 - SMOOTHING) * p[np.arange(len(labels)), labels] - SMOOTHING * p.mean(-1)


def gradient_norm(vit, name, x, labels):
    """Samples do not see each other, so that one value of each is moved at once; the batch's loss is their losses' mean."""
    total = 0
    for t in range(x.shape[1]):
        for c in range(WIDTH):
            move = np.zeros(x.shape[1:])
            move[t, c] = STEP
            above, below = (vit.losses(x, labels, {name: sign * move}) for sign in (1, -1))
            total += (((above - below) / (2 * STEP) / len(labels)) ** 2).sum()
    return np.sqrt(total)


# The batch is the first of what is held out, else of the training samples: both in the shuffled order of seed 0.
for norm, held, begin in (("layernorm", 0, 0), ("dyt", 100, 900)):
    folder, name = f"{tmp}/{norm}", "fashion-mnist-1000"
    run("train", "--norm", norm, "--data", name, "--validation", str(held), "--epochs", "1", "--width", str(WIDTH), "--depth", str(DEPTH),
        "--heads", str(HEADS), "--patch", "14", "--batch", str(BATCH), "--activation", "gelu_tanh", "--label-smoothing", str(SMOOTHING),
        "--drop-path", "0.5", "--lr", "0.01", "-o", folder)
    run("dump", folder, name, "-o", folder + ".h5", "--order", "shuffled", "--skip", str(begin), "-n", str(BATCH))
    vit = Vit(read_safetensors(folder + "/model.safetensors"), norm)
    with h5py.File(folder + "/training.h5") as t, h5py.File(folder + ".h5") as d:
        sites, watched = [n.decode() for n in t["watch/names"]], t["watch/gradient_norm"][-1]
        x = next(s for s in d["sites"].values() if s.attrs["index"] == 1)["input"][:].astype(float).reshape(BATCH, -1, WIDTH)
        labels = d["samples/label"][:]
    assert len(sites) == 2 * DEPTH + 1 and x.shape[1] == 5
    for site, found in zip(sites, watched):
        wanted = gradient_norm(vit, site, x, labels)
        assert abs(found - wanted) <= 1e-5 * wanted, (norm, site, found, wanted)
