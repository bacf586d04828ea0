#!/usr/bin/python3
"""The oracle of the ViT model: what PyTorch computes. Needs Debian's python3-torch, python3-torchvision and python3-h5py.

usage: scripts/oracle_vit.py golden [SHARED]    writes tests/golden/vit; SHARED is the folder that holds data/*/taps.h5
       scripts/oracle_vit.py peers              compares the plain modules with timm, transformers and vit-pytorch,
                                                where they are installed
       scripts/oracle_vit.py check BUILD SHARED the large comparisons, as `make check-oracle` runs them"""
import json
import os
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import oracle_vit_models as models  # noqa: E402

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
GOLDEN = os.path.join(ROOT, "tests", "golden", "vit")

# Every variant that the C model claims, spread over small models of four naming schemes.
SMALL = {
    "timm-plain": ("timm", {}),
    "timm-mean": ("timm", dict(pool="mean", fc_norm=True, channels=1, qkv_bias=False, patch=2, height=4)),
    "timm-registers": ("timm", dict(registers=2, no_embed_class=True, norm_pre=True, layer_scale=True, act="gelu_tanh",
                                    channels=4, height=12)),
    "timm-no-class": ("timm", dict(class_token=False, pool="mean", final_norm=True, channels=2, heads=4, head_dim=4)),
    "timm-bare": ("timm", dict(final_norm=False, act="relu", classes=0, depth=1)),
    "timm-rmsnorm": ("timm", dict(norm="rmsnorm", eps=1e-5, channels=1)),
    "timm-dyt": ("timm", dict(norm="dyt", pool="mean", fc_norm=True, depth=3)),
    "torchvision": ("torchvision", {}),
    "hf-classifier": ("huggingface", dict(act="gelu_new", eps=1e-12)),
    "hf-model": ("huggingface", dict(classes=0, pooler=True, qkv_bias=False, channels=1, eps=1e-12, heads=4)),
    "hf-deit": ("huggingface", dict(prefix="deit", eps=1e-12, depth=1)),
    "hf-dyt": ("huggingface", dict(norm="dyt", final_norm=False, depth=1)),
    "vit-pytorch": ("vit-pytorch", dict(head_dim=12, qkv_bias=False, eps=1e-5)),
    "vit-pytorch-mean": ("vit-pytorch", dict(head_dim=3, heads=3, qkv_bias=False, eps=1e-5, pool="mean", act="relu", channels=1,
                                             patch=2, height=4, depth=1)),
}


def write_safetensors(path, tensors):
    """tensors: {name: array or tensor}, as float32."""
    header, pieces, at = {}, [], 0
    for name, t in tensors.items():
        a = np.ascontiguousarray(np.asarray(t.detach() if torch.is_tensor(t) else t, dtype="<f4"))
        header[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        pieces.append(a.tobytes())
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(pieces))


def read_safetensors(path):
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(raw[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]], "<f4").reshape(t["shape"])
            for name, t in header.items()}


def config_of(naming, c):
    """What the library's own config.json says, and nothing that the shapes say: the C model has to infer the rest."""
    size = [c["height"], c["image"]] if c["height"] != c["image"] else c["image"]
    if naming == "huggingface":
        return {"model_type": "vit", "hidden_size": c["width"], "num_attention_heads": c["heads"], "image_size": size,
                "num_hidden_layers": c["depth"], "intermediate_size": c["hidden"], "patch_size": c["patch"],
                "num_channels": c["channels"], "hidden_act": c["act"], "layer_norm_eps": c["eps"], "qkv_bias": c["qkv_bias"],
                **({"norm": c["norm"]} if c["norm"] != "layernorm" else {})}
    config = {"num_heads": c["heads"], "act": c["act"]}
    if size != c["image"] or c["no_embed_class"]:
        config["img_size"] = size
    if naming == "vit-pytorch":
        config["head_dim"] = c["head_dim"]
    if c["norm"] == "rmsnorm":
        config["norm"], config["norm_eps"] = "rmsnorm", c["eps"]
    if c["pool"] == "mean" and not c["fc_norm"]:
        config["global_pool"] = "avg"
    return config


def expected(pixels, logits, taps):
    """Names say the order: input/001 blocks.0.norm1."""
    out = {"pixels": pixels}
    if logits is not None:
        out["logits"] = logits
    for i, (name, (x, y)) in enumerate(taps.items(), 1):
        out["input/%03d %s" % (i, name)], out["output/%03d %s" % (i, name)] = x, y
    return out


def small_model(name):
    naming, settings = SMALL[name]
    seed = 100 + list(SMALL).index(name)
    model, c = models.build(naming, **settings)
    g = torch.Generator().manual_seed(seed + 1000)
    pixels = torch.randn((3, c["channels"], c["height"], c["image"]), generator=g)
    return naming, c, models.randomise(model, seed), pixels


def write_small(name):
    naming, c, model, pixels = small_model(name)
    target = os.path.join(GOLDEN, name)
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, "config.json"), "w") as f:
        json.dump(config_of(naming, c), f, indent=1)
        f.write("\n")
    write_safetensors(os.path.join(target, "model.safetensors"), model.state_dict())
    # In double, so that the difference is the C model's alone.
    out, taps = models.run_with_taps(model.double(), pixels.double())
    write_safetensors(os.path.join(target, "expected.safetensors"),
                      expected(pixels, out if c["classes"] else None, taps))


def write_bundled(shared):
    """Two images and three sites of the recorded run of the bundled model."""
    import h5py
    with h5py.File(os.path.join(shared, "data", "vit-fmnist-layernorm", "taps.h5")) as h:
        out = {"pixels": h["preprocessed"][:2], "logits": h["logits"][:2]}
        for group in list(h["sites"]):
            index, name = group.split("_", 1)
            if int(index) in (1, 8, 17):
                out["input/%s %s" % (index, name)] = h["sites"][group]["input"][:2]
                out["output/%s %s" % (index, name)] = h["sites"][group]["output_before_affine"][:2]
    write_safetensors(os.path.join(GOLDEN, "vit-fmnist-layernorm.safetensors"), out)


def golden(shared):
    os.makedirs(GOLDEN, exist_ok=True)
    for name in SMALL:
        write_small(name)
    if shared:
        write_bundled(shared)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    words = sys.argv[1:]
    if words[:1] == ["golden"] and len(words) <= 2:
        golden(words[1] if len(words) == 2 else None)
    elif words == ["peers"]:
        import oracle_vit_peers
        sys.exit(oracle_vit_peers.compare(small_model, SMALL))
    elif words[:1] == ["check"] and len(words) == 3:
        import oracle_vit_check
        sys.exit(oracle_vit_check.check(words[1], words[2]))
    else:
        sys.exit(__doc__)
