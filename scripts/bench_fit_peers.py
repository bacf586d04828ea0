#!/usr/bin/python3
"""The fit of y = s tanh(alpha x) beside those of SciPy and GSL, on the same points in memory.

    make build/oracle-gsl && scripts/bench_fit_peers.py build/oracle-gsl [--points 10000000] [--runs 3]

SciPy's curve_fit twice: as people call it (default start, no Jacobian), and tuned (a start ten percent off, the analytic Jacobian).
Both get float64 copies, which are not timed. GSL's multifit_nlinear with an analytic Jacobian and the same start. A figure that was
measured on fewer points is told linearly at the others and marked."""
import argparse
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
from scipy.optimize import curve_fit

parser = argparse.ArgumentParser()
parser.add_argument("program", help="build/oracle-gsl")
parser.add_argument("--points", type=float, default=1e7, help="points in memory [10000000]")
parser.add_argument("--gsl-points", type=float, default=1e6, help="points that GSL gets [1000000]")
parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts [3]")
options = parser.parse_args()
channels = 500
n = int(options.points) // channels * channels
few = min(n, int(options.gsl_points))


def points():
    """A made LayerNorm: rows and channels of their own scale, some channels far larger."""
    rng = np.random.default_rng(0)
    scales = np.exp(0.6 * rng.standard_normal(channels))
    scales[5::97] *= 8
    x = np.empty((n // channels, channels), np.float32)
    for at in range(0, len(x), 4000):
        rows = x[at : at + 4000]
        rows[:] = rng.standard_normal(rows.shape) * scales * np.exp(0.5 * rng.standard_normal((len(rows), 1)))
    wide = x.astype(np.float64)
    wide -= wide.mean(1, keepdims=True)
    y = (wide / np.sqrt((wide**2).mean(1, keepdims=True) + 1e-6)).astype(np.float32)
    return x.ravel(), y.ravel()


def model(x, alpha, s):
    return s * np.tanh(alpha * x)


def slopes(x, alpha, s):
    t = np.tanh(alpha * x)
    return np.stack([s * (1 - t * t) * x, t], 1)


def scipy_times(x, y, near, **how):
    times = []
    for _ in range(options.runs):
        began = time.perf_counter()
        found, _ = curve_fit(model, x, y, **how)
        times.append(time.perf_counter() - began)
    if found[0] < 0:
        found = -found
    return statistics.median(times), max(abs(found / near - 1))


x, y = points()
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "points.f32")
    with open(path, "wb") as file:
        x.tofile(file)
        y.tofile(file)
    done = subprocess.run([options.program, path, str(n), str(max(options.runs, 5)), str(few)], capture_output=True, text=True, check=True)
lines = [line.split("\t") for line in done.stdout.splitlines()]
(_, _, ours, alpha, s), (_, _, gsl, gsl_alpha, _) = lines
ours, gsl, near = float(ours), float(gsl), np.array([float(alpha), float(s)])
x64, y64 = x.astype(np.float64), y.astype(np.float64)
plain, plain_apart = scipy_times(x64, y64, near)
tuned, tuned_apart = scipy_times(x64, y64, near, p0=near * [1.1, 0.9], jac=slopes, method="lm")

print(f"s tanh(alpha x), {n} points, alpha {near[0]:.6g}, s {near[1]:.6g}; seconds, median of {options.runs}; apart: its answer from ours")
print(f"{'':36s} {'seconds':>9s} {'ours / it':>10s} {'apart':>9s}")
print(f"{'normscope':36s} {ours:9.4f} {1:10.4f}")
peers = (
    ("SciPy curve_fit, as called", plain, n, plain_apart),
    ("SciPy curve_fit, tuned", tuned, n, tuned_apart),
    ("GSL multifit_nlinear", gsl, few, abs(float(gsl_alpha) / near[0] - 1) if few == n else None),
)
for name, seconds, measured, apart in peers:
    mark = "" if measured == n else f", from {measured}"
    seconds *= n / measured
    print(f"{name + mark:36s} {seconds:9.3f} {ours / seconds:10.5f}" + ("" if apart is None else f" {apart:9.1e}"))
big = 250_000_000
for name, seconds in (("SciPy as called", plain), ("SciPy tuned", tuned)):
    print(f"{name}, extrapolated to {big} points: {seconds * big / n:.0f} s; ours, likewise: {ours * big / n:.2f} s")
