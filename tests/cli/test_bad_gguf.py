"""GGUF files that are damaged, vast or of networks that are not known: what is said of them. Written byte by byte, since no library writes such files."""
import os
import shutil
import struct
import sys

sys.path.insert(0, "tests/tools")
from refusals import done, fail, peak, refused, run, t, write

U8, I32, F32, BOOL, TEXT, ARRAY, U64 = 0, 5, 6, 7, 8, 9, 10
U32 = 4
good = open("tests/golden/gguf/llama.gguf", "rb").read()


def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def entry(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def u32(value):
    return struct.pack("<I", value)


def tensor(name, extents, kind, offset):
    return text(name) + u32(len(extents)) + struct.pack(f"<{len(extents)}QIQ", *extents, kind, offset)


LLAMA = [entry("general.architecture", TEXT, text("llama")), entry("llama.block_count", U32, u32(1)), entry("llama.attention.head_count", U32, u32(1))]


def file(keys=(), tensors=(), version=3, counts=None, data=b""):
    n, k = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, n, k) + b"".join(keys) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + data


def bad(data, *parts):
    path = write("bad.gguf", data)
    refused(["list", path], "bad.gguf", *parts)


# The beginning.
for size in (4, 6, 8, 15, 23):
    bad(good[:size], "to the end of the file")
bad(file(version=1), "expected GGUF of version 2 or 3, found version 1; llama.cpp's converter")
bad(file(version=4), "found version 4")
bad(b"GGUF" + struct.pack(">I", 3) + bytes(16), "found a big-endian one")

# Numbers that no file can hold.
bad(file(LLAMA, counts=(1 << 60, 3)), "expected at most", "tensors in the", f"found {1 << 60}")
bad(file(counts=(0, 1 << 60))[:24], "expected 8 bytes more at byte 24 for the name of a key")
bad(file(counts=(0, 1))[:24] + struct.pack("<Q", 1 << 60), f"expected {1 << 60} bytes more at byte 32 for the name of a key, found 0")
bad(file([entry("a.b", TEXT, struct.pack("<Q", 1 << 62))]), f"expected {1 << 62} bytes more")
bad(file([entry("a.b", ARRAY, u32(U8) + struct.pack("<Q", 1 << 60))]), "key a.b: expected an array within the", f"found {1 << 60} values")
bad(file([entry("a.b", ARRAY, u32(U64) + struct.pack("<Q", (1 << 61) + 1) + bytes(64))]), "expected an array within the")
nested = b"".join(u32(ARRAY) + struct.pack("<Q", 1) for _ in range(100000))
bad(file([entry("a.b", ARRAY, nested)]), "arrays in arrays in arrays")
bad(file([entry("a.b", ARRAY, u32(U8) + struct.pack("<Q", (1 << 22) + 5) + bytes((1 << 22) + 5))]), "expected at most 4194304 values in all keys")
bad(file([entry("a.b", 77, bytes(8))]), "key a.b: expected a type from 0 to 12, found 77")
bad(file([entry("a.b", U32, u32(1))] * 2), "key a.b: expected once, found twice")
bad(file([entry("", U32, u32(1))]), "the name of a key of 1 to 255 printable characters")
bad(file([entry(b"a\0b", U32, u32(1))]), "the name of a key of 1 to 255 printable characters")
for alignment in (0, 3, 1 << 20):
    bad(file([entry("general.alignment", U32, u32(alignment))]), "general.alignment: expected a power of two", f"found {alignment}")
vast = write("vast.gguf", file(LLAMA, counts=(1 << 60, 3)))
if peak("list", vast) > 64:
    fail(["list", vast], "takes more than 64 MiB")

