"""PyTorch's files at the program: a model runs with the same bits from them as from safetensors; what is not read is refused by name, and nothing
that a pickle asks for is done. Values of every form: test_pytorch.c. The files of tests/golden/torch: scripts/oracle_torch_files.py."""
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
import warnings
import zipfile

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
from refusals import done, fail, peak, program, refused, t, write

files = "tests/golden/torch/"
warnings.filterwarnings("ignore", "Duplicate name")


def folder(name, model, **held):
    """A folder with the files `held` and the config.json of a model of tests/golden."""
    os.makedirs(f"{t}/{name}")
    shutil.copy(f"tests/golden/{model}/config.json", f"{t}/{name}")
    for to, source in held.items():
        shutil.copy(source, f"{t}/{name}/{to}")
    return f"{t}/{name}"


def dumped(model, data, name):
    subprocess.run([program, "dump", model, data, "-o", f"{t}/{name}.h5"], check=True, stdout=subprocess.DEVNULL)
    with h5py.File(f"{t}/{name}.h5") as run:
        found = {}
        run["sites"].visititems(lambda path, x: found.__setitem__(path, x[()]) if isinstance(x, h5py.Dataset) else None)
        return found


def same_run(model, source, data):
    expected, found = dumped(model, data, "expected"), dumped(source, data, "found")
    assert expected.keys() == found.keys() and any(x.size > 100 for x in expected.values())
    for name in expected:
        if expected[name].tobytes() != found[name].tobytes():
            fail([source], f"{name}: other values")
    os.remove(f"{t}/expected.h5"), os.remove(f"{t}/found.h5")


# ---- models ----
rng = np.random.default_rng(1)
np.save(f"{t}/ids.npy", rng.integers(0, 90, (3, 7)))
for name, size in ("pixels", 8), ("larger", 24):
    np.save(f"{t}/{name}.npy", rng.standard_normal((2, 3, size, size)).astype("f4"))
golden = "tests/golden/"
for name, model, data, held in [
        ("bert", "words/bert-relu", f"{t}/ids.npy", {"pytorch_model.bin": files + "bert.bin"}),
        ("shards", "words/bert-relu", f"{t}/ids.npy", {n: files + n for n in sorted(os.listdir(files)) if n.startswith("pytorch_model")}),
        ("gpt", "words/gpt2-inverse", f"{t}/ids.npy", {"pytorch_model.bin": files + "gpt2.bin"}),
        ("llama", "words/llama-tied", f"{t}/ids.npy", {"pytorch_model.bin": files + "llama.bin"}),
        ("dinov2", "vision/dinov2-original", f"{t}/larger.npy", {"dinov2.pth": files + "dinov2.pth"}),
        ("vit", "vit/timm-bare", f"{t}/pixels.npy", {"vit.pth": files + "vit.pth"}),
        ("lightning", "vit/timm-bare", f"{t}/pixels.npy", {"vit.ckpt": files + "vit.ckpt"})]:
    source = folder(name, model, **held)
    if name in ("dinov2", "vit", "lightning"):  # files of any name, which no folder says
        source = f"{source}/{next(iter(held))}"
    same_run(golden + model, source, data)
said = subprocess.run([program, "list", f"{t}/lightning/vit.ckpt"], capture_output=True, text=True, check=True).stdout
assert "PyTorch" in said and "state_dict" in said and "net." in said, said

# What is read is not written, under whatever name it was given.
for source, data, output in [(f"{t}/vit/vit.pth:model", "pixels", "vit/vit.pth"), (f"{t}/shards", "ids", "shards/pytorch_model-00002-of-00002.bin")]:
    refused(["dump", source, f"{t}/{data}.npy", "-o", f"{t}/{output}", "-f"], "is read, so it cannot be what is written", status=2)
refused(["list", f"{t}/vit/vit.pth:."], "vit.pth: expected tensors in the dictionary under the key ., found none")

