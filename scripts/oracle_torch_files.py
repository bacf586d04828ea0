"""Makes tests/golden/torch/: files as torch.save writes them and has written them, and what is in them as safetensors.

    pip install torch==2.15 safetensors numpy; python3 scripts/oracle_torch_files.py [PYTHON of torch 1.13]

values.safetensors holds every tensor, contiguous. Each of the files beside it holds the same tensors, views, ties and all, in another form; before
it is written down here, torch.load(weights_only=True) has read it, with the same values. With a second Python, one with PyTorch 1.13, the files
old-1.13*.pt are made by that."""
import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import pickletools
import struct
import subprocess
import sys
import types
import zipfile

import numpy
import torch
from safetensors.torch import load_file, save_file

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/golden/torch")


def tensors():
    """As a module's state dict has them: an OrderedDict with its _metadata, and views of larger storages in it."""
    g = torch.Generator().manual_seed(5)
    whole = torch.randn(5, 8, generator=g)
    state = collections.OrderedDict()
    state["blocks.0.weight"] = torch.randn(3, 4, generator=g)
    state["blocks.0.bias"] = torch.arange(3.0) / 8
    state["view.turned"] = whole.t()
    state["view.part"] = whole[1:4, 2:7:2]
    state["view.offset"] = whole[3]
    state["view.deep"] = torch.randn(2, 3, 4, generator=g).permute(2, 0, 1)[1:]
    state["view.repeated"] = torch.tensor([1.5, -2.5]).expand(3, 2)
    state["view.one"] = whole[2:3, ::3]
    state["tied.a"] = whole
    state["tied.b"] = state["blocks.0.weight"]
    state["half"] = torch.randn(7, generator=g).half()
    state["brain"] = torch.randn(3, 3, generator=g).bfloat16().t()
    state["double"] = torch.randn(4, generator=g).double()
    state["long"] = torch.tensor([[3, -4], [1 << 40, 0]])
    state["int"] = torch.tensor([1, -2], dtype=torch.int32)
    state["short"] = torch.tensor([1, -2], dtype=torch.int16)
    state["char"] = torch.tensor([1, -2], dtype=torch.int8)
    state["byte"] = torch.tensor([1, 200], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False, True])
    state["scalar"] = torch.tensor(2.25)
    state["empty"] = torch.zeros(0, 3)
    state["n\u00e4me"] = torch.ones(2)
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("blocks.0", {"version": 2})])
    return state


def same(a, b):
    assert list(a) == list(b), (list(a), list(b))
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape and torch.equal(a[name], b[name]), name


def put(name, data, key=None, load=True):
    data = data if isinstance(data, bytes) else data.getvalue()
    if load:
        read = torch.load(io.BytesIO(data), weights_only=True)
        for k in key or []:
            read = read[k]
        same(state, {k: v for k, v in read.items() if k in state})
    with open(f"{here}/{name}", "wb") as f:
        f.write(data)


def saved(what, **more):
    out = io.BytesIO()
    torch.save(what, out, **more)
    return out.getvalue()


def entries(data):
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        return [(i.filename, z.read(i)) for i in z.infolist()]


