"""Checkpoints that are damaged or contradict themselves: the message names the file, what was expected and what was found; exit status 3.
Every cut and every flipped bit of a header are in tests/probe/weights/test_weights.c; here is what the program makes of some."""
import json
import os
import shutil
import struct
import sys

import numpy as np

sys.path.insert(0, "tests/tools")
from refusals import done, fail, model, refused, run, t, write

weights = open(model + "/model.safetensors", "rb").read()
header = struct.unpack("<Q", weights[:8])[0]
for size in np.linspace(0, len(weights) - 1, 24).astype(int):
    expected = "an empty file" if not size else f"at least 8 bytes, found {size}" if size < 8 else f"promise a header of {header} bytes, found {size - 8}" if size < header + 8 else "expected"
    refused(["list", write("cut.safetensors", weights[:size])], "cut.safetensors: ", expected, *(["found"] if size > header + 8 else []))
rng = np.random.default_rng(1)
for place in rng.integers(0, 8 + header, 24):
    flipped = bytearray(weights)
    flipped[place] ^= 1 << int(rng.integers(0, 7))
    status, _, said = run("list", write("flipped.safetensors", bytes(flipped)))
    # A flip in a name or in white space may leave a checkpoint that is still one, or one whose tensor is missing.
    if status not in (0, 3) or (status == 3 and "flipped.safetensors" not in said):
        fail(["list"], f"flip at {place}: status {status}: {said}")


# A tensor that is not what the others ask for.
os.makedirs(t + "/changed")
shutil.copy(model + "/config.json", t + "/changed/config.json")


def tensors(change):
    parsed = json.loads(weights[8 : 8 + header])
    change(parsed)
    at = 0
    for name, entry in parsed.items():
        if name != "__metadata__":
            size = int(np.prod([int(n) for n in entry["shape"]])) * {"F32": 4, "F16": 2, "I64": 8}[entry["dtype"]]
            entry["data_offsets"] = [at, at + size]
            at += size
    text = json.dumps(parsed).encode()
    path = write("changed/model.safetensors", struct.pack("<Q", len(text)) + text)
    os.truncate(path, 8 + len(text) + at)
    return path


def shape(name, value):
    return lambda all: all[name].update(shape=value)


for change, parts in [(shape("head.weight", [0, 96]), ["head.weight: expected [1 to 16777216 classes, 96]", "the first of 0"]),
                      (shape("head.weight", [10, 95]), ["head.weight: expected shape [10, 96], found [10, 95]"]),
                      (shape("head.weight", [960]), ["head.weight: expected", "found 1 dimension"]),
                      (shape("norm.weight", [95]), ["norm.weight: expected shape [96], found [95]"]),
                      (shape("pos_embed", [1, 1 << 21, 96]), ["expected at most 1048576 tokens", "2097152"]),
                      (shape("cls_token", [1, 2, 96]), ["cls_token: expected shape [1, 1, 96], found [1, 2, 96]"]),
                      (shape("patch_embed.proj.weight", [96, 9, 4, 4]), ["patch_embed.proj.weight: expected [width, 1 to 4 channels, patch, patch]"]),
                      (shape("blocks.1.attn.qkv.weight", [287, 96]), ["blocks.1.attn.qkv.weight: expected shape [288, 96], found [287, 96]"]),
                      (lambda all: all["norm.bias"].update(dtype="I64"), ["norm.bias: expected dtype F32, F16, BF16 or another of real numbers, found I64"]),
                      (lambda all: all.pop("blocks.3.mlp.fc2.weight"), ["expected a tensor blocks.3.mlp.fc2.weight, found none", "near: blocks."]),
                      (lambda all: all.update(extra={"dtype": "F32", "shape": [2]}), ["found others that would change what it computes: extra"])]:
    refused(["list", tensors(change)], "changed/model.safetensors: ", *parts)

# config.json and preprocessor_config.json.
config = json.load(open(model + "/config.json"))
shutil.copytree(model, t + "/model")
for change, parts in [({"depth": 9}, ['"depth": expected 8', "found 9"]), ({"embed_dim": 100}, ['"embed_dim": expected 96', "found 100"]),
                      ({"num_heads": 7}, ["num_heads", "found 7"]), ({"num_heads": "three"}, ['"num_heads": expected an integer from 1', 'found "three"']),
                      ({"patch_size": 14}, ["patch_size", "found 14"]), ({"act": "swish"}, ['"act": expected gelu', "found swish"]),
                      ({"act": 3}, ['"act": expected a word, found 3']), ({"norm": "rmsnorn"}, ['"norm": ', "rmsnorn", "near: rmsnorm"]),
                      ({"norm_eps": -1}, ['"norm_eps": expected a number from 0 to 1, found -1']), ({"norm_eps": 1e300}, ['"norm_eps": ', "found 1e300"]),
                      ({"mlp_ratio": 1e300}, ['"mlp_ratio": expected a number', "found 1e300"]), ({"mlp_ratio": 3}, ['"mlp_ratio": expected 4', "found 3"]),
                      ({"img_size": 27}, ['"img_size": expected a multiple of the patch', "27 x 27"]), ({"img_size": [28, {}]}, ['"img_size": expected a size in pixels', "found [28,{}]"]),
                      ({"img_size": 0}, ['"img_size": expected a size in pixels', "found 0"]), ({"num_classes": 11}, ['"num_classes": expected 10', "found 11"]),
                      ({"crop_pct": 0}, ['"crop_pct": expected a number from 0.01 to 1, found 0']), ({"mean": [0.5, 0.5]}, ['"mean": expected a list with one number a channel']),
                      ({"std": [0]}, ['"std": expected positive numbers, found [0]']), ({"interpolation": "nearest"}, ['"interpolation": expected bilinear or bicubic, found nearest']),
                      ({"qkv_bias": False}, ['"qkv_bias": expected true', "found false"])]:
    write("model/config.json", json.dumps({**config, **change}))
    refused(["list", t + "/model"], "model/config.json: ", *parts)
