#!/usr/bin/python3
"""Makes datasets/fashion-mnist-1000: the first 1,000 test images and labels of Fashion-MNIST, as gzip IDX.

usage: scripts/make_bundle.py [FOLDER WITH THE FULL FILES]"""
import gzip
import os
import struct
import sys

source = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist"
target = os.path.join(os.path.dirname(__file__), "..", "datasets", "fashion-mnist-1000")
os.makedirs(target, exist_ok=True)
for name, head in (("t10k-images-idx3-ubyte.gz", 16), ("t10k-labels-idx1-ubyte.gz", 8)):
    data = gzip.open(os.path.join(source, name)).read()
    size = 784 if head == 16 else 1
    cut = data[:4] + struct.pack(">I", 1000) + data[8:head] + data[head:head + 1000 * size]
    with open(os.path.join(target, name), "wb") as out:
        with gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
            packed.write(cut)
