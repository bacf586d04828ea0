#!/usr/bin/python3
"""Rows of real layers for the tests of the fit: x alone, as float32, since y is its LayerNorm.

    scripts/oracle_fit_sites.py build/normscope ../shared > tests/golden/fit-sites.f32

Six sites of the bundled ViT (96 channels) and six of a ViT trained on MNIST (64), 1536 points each, from images far apart."""
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

program, shared = sys.argv[1], sys.argv[2] + "/data"
runs = [
    (["datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "400"], "1,4,8,12,15,17"),
    ([shared + "/vit-mnist-vitpytorch", shared + "/mnist/t10k-images-idx3-ubyte.gz", "-n", "400"], "1,3,6,9,11,13"),
]
with tempfile.TemporaryDirectory() as folder:
    for number, (what, layers) in enumerate(runs):
        path = os.path.join(folder, f"{number}.h5")
        subprocess.run([program, "dump", *what, "-o", path, "--layers", layers], check=True, stdout=subprocess.DEVNULL)
        with h5py.File(path) as run:
            for site in run["sites"].values():
                x = site["input"][:]
                rows = 1536 // x.shape[1]
                # A stride that is no multiple of the number of tokens meets all positions.
                sys.stdout.buffer.write(x[:: len(x) // rows - 1][:rows].astype("<f4").tobytes())