def zipped(files, method=zipfile.ZIP_STORED):
    """By Python: no padding, so that tensors lie at odd bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in files:
            z.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def pickled(data):
    return next(d for n, d in entries(data) if n.endswith("/data.pkl"))


def with_pickle(data, new):
    return zipped([(n, new if n.endswith("/data.pkl") else d) for n, d in entries(data)])


def as_python_2(data):
    """Text as Python 2 wrote it, in strings of bytes, and what it remembers counted from 1."""
    out, ends = bytearray(), [at for _, _, at in pickletools.genops(data)][1:] + [len(data)]
    for (op, arg, at), end in zip(pickletools.genops(data), ends):
        if op.name == "BINUNICODE" and arg.isascii():
            out += b"U" + struct.pack("<B", len(arg)) + arg.encode()
        elif op.name in ("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"):
            out += (b"r" if "PUT" in op.name else b"j") + struct.pack("<I", arg + 1)
        else:
            out += data[at:end]
    return bytes(out)


def as_version_3(data):
    """Storages without a type, the type beside the tensor: what is written for uint16 and its like, here for all."""
    class Pickler(pickle.Pickler):
        def persistent_id(self, o):
            if isinstance(o, torch.storage.UntypedStorage):
                keys.setdefault(o._cdata, (str(len(keys)), o))
                return ("storage", torch.UntypedStorage, keys[o._cdata][0], "cpu", o.nbytes())

        def reducer_override(self, o):
            if isinstance(o, torch.Tensor):
                return torch._utils._rebuild_tensor_v3, (o.untyped_storage(), o.storage_offset(), tuple(o.shape), o.stride(), False,
                                                         collections.OrderedDict(), o.dtype)
            return NotImplemented

    keys, out = {}, io.BytesIO()
    Pickler(out, 2).dump(data)
    return zipped([("v3/data.pkl", out.getvalue()), ("v3/version", b"3\n"), ("v3/byteorder", b"little")]
                  + [(f"v3/data/{key}", bytes(s.tolist())) for key, s in keys.values()])


def model_and_more(state):
    """What a training script keeps."""
    weight = torch.nn.Parameter(state["blocks.0.weight"].clone())
    optimizer = torch.optim.AdamW([weight], lr=1e-3)
    weight.sum().backward()
    optimizer.step()
    return {"epoch": 12, "best": torch.tensor(81.5), "loss": 0.25, "arch": "tiny", "flag": None, "list": [1, (2, 3)], "big": 1 << 80,
            "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}


def class_of(module, name, *bases):
    """A class that pickles under the name of one of a library's that need not be there."""
    made = type(name, bases or (object,), {"__module__": module})
    parts = module.split(".")
    for i in range(len(parts)):
        sys.modules.setdefault(".".join(parts[: i + 1]), types.ModuleType(".".join(parts[: i + 1])))
    setattr(sys.modules[module], name, made)
    return made


def weights(model):
    return load_file(os.path.join(here, "..", model, "model.safetensors"))