# ---- real files that are no state dict ----
whole = ["torch.nn.modules.container.Sequential", "nothing of a pickle is run", 'torch.save(model.state_dict(), "weights.pt")']
for name, parts in {"whole-model": ["data.pkl, byte 2: expected a state dict, found", *whole], "before-1.6-whole-model": ["pickle of the object", *whole],
                    "torchscript": ["found a TorchScript module", ".state_dict()"], "tensor": ["expected a dictionary of tensors, found a tensor"],
                    "sparse": ["tensor a.weight: expected an array of numbers, found a sparse tensor"], "quantized": ["found a quantized tensor"],
                    "complex": ["a.weight: expected elements of a type that is known, found C64"], "conjugate": ["found a negated or conjugate view"],
                    "negated": ["found a negated or conjugate view"], "meta": ["without values (device meta)"],
                    "optimizer": ["expected a dictionary of tensors, found one without any: state, param_groups"]}.items():
    refused(["list", f"{files}refused-{name}.pt"], f"refused-{name}.pt: ", *parts)
np.savez(f"{t}/arrays.npz", a=np.ones(3))
refused(["list", f"{t}/arrays.npz"], "arrays.npz: expected a file of torch.save, found NumPy's .npz")


def archive(pickled, *more, name="model", method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for path, data in [(f"{name}/data.pkl", pickled), *more]:
            z.writestr(zipfile.ZipInfo(path), data, method)
    return out.getvalue()


refused(["list", write("other.zip", archive(b"", name="a/b"))], "other.zip: expected a file of torch.save, with an entry NAME/data.pkl", "a/b/data.pkl")


def attack(pickled, *parts, **more):
    """In bounded time and memory."""
    begun = time.monotonic()
    path = write("attack.pt", archive(pickled, **more))
    refused(["list", path], "attack.pt", *parts)
    if time.monotonic() - begun > 20:
        fail(["list"], f"{time.monotonic() - begun:.1f} s: {parts}")


# ---- code ----
class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


mark = f"{t}/was-run"
for protocol in 2, 3, 4, 5:
    attack(pickle.dumps({"model": Call(os.system, f"touch {mark}")}, protocol), "found posix.system, which is not looked up")
    attack(pickle.dumps(Call(os.system, f"touch {mark}"), protocol), "expected a state dict, found posix.system")
    attack(pickle.dumps([Call(eval, f"open({mark!r}, 'w')")], protocol), f"found {'__builtin__' if protocol == 2 else 'builtins'}.eval")
attack(b"\x80\x02}(X\1\0\0\0aiposix\nsystem\nX\2\0\0\0lsu.", "expected an operation that torch.save writes, found INST of posix.system")
attack(b"\x80\x02cposix\nsystem\n(X\2\0\0\0lso.", "found posix.system")
attack(b"\x80\x02(X\2\0\0\0lsccollections\nOrderedDict\no.", "found OBJ")
attack(b"\x80\x02}ctorch\nFloatStorage\n)R.", "torch.FloatStorage of nothing: it is a type")
attack(b"\x80\x02}ctorch\nfloat32\nX\1\0\0\0aR.", "expected a tuple, found text")
attack(b"\x80\x02}K\1)R.", "expected a name, found a whole number")
attack(b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(h\0", "expected a value that was remembered before")
attack(b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)NtR.", "of a function that makes tensors")
attack(b"\x80\x02]\x82\1.", "found EXT1")
attack(b"\x80\x02]\x97.", "found NEXT_BUFFER")
attack(b"\x80\x02]\xff.", "expected an operation that torch.save writes, found 0xff")
assert not os.path.exists(mark)

# ---- sizes ----
attack(b"\x80\x02" + b"(" * 200000, "at most 10000 lists within lists")
attack(b"\x80\x02)" + b"\x85" * 1000000 + b".", "expected a dictionary of tensors, found a tuple")
attack(b"\x80\x02}" + b"X\1\0\0\0a}" * 300000 + b"s" * 300000 + b".", "expected a dictionary of tensors, found one without any: a")
attack(b"\x80\x02]q\0(" + b"h\0" * 1000000 + b"e.", "expected a dictionary of tensors, found a list")
attack(b"\x80\x02}q\0(" + b"X\1\0\0\0ah\0" * 100000 + b"u.", "found one without any: a, a")
attack(b"\x80\x02}r\xff\xff\xff\xff.", "fewer values to remember", "4294967295")
attack(b"\x80\x02}r\x00\x00\x00\x01." + bytes(17 << 20), "take at most 512 MiB of memory", method=zipfile.ZIP_DEFLATED)
attack(b"\x80\x02" + b"]" * (16 << 20), "take at most 512 MiB of memory", method=zipfile.ZIP_DEFLATED)
if "NS_SANITIZED" not in os.environ and not 400 < peak("list", f"{t}/attack.pt") < 700:
    fail(["list"], "another peak of memory than expected")
attack(b"\x80\x02\x8b\xff\xff\xff\x7f1.", "ends within an operation, at byte 2")
attack(b"\x80\x02\x8b\xff\xff\xff\xff1.", "ends within an operation")
attack(b"\x80\x02X\xff\xff\xff\xffa.", "ends within an operation")
attack(b"\x80\x04\x8d" + b"\xff" * 8 + b"a.", "ends within an operation")
attack(b"\x80\x02\x8b" + struct.pack("<I", 1 << 20) + b"\1" * (1 << 20) + b".", "found an object")
attack(b"\x80\x02}", "ends at byte 3 without a STOP")
attack(b"", "ends at byte 0 without a STOP")
attack(b"\x80\x06}.", "expected a pickle of protocol 2 to 5, found 6")
attack(b"\x80\x02}}.", "expected one value in the end, found more")
for cut in b"a", b"s", b"u", b"e", b"t", b"\x86", b"q\0", b"b", b"R", b"Q", b"0", b"1", b"\x93", b"\x90", b"(s", b"(\x85":
    attack(b"\x80\x02" + cut + b".", "expected")


# ---- tensors that do not lie in their storages ----
def tensor(storage="0", count=6, offset=0, shape=(2, 3), strides=(3, 1), kind="FloatStorage"):
    def whole(n):
        return b"\x8a\x08" + struct.pack("<q", n)

    def numbers(all):
        return b"(" + b"".join(whole(n) for n in all) + b"t"

    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(storage) + text("cpu") + whole(count)
            + b"tQ" + whole(offset) + numbers(shape) + numbers(strides) + b"\x89}tR")


def state(*pieces, name=b"X\3\0\0\0a.b"):
    return b"\x80\x02}(" + b"".join(name + p for p in pieces) + b"u."


def misplaced(piece, *parts, data=bytes(24), **more):
    refused(["list", write("misplaced.pt", archive(state(piece), ("model/data/0", data), **more))], "misplaced.pt: ", *parts)


known = "expected a model of a family"
misplaced(tensor(), known)
misplaced(tensor(strides=(1, 2)), known)
misplaced(tensor(offset=1), "tensor a.b: expected elements within the 6 of its storage 0, found some beyond")
misplaced(tensor(strides=(4, 1)), "found some beyond")
misplaced(tensor(shape=(0, 3), offset=100), known)
misplaced(tensor(shape=(1 << 62, 4)), "tensor a.b: expected a shape whose product 63 bits hold")
misplaced(tensor(shape=(1 << 40,), strides=(0,)), "at most 256 MiB of repeated elements")
misplaced(tensor(shape=(3, 1 << 62), strides=(1 << 62, 1)), "expected a shape whose product")
misplaced(tensor(shape=(3,), strides=(1 << 62,)), "strides that stay within its storage")
misplaced(tensor(shape=(2,), strides=(1 << 62,), offset=1 << 62), "found some beyond")
misplaced(tensor(shape=(-1, 3)), "expected whole numbers from 0 up as a tensor's shape and strides, found one below 0")
misplaced(tensor(strides=(-3, 1)), "found one below 0")
misplaced(tensor(offset=-1), "of a storage, an offset, a shape and as many strides")
misplaced(tensor(strides=(3,)), "of a storage, an offset, a shape and as many strides")
misplaced(tensor(shape=[1] * 9, strides=[1] * 9), "at most 8 dimensions")
misplaced(tensor(count=7), "model/data/0: expected a storage of 7 x 4 bytes, found 24")
misplaced(tensor(count=1 << 62), "expected a storage of 4611686018427387904 x 4 bytes")
misplaced(tensor(count=-1), "expected a storage of 0 or more elements")
misplaced(tensor(storage="1"), "expected a storage data/1 in the archive, found none")
misplaced(tensor(storage="../0"), "expected a storage data/../0 in the archive, found none")
misplaced(tensor(kind="DoubleStorage"), "expected a storage of 6 x 8 bytes, found 24")
misplaced(tensor(kind="QInt8Storage", count=24), "found QINT8")
refused(["list", write("twice.pt", archive(state(tensor(), tensor()), ("m/data/0", bytes(24)), name="m"))], "tensor a.b: expected one of that name, found two")
for name in b"X\2\0\0\0\xff.", b"X\0\0\0\0", b"X\3\0\0\0a\0b":
    refused(["list", write("name.pt", archive(state(tensor(), name=name), ("m/data/0", bytes(24)), name="m"))], "expected tensors' names as text in UTF-8")

# ---- archives ----
good = archive(state(tensor()), ("model/data/0", bytes(range(24))), ("model/byteorder", b"little"))
refused(["list", write("big.pt", archive(state(tensor()), ("model/data/0", bytes(24)), ("model/byteorder", b"big")))], "model/byteorder: expected little, found 'big'")
refused(["list", write("two.pt", archive(state(tensor()), ("other/data.pkl", b"")))], "expected one data.pkl, found model/data.pkl and other/data.pkl")
refused(["list", write("twice.pt", archive(state(tensor()), ("model/data.pkl", b"")))], "expected one entry of that name, found two")
for cut in range(4, len(good), 31):
    refused(["list", write("cut.pt", good[:cut])], "cut.pt: expected a whole zip archive, found")
damaged = bytearray(good)
damaged[damaged.index(b"_rebuild_tensor_v2") + 17] ^= 1
refused(["list", write("damaged.pt", bytes(damaged))], "model/data.pkl: expected bytes of checksum", "the file is damaged")


def directory(data, entry, at, value, size=4):
    """With another number in the central directory's entry."""
    out, place = bytearray(data), -1
    for _ in range(entry + 1):
        place = data.index(b"PK\1\2", place + 1)
    out[place + at : place + at + size] = value.to_bytes(size, "little")
    return bytes(out)


zeros = archive(state(tensor(count=1 << 28, shape=(1 << 28,), strides=(1,))), ("model/data/0", bytes(1 << 20)), method=zipfile.ZIP_DEFLATED)
for name, data, parts in [
        ("overlap", directory(good, 2, 42, 0), ["expected bytes of its own, found those of"]),
        ("beyond", directory(directory(good, 1, 20, 1 << 30), 1, 24, 1 << 30), ["model/data/0: "]),
        ("method", directory(good, 1, 10, 12, 2), ["model/data/0: expected an entry that is stored or deflated, found method 12"]),
        ("encrypted", directory(good, 0, 8, 1, 2), ["expected an entry that is not encrypted"]),
        ("sizes", directory(good, 1, 24, 25), ["expected 25 bytes as it is stored, found 24"]),
        ("bomb", directory(zeros, 1, 24, 1 << 30), ["model/data/0: expected what", "deflated bytes can hold, found a size of 1073741824"])]:
    refused(["list", write(f"{name}.pt", data)], f"{name}.pt: ", *parts)
done()