for text, parts in [('{"depth": 8,', ["expected JSON, found on line 1"]), ("[]", ["expected a JSON object"]), ("", ["expected JSON"]),
                    ('{"depth": 8, "depth": 8}', ["expected JSON", "duplicate"]), ("\x89PNG\r\n\x1a\n", ["expected JSON"]), ("[" * 5000, ["expected JSON", "depth"])]:
    write("model/config.json", text)
    refused(["list", t + "/model"], "model/config.json: ", *parts)
write("model/config.json", json.dumps(config))
for text, parts in [('{"image_mean": "half"}', ['"image_mean": expected a list', 'found "half"']), ('{"resample": 1}', ['"resample": expected 2 (bilinear) or 3 (bicubic), found 1']),
                    ('{"size": {"height": 0, "width": 0}}', ['"size": expected one length']), ('{"crop_size": 12}', ['"crop_size": ', "expected images of 28 x 28"]),
                    ('{"do_rescale": false}', ['"do_rescale": expected true, found false'])]:
    write("model/preprocessor_config.json", text)
    refused(["list", t + "/model"], "model/preprocessor_config.json: ", *parts)
os.remove(t + "/model/preprocessor_config.json")

# A link to nowhere, as a cache whose blobs were removed has it, is not the same as no file.
os.remove(t + "/model/config.json")
os.symlink("../blobs/gone", t + "/model/config.json")
refused(["list", t + "/model"], "model/config.json: cannot be opened: No such file")
os.remove(t + "/model/config.json")
os.mkdir(t + "/model/config.json")
refused(["list", t + "/model"], "model/config.json: expected a file, found a folder")
os.rmdir(t + "/model/config.json")

# Shards.
os.remove(t + "/model/model.safetensors")
index = "model/model.safetensors.index.json"
for text, parts in [(json.dumps({"weight_map": {"cls_token": "lost.safetensors"}}), ["lost.safetensors: cannot be opened"]), ("{}", ['expected an object "weight_map"']),
                    (json.dumps({"weight_map": {"cls_token": "../secret"}}), ["cls_token: expected the name of a file in the same folder, found '../secret'"]),
                    (json.dumps({"weight_map": {"cls_token": 7}}), ["cls_token: expected the name of a file", "no text"]), ('{"weight_map": ', ["expected JSON"])]:
    write(index, text)
    refused(["list", t + "/model"], "model/", *parts)
shutil.copy(model + "/model.safetensors", t + "/model/part.safetensors")
write(index, json.dumps({"weight_map": {"cls_token": "part.safetensors"}}))
refused(["list", t + "/model"], "index.json: tensor ", "found in", "part.safetensors")
os.remove(f"{t}/{index}")
os.symlink("../blobs/gone", t + "/model/model.safetensors")
refused(["list", t + "/model"], "model/model.safetensors: cannot be opened: No such file")

# What is no checkpoint at all.
os.makedirs(t + "/empty")
os.mkfifo(t + "/pipe")
write("text.safetensors", "weights, honestly\n")
for path, parts in [(t + "/empty", ["expected model.safetensors", "found none of them"]), ("README.md", ["found text"]),
                    (t + "/text.safetensors", ["found text"]), ("/dev/null", ["expected a file, found a device"]),
                    ("/dev/zero", ["expected a file, found a device"]), (t + "/pipe", ["expected a file, found a pipe"]), (write("zero", b""), ["expected", "an empty file"]),
                    (t + "/nowhere", ["cannot be opened: No such file"]), (t + "/zero/child", ["cannot be opened: Not a directory"]),
                    (write("zip.pt", b"PK\3\4" + bytes(40)), ["expected a whole zip archive"])]:
    refused(["list", path], path + ": ", *parts)
    refused(["dump", path, "fashion-mnist-1000", "-o", t + "/x.h5"], path + ": ", *parts)
done()
