"""An IDX file whose values memory is not to hold: the images are those of the file, in any order, and memory stays flat."""
import gzip
import os
import subprocess

import h5py
import numpy as np

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
model, count = "datasets/vit-fmnist-layernorm", 300_000  # 235 MB
sanitized = "NS_SANITIZED" in os.environ


def images(first, n):
    """[n, 784]: each tells its number."""
    values = np.zeros((n, 784), "u1")
    values[:, :4] = np.arange(first, first + n, dtype="<u4").view("u1").reshape(n, 4)
    values[:, 400:] = np.arange(first, first + n)[:, None] % 251
    return values


head = np.array([0x803, count, 28, 28], ">i4").tobytes()
with gzip.open(f"{tmp}/large-images-idx3-ubyte.gz", "wb", compresslevel=1) as f:
    f.write(head)
    for first in range(0, count, 10000):
        f.write(images(first, 10000).tobytes())


def dump(path, *more, environment=None):
    child = subprocess.Popen([program, "dump", model, path, "-l", "1", "-f", "-o", f"{tmp}/run.h5", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, **(environment or {})})
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    return os.waitstatus_to_exitcode(status), said, used.ru_maxrss


def inputs():
    with h5py.File(f"{tmp}/run.h5") as f:
        return f["samples/id"][()], f["sites/001/input"][()]


status, said, kib = dump(f"{tmp}/large-images-idx3-ubyte.gz", "-n", "20", "--order", "shuffled", "--seed", "4")
assert status == 0, said
assert sanitized or kib < 180 * 1024, kib
ids, large = inputs()
assert ids.max() > count // 2 > ids.min() and ids.max() * 784 > 1 << 26
# The same images as a small file, which memory holds, are the same to the model.
few = np.array([0x803, 20, 28, 28], ">i4").tobytes() + b"".join(images(int(i), 1).tobytes() for i in ids)
with open(f"{tmp}/few-images-idx3-ubyte", "wb") as f:
    f.write(few)
status, said, _ = dump(f"{tmp}/few-images-idx3-ubyte")
assert status == 0, said
assert np.array_equal(large, inputs()[1]) and len(np.unique(large)) > 1000

# Labels of that many, too: each beside its image.
with open(f"{tmp}/large-labels-idx1-ubyte", "wb") as f:
    f.write(np.array([0x801, count], ">i4").tobytes() + (np.arange(count) % 10).astype("u1").tobytes())
status, said, _ = dump(f"{tmp}/large-images-idx3-ubyte.gz", "-n", "20", "--order", "shuffled", "--seed", "4", "--labels", f"{tmp}/large-labels-idx1-ubyte")
assert status == 0, said
with h5py.File(f"{tmp}/run.h5") as f:
    assert np.array_equal(f["samples/label"][()], ids % 10)

# A file that ends too early, or is damaged late.
whole = open(f"{tmp}/large-images-idx3-ubyte.gz", "rb").read()
with open(f"{tmp}/cut.gz", "wb") as f:
    f.write(whole[:-1000])
status, said, _ = dump(f"{tmp}/cut.gz")
assert status == 3 and "cut.gz: expected a whole gzip file" in said, said
