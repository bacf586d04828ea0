#!/usr/bin/python3
"""The oracle of the trainer: PyTorch's gradients and losses. Needs Debian's python3-torch.

usage: scripts/oracle_train.py golden     writes tests/golden/train
       scripts/oracle_train.py text       of these, the GPT's alone
       scripts/oracle_train.py speed      one training step in PyTorch, seconds, with 1 and 2 threads
       scripts/oracle_train.py rounding   how far rounding alone moves the 50 losses, by the deviation of the first weights"""
import gzip
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import oracle_vit_models as models  # noqa: E402
from oracle_vit import ROOT, write_safetensors  # noqa: E402

GOLDEN = os.path.join(ROOT, "tests", "golden", "train")
SMALL = dict(width=8, depth=2, heads=2, head_dim=4, hidden=12, patch=4, image=8, channels=1, classes=5, eps=1e-5)


def randomise(model, seed):
    """As the C test's: nothing 0 or 1."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        r = torch.rand(p.shape, generator=g)
        p.data = 0.4 + 0.8 * r if name.endswith("alpha") else 1.6 * r - 0.8


def gradients(norm, seed):
    """Loss and gradients of one batch in double, rounded when they are written."""
    model, _ = models.build("timm", **SMALL, norm=norm)
    randomise(model, seed)
    g = torch.Generator().manual_seed(seed + 1000)
    pixels, labels = torch.randn((4, 1, 8, 8), generator=g), torch.randint(0, 5, (4,), generator=g)
    out = {"p/" + n: p.detach().clone() for n, p in model.named_parameters()}
    model = model.double().train()
    loss = F.cross_entropy(model(pixels.double()), labels, label_smoothing=0.1)
    loss.backward()
    out.update({"g/" + n: p.grad for n, p in model.named_parameters()})
    out.update({"r/" + n: b for n, b in model.named_buffers() if n.endswith(("running_mean", "running_var"))})
    out.update(pixels=pixels, labels=labels, loss=loss.reshape(1))
    write_safetensors(os.path.join(GOLDEN, "gradients-%s.safetensors" % norm), out)


def bundled():
    """Pixels [1000, 1, 28, 28] and labels of the bundled images, as the C test has them made ready."""
    folder = os.path.join(ROOT, "datasets", "fashion-mnist-1000")
    raw = gzip.open(os.path.join(folder, "t10k-images-idx3-ubyte.gz")).read()[16:]
    labels = gzip.open(os.path.join(folder, "t10k-labels-idx1-ubyte.gz")).read()[8:]
    pixels = torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(1000, 1, 28, 28).astype(np.float32))
    return (pixels / 255 - 0.286) / 0.353, torch.from_numpy(np.frombuffer(labels, np.uint8).astype(np.int64))


def start(model, seed, deviation=0.15):
    """As timm begins, but larger, so that the network is far from linear, and rounding stays small (see rounding)."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.dim() >= 2 and name != "cls_token":
            p.data = deviation * torch.randn(p.shape, generator=g)
        elif name.endswith("bias"):
            p.data = torch.zeros(p.shape)


def learning_rate(step, total, warmup, most, least):
    if step < warmup:
        return most * (step + 1) / warmup
    return least + 0.5 * (most - least) * (1 + np.cos(np.pi * (step - warmup) / (total - warmup)))


def prepared(norm, seed, deviation=0.15):
    shape = dict(width=16, depth=2, heads=2, head_dim=8, hidden=32, patch=7, image=28, channels=1, classes=10, eps=1e-6)
    model, _ = models.build("timm", **shape, norm=norm)
    start(model, seed, deviation)
    return model