# Tensors.
for extents, kind, offset, parts in [
    ([1 << 40, 1 << 40], 0, 0, ["the product of its shape overflows"]), ([1 << 63], 0, 0, ["overflows"]), ([4] * 5, 0, 0, ["expected 1 to 4 extents, found 5"]),
    ([1 << 58], 0, 0, ["expected", "bytes from 0 up within the 64 of data, found fewer"]), ([16], 0, 32, ["bytes from 32 up within the 64"]),
    ([16], 0, (1 << 64) - 32, ["within the 64 of data"]), ([16], 0, 8, ["expected an offset that is a multiple of 32, found 8"]),
    ([33], 8, 0, ["expected rows of a multiple of 32 values, which a block of Q8_0 has, found 33"]), ([16], 10, 0, ["expected type F32", "found Q2_K; llama-quantize"]),
    ([16], 23, 0, ["found IQ4_XS"]), ([16], 4000, 0, ["found number 4000"]), ([16], 4, 0, ["found Q4_2"])]:
    bad(file(LLAMA, [tensor("blk.0.attn_norm.weight", extents, kind, offset)], data=bytes(64)), "tensor blk.0.attn_norm.weight: ", *parts)
two = [tensor("output_norm.weight", [16], 0, 0), tensor("blk.0.attn_norm.weight", [8], 0, 32)]
bad(file(LLAMA, two, data=bytes(64)), "tensor blk.0.attn_norm.weight: expected its data behind that of output_norm.weight")
bad(file(LLAMA, [tensor("output_norm.weight", [8], 0, 0), tensor("output_norm.weight", [8], 0, 32)], data=bytes(64)), "expected once, found twice")

# Networks that are not known, and settings.
one = [tensor("output_norm.weight", [16], 0, 0)]


def other(*keys, tensors=one):
    return file([*keys, *LLAMA], tensors, data=bytes(64))


bad(file([entry("general.architecture", TEXT, text("mamba"))], one, data=bytes(64)), "general.architecture: expected llama", "found mamba")
bad(file([entry("general.type", TEXT, text("adapter"))], one, data=bytes(64)), 'expected "model", found "adapter"')
bad(file(), "general.architecture: expected llama", "found no text")
bad(other(entry("split.count", 2, struct.pack("<H", 3))), "found one of 3 pieces; llama-gguf-split --merge")
bad(other(entry("llama.rope.scaling.type", TEXT, text("yarn"))), 'llama.rope.scaling.type: expected "none" or "linear", found "yarn"')
bad(other(entry("llama.rope.scaling.factor", F32, struct.pack("<f", 4))), "llama.rope.scaling.factor: expected 1 without a type, found 4")
bad(other(entry("llama.expert_count", U32, u32(8))), "llama.expert_count: expected 0, found 8")
bad(other(entry("llama.new_thing", F32, struct.pack("<f", 0.5))), "llama.new_thing: expected no setting that is not known here", "found 0.5")
bad(other(entry("clip.vision", U32, u32(1))), "clip.vision: expected keys of general")
bad(other(entry("llama.embedding_length", TEXT, text("wide"))), 'llama.embedding_length: expected a number, found "wide"')
bad(other(entry("llama.embedding_length", U32, u32(64)), entry("llama.rope.dimension_count", U32, u32(16))), "llama.rope.dimension_count: expected 64", "found 16")
for name in ("blk.0.ffn_gate_inp.weight", "blk.0.attn_norm.scale", "blk.00.attn_norm.weight", "blk.99999999999.attn_norm.weight", "blk..attn_norm.weight", "rope_freqs.weight"):
    bad(other(tensors=[tensor(name, [16], 0, 0)]), f"tensor {name}: expected those of the architecture llama")
bad(other(tensors=[tensor("blk.0.attn_q.weight", [4, 3], 0, 0)]), "tensor blk.0.attn_q.weight: expected rows of 1 heads of an even number of channels, found 3")

# Every cut is refused, and what lies behind the data is not looked at.
for size in list(range(24, len(good), 4099)) + [len(good) - 1, len(good) - 64]:
    bad(good[:size], "expected", "found")
path = write("longer.gguf", good + b"more")
if run("list", path)[0]:
    fail(["list", path], "refused")

# A folder's config.json does not speak for a GGUF file; its hash is that of its bytes.
os.makedirs(t + "/folder")
shutil.copy("tests/golden/gguf/llama.gguf", t + "/folder/m.gguf")
write("folder/config.json", '{"model_type": "bert"}')
status, out, said = run("list", t + "/folder/m.gguf")
if status or "GGUF: llama.embedding_length" not in out:
    fail(["list", "folder/m.gguf"], said + out)
done()
