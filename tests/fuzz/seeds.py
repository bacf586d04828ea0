"""Makes the seeds of the fuzz targets, tests/fuzz/*/: python3 tests/fuzz/seeds.py. Files named found-* are findings, kept by hand."""
import gzip
import io
import json
import os
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

here = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
    os.makedirs(f"{here}/{target}", exist_ok=True)
    open(f"{here}/{target}/{name}", "wb").write(data if isinstance(data, bytes) else data.encode())


def safetensors(header, size):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * size


put("safetensors", "one", safetensors({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, 24))
put("safetensors", "more", safetensors({"__metadata__": {"format": "pt"}, "b.c": {"dtype": "BF16", "shape": [3], "data_offsets": [4, 10]},
                                        "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
                                        "e": {"dtype": "F16", "shape": [0, 5], "data_offsets": [10, 10]}}, 10))
put("safetensors", "empty", safetensors({}, 0))

config = json.load(open("tests/golden/vit/hf-classifier/config.json"))
put("checkpoint", "config", b"\0" + json.dumps(config).encode())
put("checkpoint", "timm", b"\0" + json.dumps({"architecture": "vit_tiny", "embed_dim": 8, "depth": 2, "num_heads": 2, "patch_size": 4,
                                             "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5], "crop_pct": 0.9, "interpolation": "bicubic"}}).encode())
for i, name in enumerate(("gemma3", "llama3", "qwen2", "neox", "roberta", "distilbert", "mistral"), 1):
    config = json.load(open(f"tests/golden/words/{name}/config.json"))
    put("checkpoint", name, bytes([3 * i]) + json.dumps(config).encode())
put("checkpoint", "rope-scaling", bytes([6]) + json.dumps({"model_type": "llama", "num_attention_heads": 2, "head_dim": 16, "rope_theta": 500, "rope_scaling": {
    "type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64}}).encode())
put("checkpoint", "preprocessor", b"\1" + json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"shortest_edge": 40},
                                                      "crop_size": {"height": 8, "width": 8}, "resample": 3, "do_rescale": True}).encode())
put("checkpoint", "index", b"\2" + json.dumps({"metadata": {"total_size": 100}, "weight_map": {"vit.embeddings.cls_token": "part.safetensors",
                                                                                               "classifier.weight": "part.safetensors"}}).encode())

rng = np.random.default_rng(0)
pixels = rng.integers(0, 255, (2, 28, 28), dtype=np.uint8)
idx = struct.pack(">IIII", 0x803, 2, 28, 28) + pixels.tobytes()
put("idx", "plain", idx)
put("idx", "gzip", gzip.compress(idx, mtime=0))
put("idx", "wide", struct.pack(">IIIII", 0x804, 1, 2, 28, 28) + pixels.tobytes())


def npy(array, version=(1, 0)):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


put("npy", "floats", npy(rng.standard_normal((1, 1, 28, 28)).astype("f4")))
put("npy", "halves", npy(np.zeros((1, 1, 28, 28), "f2")))
put("npy", "bytes", npy(pixels[:, None], (2, 0)))
put("npy", "grey", npy(pixels))
put("npy", "ids", npy(np.array([[3, 7, 0], [39, -1, 0]], "i2")))


def image(array, kind, **more):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind, **more)
    return out.getvalue()


colour = rng.integers(0, 255, (20, 31, 3), dtype=np.uint8)
put("image", "grey.png", image(pixels[0], "PNG"))
put("image", "colour.png", image(colour, "PNG"))
put("image", "alpha.png", image(rng.integers(0, 255, (9, 7, 4), dtype=np.uint8), "PNG"))
palette = io.BytesIO()
Image.fromarray(colour).quantize(5).save(palette, "PNG", transparency=1)
put("image", "palette.png", palette.getvalue())
put("image", "deep.png", image((np.arange(63).reshape(9, 7) * 1000).astype("u2"), "PNG"))
put("image", "colour.webp", image(colour, "WEBP"))
put("image", "lossless.webp", image(colour[:9, :7], "WEBP", lossless=True))
put("image", "alpha.webp", image(np.random.default_rng(4).integers(0, 255, (9, 7, 4), dtype=np.uint8), "WEBP"))
put("image", "grey.jpg", image(pixels[0], "JPEG"))
put("image", "colour.jpg", image(colour, "JPEG", progressive=True))
cmyk = io.BytesIO()
Image.new("CMYK", (16, 8), (10, 20, 30, 40)).save(cmyk, "JPEG")
put("image", "cmyk.jpg", cmyk.getvalue())


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


put("image", "vast.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 50000, 50000, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b""))

put("text", "plain", "First Citizen:\nSpeak, speak.\n")
put("text", "unicode", "na\u00efve \u4f60\u597d \U0001f600".encode())
put("text", "gzip", gzip.compress(b"abcabc", mtime=0))
put("text", "overlong", b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80")
put("labels", "plain", "3\n7\n")
put("labels", "named", "# names\n0 3\n1,7\r\n\n")
put("labels", "idx", struct.pack(">II", 0x801, 2) + b"\1\2")
put("labels", "npy", npy(np.array([1, 2])))
for i, text in enumerate(["blocks.*.norm1", "norm", "blocks.1", "**", "[a-z]?.[!0]", "1,3-5,2", "20-10", "99999999999", "1-"]):
    put("words", str(i), text)
for i, lines in enumerate([["model", "data", "-o", "run.h5"], ["--whole=7", "-f", "--", "-f"], ["--real", "1e-3", "-cblue", "--list=a", "-l", "b"],
                           ["--choice", "purple"], ["--whole", "99999999999999999999"], ["--txt=", "it's"], ["0.5,0.25,1e3", "0.5", "1,2,3,4,5"], ["-w", "--real", "nan"]]):
    put("arguments", str(i), "\n".join(lines))
# A checkpoint by its number, then changes of tensors: which one, what, and two operands.
for i in (*range(11), *range(18, 26)):
    put("tensors", f"as-it-is-{i}", bytes([i]))
    put("tensors", f"wider-{i}", bytes([i, 0, 6, 0, 10 + i % 4, 0]))
for i, changes in enumerate([[3, 0, 0, 0], [5, 1, 0, 19], [2, 2, 0, 1], [7, 3, 0, 0], [4, 4, 0, 1], [6, 5, 0, 2], [1, 6, 1, 25, 9, 6, 0, 24]]):
    put("tensors", f"changed-{i}", bytes([i, *changes]))
for name, parts in (("usual", 0), ("affine", 1), ("alpha", 2), ("sampled", 12), ("sketch", 80), ("both", 92), ("two-sites", 32)):
    put("store", name, bytes([parts]))
for i in range(12):
    put("store", f"odd-{i}", rng.integers(0, 256, 160).astype(np.uint8).tobytes())
    mostly = np.where(rng.random(400) < 0.06, rng.integers(200, 256, 400), rng.integers(0, 200, 400)).astype(np.uint8)
    put("store", f"mostly-{i}", mostly.tobytes())


def shrunk(spec, most):
    """A tokenizer.json with that many of its words, and the merges that they make possible."""
    spec = json.loads(json.dumps(spec))
    model = spec["model"]
    added = {a["content"] for a in spec["added_tokens"]}
    if isinstance(model["vocab"], list):
        model["vocab"] = model["vocab"][:max(most, (model.get("unk_id") or 0) + 1)]
        return spec
    words = sorted(model["vocab"], key=model["vocab"].get)
    kept = set(words[:most // 2]) | {a for m in model.get("merges", [])[:most // 4] for a in (*m, "".join(m))} | added | set(words[-most // 4:])
    kept |= {w for w in words if w in "aehlortdW" or w == model.get("unk_token")}
    model["vocab"] = {w: i for w, i in model["vocab"].items() if w in kept}
    if "merges" in model:
        model["merges"] = [m for m in model["merges"] if {*m, "".join(m)} <= kept]
    return spec


small_files = sorted(f for f in os.listdir("tests/golden/tokens") if f.endswith(".json"))
for name in small_files:
    spec = json.load(open(f"tests/golden/tokens/{name}"))
    for most in (12, 80):
        put("tokenizer", f"{name[:-5]}-{most}", b"\0" + json.dumps(shrunk(spec, most), ensure_ascii=most == 12).encode())
put("tokenizer", "vocab.txt", "\1[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nw\n##or\n##ld\n,\n\u4f60\n")
put("tokenizer", "vocab.json", '\2{"H": 0, "e": 1, "l": 2, "o": 3, "\u0120": 4, "He": 5, "ll": 6, "Hell": 7, "<|endoftext|>": 8}\n#version: 0.2\nH e\nl l\nHe ll\n')
put("tokenizer", "roberta", '\2{"<s>": 0, "</s>": 1, "l": 2, "o": 3, "<mask>": 4, "lo": 5}\nl o\n')
ggml = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.tokens": ["<s>", "H", "e", "l", "o", "\u0120", "He", "ll"],
        "tokenizer.ggml.token_type": [3, 1, 1, 1, 1, 1, 1, 1], "tokenizer.ggml.merges": ["H e", "l l"], "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0, "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_space_prefix": False}
put("tokenizer", "gguf-gpt2", "\3" + json.dumps(ggml))
for pre in ("default", "llama-bpe", "qwen2", "gpt-4o"):
    put("tokenizer", f"gguf-{pre}", "\3" + json.dumps({**ggml, "tokenizer.ggml.pre": pre}))
put("tokenizer", "gguf-llama", "\3" + json.dumps({"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "H", "e", "l", "He", "ll", "\u2581He"],
                                                  "tokenizer.ggml.scores": [0, 0, 0, 0, -1, -2, -3, -4, -5.5, -5.5, -0.25], "tokenizer.ggml.token_type": [2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1]}))
put("tokenizer", "gguf-bert", "\3" + json.dumps({"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581hello", "\u2581w", "or", "ld"],
                                                 "tokenizer.ggml.token_type": [3, 3, 3, 3, 1, 1, 1, 1], "tokenizer.ggml.cls_token_id": 2, "tokenizer.ggml.seperator_token_id": 3,
                                                 "tokenizer.ggml.unknown_token_id": 1}))
records = open("tests/golden/tokens/texts.bin", "rb").read()
at = number = 0
while at < len(records) and number < 60:
    (size,) = struct.unpack_from("<I", records, at)
    put("encode", str(number), bytes([number]) + records[at + 4:at + 4 + size])
    at += 4 + size
    number += 1



def points(name, how, curve, channels, x, y):
    values = np.asarray(x, "<f4").tobytes() + np.asarray(y, "<f4").tobytes()
    put("points", name, bytes([channels - 1, how, curve]) + values)
    put("stats", name, bytes([channels - 1]) + values)


normal = np.random.default_rng(1).standard_normal(96)
points("tanh", 6, 0, 4, normal * 3, np.tanh(normal * 3))
points("line", 32, 1, 1, normal, 2 * normal)
points("same", 0, 2, 2, np.ones(20), np.zeros(20))
points("large", 8, 3, 2, normal[:30] * 1e38, normal[:30] * 1e38)
points("small", 16, 4, 3, normal[:30] * 1e-42, normal[:30])
points("none", 7, 5, 1, [np.nan, np.inf, -np.inf, 1], [1, 2, 3, np.nan])

sketch = np.random.default_rng(2)
for i in range(8):
    put("sketch", str(i), np.where(sketch.random(200) < 0.02 * i, sketch.integers(200, 256, 200), sketch.integers(0, 200, 200)).astype(np.uint8).tobytes())

training = np.random.default_rng(3)
for i in range(4):
    put("training", f"as-it-is-{i}", bytes([i]))
for i in range(8):
    put("training", f"mostly-{i}", np.where(training.random(90) < 0.05, training.integers(200, 256, 90), training.integers(0, 200, 90)).astype(np.uint8).tobytes())

for name, text in (("plain", "#1/x\t%\nalpha_0\taccuracy\n0.5\t80\n1\t81.5\n"), ("words", "# a\n#\ttext\nx\ty\r\na\t\r\nb\tnan\r\n\r\n"), ("long", "x\n1\t2\n"), ("none", "x\ty\n")):
    put("tsv", name, text)


def pickle_of(name):
    with zipfile.ZipFile(name) as archive:
        return next(archive.read(entry) for entry in archive.namelist() if entry.endswith("/data.pkl"))


for name in sorted(os.listdir("tests/golden/torch")):
    path, stem = f"tests/golden/torch/{name}", name.rsplit(".", 1)[0]
    if name in ("before-1.6.pt", "before-1.6-under-model.pt", "without-checksums.pt", "deflated.pt", "version-3.pt", "refused-torchscript.pt"):
        put("pytorch", f"file-{stem}", b"\0" + open(path, "rb").read())
    if name.endswith((".pt", ".pth", ".ckpt")) and zipfile.is_zipfile(path) and not name.startswith(("by-", "without", "unaligned", "deflated")):
        put("pytorch", f"pickle-{name}", b"\1" + pickle_of(path))
for i, text in enumerate([b"\x80\x02cposix\nsystem\nX\2\0\0\0ls\x85R.", b"\x80\x04}\x94(\x8c\1a\x94]\x94K\1a\x8c\1b\x8f(K\1\x90u.", b"\x80\x02}q\0X\1\0\0\0ah\0s.",
                          b"\x80\x02ccollections\nOrderedDict\n]](X\1\0\0\0aK\1eaa\x85R}b.", b"\x80\x02\x8b\2\0\0\0\1\2G?\xf8\0\0\0\0\0\0J\xff\xff\xff\xff\x87."]):
    put("pytorch", f"small-{i}", b"\1" + text)
put("raw_ids", "two", np.arange(12, dtype="<u2").tobytes())
put("raw_ids", "four", np.arange(290, 302, dtype="<u4").tobytes())
put("raw_ids", "odd", b"\1\2\3")

GGUF_TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34),
              "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "BF16": (30, 1, 2)}


def gguf_value(value):
    """A value with its type's number before it."""
    if isinstance(value, bool):
        return struct.pack("<IB", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<IQ", 8, len(value)) + value.encode()
    items = [gguf_value(v) for v in value]
    return struct.pack("<I", 9) + items[0][:4] + struct.pack("<Q", len(items)) + b"".join(i[4:] for i in items)


def gguf(version, keys, tensors):
    """tensors: {name: (type, extents from the innermost)}"""
    out, body = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)), b""
    for key, value in keys.items():
        out += struct.pack("<Q", len(key)) + key.encode() + gguf_value(value)
    for name, (kind, extents) in tensors.items():
        number, values, size = GGUF_TYPES[kind]
        body += b"\0" * (-len(body) % 32)
        out += struct.pack("<Q", len(name)) + name.encode() + struct.pack(f"<I{len(extents)}QIQ", len(extents), *extents, number, len(body))
        body += b"\0\x3c" * (int(np.prod(extents)) // values * size // 2)
    return out + b"\0" * (-len(out) % 32) + body


def tiny_llama(arch, kinds, hidden, biased, normed=False):
    blocks = {"attn_norm": 32, "attn_q": (32, 32), "attn_k": (32, 16), "attn_v": (32, 16), "attn_output": (32, 32), "ffn_norm": 32,
              "ffn_gate": (32, hidden), "ffn_up": (32, hidden), "ffn_down": (hidden, 32)}
    if normed:
        blocks.update(attn_q_norm=16, attn_k_norm=16)
    tensors, turn = {"token_embd.weight": (kinds[0] if GGUF_TYPES[kinds[0]][1] <= 32 else "F16", (32, 3)), "output_norm.weight": ("F32", (32,))}, 0
    for part, extents in blocks.items():
        flat = isinstance(extents, int)
        kind = "F32" if flat else kinds[turn % len(kinds)]
        turn += not flat
        if not flat and extents[0] % GGUF_TYPES[kind][1]:
            kind = "F16"
        tensors[f"blk.0.{part}.weight"] = (kind, (extents,) if flat else extents)
        if biased and part in ("attn_q", "attn_k", "attn_v"):
            tensors[f"blk.0.{part}.bias"] = ("F32", (extents[1],))
    keys = {"general.architecture": arch, "general.alignment": 32, f"{arch}.block_count": 1, f"{arch}.context_length": 8, f"{arch}.embedding_length": 32,
            f"{arch}.feed_forward_length": hidden, f"{arch}.attention.head_count": 2, f"{arch}.attention.head_count_kv": 1,
            f"{arch}.attention.layer_norm_rms_epsilon": 1e-5, f"{arch}.rope.freq_base": 1e4, f"{arch}.rope.dimension_count": 16,
            "tokenizer.ggml.tokens": ["a", "b", "c"], "tokenizer.ggml.scores": [0.0, -1.0, 2.0]}
    return keys, tensors


put("gguf", "llama", gguf(3, *tiny_llama("llama", ["Q8_0", "Q4_0", "Q4_1", "F16"], 32, False)))
put("gguf", "qwen2", gguf(2, *tiny_llama("qwen2", ["BF16", "F32", "Q5_0", "Q5_1"], 32, True)))
put("gguf", "qwen3", gguf(3, *tiny_llama("qwen3", ["Q4_K", "Q6_K", "Q5_K"], 256, False, True)))
put("gguf", "gpt2", gguf(3, {"general.architecture": "gpt2", "gpt2.block_count": 1, "gpt2.context_length": 4, "gpt2.embedding_length": 4, "gpt2.feed_forward_length": 8,
                            "gpt2.attention.head_count": 2, "gpt2.attention.layer_norm_epsilon": 1e-5},
                         {"token_embd.weight": ("F32", (4, 3)), "position_embd.weight": ("F32", (4, 4)), "blk.0.attn_norm.weight": ("F32", (4,)), "blk.0.attn_norm.bias": ("F32", (4,)),
                          "blk.0.attn_qkv.weight": ("F16", (4, 12)), "blk.0.attn_qkv.bias": ("F32", (12,)), "blk.0.attn_output.weight": ("F32", (4, 4)), "blk.0.ffn_norm.weight": ("F32", (4,)),
                          "blk.0.ffn_norm.bias": ("F32", (4,)), "blk.0.ffn_up.weight": ("F32", (4, 8)), "blk.0.ffn_down.weight": ("F32", (8, 4)), "output_norm.weight": ("F32", (4,)),
                          "output_norm.bias": ("F32", (4,)), "output.weight": ("BF16", (4, 3))}))
norms = {f"{name}.{last}": ("F32", (4,)) for name in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm") for last in ("weight", "bias")}
put("gguf", "bert", gguf(3, {"general.architecture": "bert", "bert.block_count": 1, "bert.context_length": 4, "bert.embedding_length": 4, "bert.feed_forward_length": 8, "bert.attention.head_count": 2,
                            "bert.attention.layer_norm_epsilon": 1e-5, "bert.attention.causal": False, "tokenizer.ggml.token_type_count": 2, "tokenizer.ggml.padding_token_id": 0},
                         {"token_embd.weight": ("F16", (4, 3)), "token_types.weight": ("F32", (4, 2)), "position_embd.weight": ("F16", (4, 4)), **norms,
                          **{f"blk.0.{part}.weight": ("F16", (4, 4)) for part in ("attn_q", "attn_k", "attn_v", "attn_output")},
                          "blk.0.ffn_up.weight": ("F32", (4, 8)), "blk.0.ffn_down.weight": ("F32", (8, 4))}))