def train(model, steps=50, batch=16, most=3e-3, least=1e-5, warmup=10, decay=0.5):
    """50 losses: AdamW with decay on matrices, cosine with a rise, clipping at 1, smoothing 0.1; step i takes images
    (16 i .. 16 i + 15) * 37 mod 1000."""
    pixels, labels = bundled()
    pixels = pixels.to(next(model.parameters()).dtype)
    matrices = [p for n, p in model.named_parameters() if p.dim() >= 2 and n not in ("cls_token", "pos_embed")]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    adam = torch.optim.AdamW([{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}],
                             lr=most, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for step in range(steps):
        ids = torch.arange(step * batch, step * batch + batch) * 37 % 1000
        for group in adam.param_groups:
            group["lr"] = learning_rate(step, steps, warmup, most, least)
        adam.zero_grad()
        loss = F.cross_entropy(model(pixels[ids]), labels[ids], label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        losses.append(float(loss))
    return torch.tensor(losses, dtype=torch.float64)


def training(norm, seed):
    model = prepared(norm, seed)
    out = {"p/" + n: p.detach().clone() for n, p in model.named_parameters()}
    out["losses"] = train(model).float()
    write_safetensors(os.path.join(GOLDEN, "steps-%s.safetensors" % norm), out)


def rounding():
    """The largest difference of a loss between float and double, and between double and double when the start is moved by half a
    unit of float's last place. What the second column shows no implementation in float can do better than."""
    print("norm        deviation  float - double  double, start moved by 6e-8")
    for norm, seed in (("layernorm", 400), ("dyt", 401)):
        for deviation in (0.02, 0.15):
            model, double, moved = (prepared(norm, seed, deviation) for _ in range(3))
            g = torch.Generator().manual_seed(9)
            for p in moved.double().parameters():
                p.data *= 1 + 6e-8 * torch.randn(p.shape, generator=g).double()
            exact = train(double.double())
            far = [float((train(m) - exact).abs().max()) for m in (model, moved)]
            print("%-11s %-9g  %.1e         %.1e" % (norm, deviation, *far))


class GPT(torch.nn.Module):
    """GPT-2 (Radford et al. 2019) under Hugging Face's names, matrices [in, out]."""

    def __init__(self, width, depth, heads, context, words, eps, norm="layernorm"):
        super().__init__()
        nn, self.heads = torch.nn, heads
        make = models.NORMS[norm]
        self.wte, self.wpe = nn.Embedding(words, width), nn.Embedding(context, width)
        self.h = nn.ModuleList()
        for _ in range(depth):
            b = nn.Module()
            b.ln_1, b.ln_2, b.attn, b.mlp = make(width, eps), make(width, eps), nn.Module(), nn.Module()
            for module, name, rows, columns in ((b.attn, "c_attn", width, 3 * width), (b.attn, "c_proj", width, width),
                                                (b.mlp, "c_fc", width, 4 * width), (b.mlp, "c_proj", 4 * width, width)):
                conv = nn.Module()
                conv.weight, conv.bias = nn.Parameter(torch.zeros(rows, columns)), nn.Parameter(torch.zeros(columns))
                setattr(module, name, conv)
            self.h.append(b)
        self.ln_f = make(width, eps)

    def forward(self, ids):
        n, t = ids.shape
        x = self.wte(ids) + self.wpe(torch.arange(t))
        mask = torch.triu(torch.full((t, t), float("-inf"), dtype=x.dtype), 1)
        self.seen = []
        for b in self.h:
            self.seen.append(x)
            q, k, v = (b.ln_1(x) @ b.attn.c_attn.weight + b.attn.c_attn.bias).chunk(3, -1)
            q, k, v = (z.reshape(n, t, self.heads, -1).transpose(1, 2) for z in (q, k, v))
            w = torch.softmax(q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + mask, -1)
            x = x + (w @ v).transpose(1, 2).reshape(n, t, -1) @ b.attn.c_proj.weight + b.attn.c_proj.bias
            self.seen.append(x)
            x = x + F.gelu(b.ln_2(x) @ b.mlp.c_fc.weight + b.mlp.c_fc.bias) @ b.mlp.c_proj.weight + b.mlp.c_proj.bias
        self.seen.append(x)
        return self.ln_f(x) @ self.wte.weight.T


def turned(name, p):
    """A block's matrix as the C network keeps it, [out, in]."""
    return p.T.contiguous() if ".c_" in name and p.dim() == 2 else p


def text_gradients(norm, seed, samples=2, context=52, words=12):
    """Loss and gradients of one batch of a GPT in double, rounded when they are written. So many tokens that the C network's attention
    is BLAS's; the last token of the batch has none that follows."""
    model = GPT(width=8, depth=2, heads=2, context=context, words=words, eps=1e-5, norm=norm)
    randomise(model, seed)
    g = torch.Generator().manual_seed(seed + 1000)
    tokens = torch.randint(0, words, (samples, context), generator=g)
    labels = torch.randint(0, words, (samples, context), generator=g)
    labels[-1, -1] = -1
    out = {"p/" + n: turned(n, p.detach().clone()) for n, p in model.named_parameters()}
    model = model.double()
    loss = F.cross_entropy(model(tokens).reshape(-1, words), labels.reshape(-1), ignore_index=-1, label_smoothing=0.1,
                           reduction="sum") / labels.numel()
    loss.backward()
    out.update({"g/" + n: turned(n, p.grad) for n, p in model.named_parameters()})
    out.update(tokens=tokens, labels=labels, loss=loss.reshape(1))
    write_safetensors(os.path.join(GOLDEN, "text-gradients-%s.safetensors" % norm), out)


def text_training(norm, seed, steps=50, batch=8, context=32, most=3e-3, least=1e-5, warmup=10, decay=0.5):
    """50 losses over the bundled text by characters: sample i of step s begins at character ((8 s + i) * 7919) mod 1000000. The last
    input of each site, of the last batch, tests the model that dump runs, from the weights after the 50 steps."""
    text = gzip.open(os.path.join(ROOT, "datasets", "shakespeare", "shakespeare.txt.gz")).read().decode()
    words = sorted(set(text))
    ids = torch.tensor([words.index(c) for c in text[:1000100]])
    model = GPT(width=16, depth=2, heads=2, context=context, words=len(words), eps=1e-5, norm=norm)
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.dim() >= 2:
            p.data = (0.3 if name.startswith("w") else 0.15) * torch.randn(p.shape, generator=g)
        elif name.endswith("alpha"):
            p.data[:] = 0.8
    out = {"p/" + n: turned(n, p.detach().clone()) for n, p in model.named_parameters()}
    matrices = [p for n, p in model.named_parameters() if p.dim() >= 2 and n != "wpe.weight"]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    adam = torch.optim.AdamW([{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}],
                             lr=most, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for step in range(steps):
        at = [(batch * step + i) * 7919 % 1000000 for i in range(batch)]
        x, y = (torch.stack([ids[a + d:a + d + context] for a in at]) for d in (0, 1))
        for group in adam.param_groups:
            group["lr"] = learning_rate(step, steps, warmup, most, least)
        adam.zero_grad()
        loss = F.cross_entropy(model(x).reshape(-1, len(words)), y.reshape(-1), label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        losses.append(float(loss))
    out["losses"] = torch.tensor(losses)
    with torch.no_grad():
        model(ids[:context][None])
        out["seen"] = torch.stack([s[0] for s in model.seen])
        out.update({"q/" + n: p.detach().clone() for n, p in model.named_parameters()})
    write_safetensors(os.path.join(GOLDEN, "text-%s.safetensors" % norm), out)


def text():
    for norm, seed in (("layernorm", 404), ("dyt", 405)):
        text_gradients(norm, seed)
    text_training("layernorm", 402)
    text_training("dyt", 403)


def golden():
    os.makedirs(GOLDEN, exist_ok=True)
    for i, norm in enumerate(models.NORMS):
        gradients(norm, 300 + i)
    training("layernorm", 400)
    training("dyt", 401)
    text()


def speed(threads, steps=12):
    """Median and least seconds of a step: 96 wide, 8 blocks, 4 heads, patch 7, batch 128, forward, backward, clip, AdamW."""
    torch.set_num_threads(threads)
    model, _ = models.build("timm", width=96, depth=8, heads=4, head_dim=24, hidden=384, patch=7, image=28, channels=1,
                            classes=10, eps=1e-6, norm="layernorm")
    start(model, 1)
    pixels, labels = bundled()
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    times = []
    for step in range(steps):
        ids = torch.arange(step * 128, step * 128 + 128) * 37 % 1000
        began = time.perf_counter()
        adam.zero_grad()
        F.cross_entropy(model(pixels[ids]), labels[ids], label_smoothing=0.1).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        times.append(time.perf_counter() - began)
    return sorted(times[2:])


if __name__ == "__main__":
    if sys.argv[1:] == ["golden"]:
        golden()
    elif sys.argv[1:] == ["text"]:
        text()
    elif sys.argv[1:] == ["rounding"]:
        rounding()
    elif sys.argv[1:] == ["speed"]:
        for threads in (1, 2):
            times = speed(threads)
            print("threads %d median %.4f least %.4f" % (threads, times[len(times) // 2], times[0]))
    else:
        sys.exit(__doc__)
