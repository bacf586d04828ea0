#!/usr/bin/python3
"""The figure of all points beside matplotlib's rasterised scatter and gnuplot's points: seconds, size of the PDF, memory; 1, 10 and 100
million points of a made LayerNorm with heavy tails. Peers are run up to the size that they manage in minutes.

usage: scripts/bench_plot_peers.py [MILLIONS...]    (1 10 100)"""
import os
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("NORMSCOPE", os.path.join(ROOT, "build", "normscope"))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import stores  # noqa: E402

MOST = {"matplotlib": 10, "gnuplot": 1}  # millions of points
MATPLOTLIB = """
import sys, h5py, matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
site = h5py.File(sys.argv[1])["sites/001"]
figure = pyplot.figure(figsize=(3.3, 2.6))
figure.gca().scatter(site["input"][:].ravel(), site["output"][:].ravel(), s=1.7, alpha=0.25, linewidths=0, rasterized=True)
figure.savefig(sys.argv[2], dpi=600)
"""


def measure(words, out):
    """Seconds, MB of the file, MB of memory at most, by a process of its own."""
    began = time.perf_counter()
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, used = os.wait4(pid, 0)
    assert status == 0, words
    return time.perf_counter() - began, os.path.getsize(out) / 1e6, used.ru_maxrss / 1024


def make(path, points, millions):
    """In a process of its own: what the peers are measured by counts the memory of the one that starts them."""
    rng = np.random.default_rng(1)
    shape = (max(1, int(millions * 1e6) // (197 * 768)), 197, 768)
    x = rng.standard_t(4, shape).astype("f4")
    y = (x - x.mean(2, keepdims=True)) / x.std(2, keepdims=True)
    stores.write(path, [{"x": x, "y": y}])
    if millions <= MOST["gnuplot"]:
        np.stack([x.ravel(), y.ravel()], 1).tofile(points)


def main():
    sizes = [float(w) for w in sys.argv[1:]] or [1, 10, 100]
    print("millions  program      seconds  PDF MB  memory MB  ratio")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        run, out = folder + "/run.h5", folder + "/out.pdf"
        for millions in sizes:
            assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, __file__, "--make", run, folder + "/points.bin", str(millions)]) == 0
            commands = {"normscope": [PROGRAM, "plot", "scurve", run, "--no-fit", "-f", "-o", out],
                        "matplotlib": [sys.executable, "-c", MATPLOTLIB, run, out],
                        "gnuplot": ["gnuplot", "-e", "set terminal pdfcairo size 3.3,2.6; set output '%s'; plot '%s/points.bin' binary "
                                    "format='%%float32%%float32' using 1:2 with points pt 7 ps 0.1 notitle" % (out, folder)]}
            first = None
            for name, words in commands.items():
                if millions > MOST.get(name, 1e9):
                    continue
                best = min(measure(words, out) for _ in range(3 if millions <= 1 or name == "normscope" else 1))
                first = first or best[0]
                print("%8g  %-10s  %8.2f  %6.3f  %9.0f  %5.1f" % (millions, name, *best, best[0] / first), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        main()