def small_models():
    """The tiny models of tests/golden as people have them; test_pytorch.py runs both."""
    bert = weights("words/bert-relu")
    put("bert.bin", saved(collections.OrderedDict(bert)), load=False)
    names = list(bert)
    parts = {"pytorch_model-00001-of-00002.bin": names[:20], "pytorch_model-00002-of-00002.bin": names[20:]}
    for part, held in parts.items():
        put(part, saved({k: bert[k] for k in held}), load=False)
    with open(f"{here}/pytorch_model.bin.index.json", "w") as f:
        json.dump({"metadata": {"total_size": sum(t.nbytes for t in bert.values())}, "weight_map": {k: part for part, held in parts.items() for k in held}}, f, indent=1)
    gpt = weights("words/gpt2-inverse")  # with what transformers left in such files: the tied head, masks
    for i in 0, 1:
        gpt[f"transformer.h.{i}.attn.bias"] = torch.tril(torch.ones(64, 64, dtype=torch.bool)).view(1, 1, 64, 64)
        gpt[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    gpt["lm_head.weight"] = gpt["transformer.wte.weight"]
    put("gpt2.bin", saved(gpt), load=False)
    llama = weights("words/llama-tied")  # and what it left in LLaMA's
    for i in 0, 1:
        llama[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = 1e4 ** -(torch.arange(0.0, 8, 2) / 8)
    put("llama.bin", saved(llama), load=False)
    put("dinov2.pth", saved(collections.OrderedDict(weights("vision/dinov2-original"))), load=False)
    vit = weights("vit/timm-bare")
    put("vit.pth", saved({"model": {f"module.{k}": v.t().contiguous().t() if v.dim() == 2 else v for k, v in vit.items()}, "epoch": 299,
                          "args": argparse.Namespace(lr=1e-3, out=pathlib.PosixPath("out")), "scaler": {"scale": 65536.0},
                          "accuracy": numpy.float64(81.5), "history": numpy.arange(3)}), load=False)
    attributes = class_of("pytorch_lightning.utilities.parsing", "AttributeDict", dict)
    put("vit.ckpt", saved({"epoch": 9, "global_step": 100, "pytorch-lightning_version": "2.4.0", "state_dict": {f"net.{k}": v for k, v in vit.items()},
                           "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
                           "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}], "lr_schedulers": [],
                           "hparams_name": "kwargs", "hyper_parameters": attributes(width=8, lr=1e-3)}), load=False)


def refused():
    """What is not read, each made by what really makes it."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    put("refused-whole-model.pt", saved(model), load=False)
    put("refused-before-1.6-whole-model.pt", saved(model, _use_new_zipfile_serialization=False), load=False)
    out = io.BytesIO()
    torch.jit.save(torch.jit.script(model), out)
    put("refused-torchscript.pt", out, load=False)
    put("refused-tensor.pt", saved(torch.ones(2)), load=False)
    put("refused-sparse.pt", saved({"a.weight": torch.eye(3).to_sparse()}), load=False)
    put("refused-quantized.pt", saved({"a.weight": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}), load=False)
    put("refused-complex.pt", saved({"a.weight": torch.ones(2, dtype=torch.complex64)}), load=False)
    put("refused-conjugate.pt", saved({"a.weight": torch.ones(2, dtype=torch.complex64).conj()}), load=False)
    put("refused-negated.pt", saved({"a.weight": torch.ones(2, dtype=torch.complex64).conj().imag}), load=False)
    put("refused-meta.pt", saved({"a.weight": torch.ones(2, device="meta")}), load=False)
    put("refused-optimizer.pt", saved(model_and_more(state)["optimizer"]), load=False)


os.makedirs(here, exist_ok=True)
state = tensors()
save_file({k: v.clone().contiguous() for k, v in state.items()}, f"{here}/values.safetensors")
plain = saved(state)
put("plain.pt", plain)
for protocol in 3, 4, 5:
    put(f"protocol-{protocol}.pt", saved(state, pickle_protocol=protocol), load=False)  # torch.load(weights_only=True) reads protocol 2 alone
    same(state, torch.load(f"{here}/protocol-{protocol}.pt", weights_only=False))
put("before-1.6.pt", saved(state, _use_new_zipfile_serialization=False))
put("before-1.6-under-model.pt", saved({"model": state, "epoch": 3}, _use_new_zipfile_serialization=False), ["model"])
put("parameters.pt", saved(collections.OrderedDict((k, torch.nn.Parameter(v, requires_grad=v.is_floating_point())) for k, v in state.items())))
torch.serialization.set_crc32_options(False)
put("without-checksums.pt", saved(state))
torch.serialization.set_crc32_options(True)
put("under-state_dict.pt", saved({**model_and_more(state), "state_dict": state}), ["state_dict"])
put("deeper.pt", saved({"state": {"network": dict(state)}, "epoch": 3}), ["state", "network"])
put("with-more.pt", saved({**state, "extra._extra_state": None, "count": 4}))
ema = {k: v.clone() for k, v in state.items()}
ema["blocks.0.bias"] = -ema["blocks.0.bias"]
put("two-models.pt", saved({"model": state, "model.ema": ema, "epoch": 3}), ["model"])
old = [(n.split("/", 1)[1], d) for n, d in entries(plain)]
old = [(f"archive/{n}", d) for n, d in old if n == "data.pkl" or n.startswith("data/")] + [("archive/version", b"3\n")]
put("unaligned.pt", zipped(old))
put("deflated.pt", zipped(old, zipfile.ZIP_DEFLATED))
put("python-2.pt", with_pickle(plain, as_python_2(pickled(plain))))
put("version-3.pt", as_version_3(state))
small_models()
refused()
if len(sys.argv) > 1:
    write = """import sys, torch
state = torch.load(sys.argv[1])
torch.save(state, sys.argv[2])
torch.save(state, sys.argv[3], _use_new_zipfile_serialization=False)"""
    made = [f"{here}/by-1.13.pt", f"{here}/by-1.13-before-1.6.pt"]
    subprocess.run([sys.argv[1], "-c", write, f"{here}/plain.pt", *made], check=True)
    for path in made:
        same(state, torch.load(path, weights_only=True))
