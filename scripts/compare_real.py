#!/usr/bin/env python3
"""Holds a dump against what a real network computes elsewhere, site by site. Needs numpy and h5py.

usage: scripts/compare_real.py RUN.h5 REAL.npz [--tolerance 1e-5] [--exclude GLOB]

RUN.h5 is a dump of the inputs that REAL.npz holds (`ids` or `pixels`), in their order. REAL.npz holds `SITE:x` and `SITE:y` (before the
affine), [samples, rows, C] at the positions `rows`, or [samples, C, height, width] at all of them. A site differs by its largest
|difference| over its largest |value|. Exit status: 0 all agree, 1 some do not or are missing, 2 wrong usage, 3 bad input."""
import argparse
import fnmatch
import sys

import h5py
import numpy as np


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def sites_of(run):
    """{name: group}, in order of execution."""
    committed, planned = int(run["progress/samples_committed"][0]), int(run.attrs["samples"])
    if committed < planned:
        raise ValueError("the dump ends after %d of %d samples" % (committed, planned))
    return {text(run["sites"][g].attrs["name"]): run["sites"][g] for g in sorted(run["sites"])}


def find(sites, name):
    """By its name, or by one that has a prefix more (or less): model.layers.0.norm is layers.0.norm."""
    if name in sites:
        return name
    near = [s for s in sites if s.endswith("." + name) or name.endswith("." + s)]
    return near[0] if len(near) == 1 else None


def rows_of(site, run, samples, positions):
    """Where the rows of the first samples at these positions stand in the site's tensors, [samples, positions]."""
    ids = run["samples/id"][:samples]
    if len(ids) < samples:
        raise ValueError("expected %d samples, found %d" % (samples, len(ids)))
    at = {pair: row for row, pair in enumerate(zip(site["sample"][:].tolist(), site["position"][:].tolist()))}
    try:
        return np.array([[at[int(i), int(p)] for p in positions] for i in ids])
    except KeyError as missing:
        raise ValueError("no row of sample and position %s" % missing) from None


def apart(found, expected):
    """Largest difference over the largest magnitude; what is not finite counts as different."""
    found, expected = np.float64(found), np.float64(expected)
    if found.shape != expected.shape:
        raise ValueError("expected values %s, found %s" % (list(expected.shape), list(found.shape)))
    difference = np.abs(found - expected)
    return float(difference.max() / np.abs(expected).max()) if np.isfinite(difference).all() else float("inf")


def compare(run, real, name, site):
    """Differences of x and of y."""
    out = []
    for letter, tensor in (("x", "input"), ("y", "output")):
        expected = real["%s:%s" % (name, letter)]
        if expected.ndim == 4:
            expected = expected.reshape(*expected.shape[:2], -1).transpose(0, 2, 1)
            positions = range(expected.shape[1])
        else:
            positions = real["rows"]
        out.append(apart(site[tensor][:][rows_of(site, run, len(expected), positions)], expected))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN.h5")
    parser.add_argument("real", metavar="REAL.npz")
    parser.add_argument("--tolerance", type=float, default=1e-5, metavar="T", help="what agreement is (default 1e-5)")
    parser.add_argument("--exclude", metavar="GLOB", help="recorded sites that are no part of the model, such as 'decoder.*'")
    options = parser.parse_args()
    real = np.load(options.real)
    names = [key[:-2] for key in real.files if key.endswith(":x")]
    names = [n for n in names if not (options.exclude and fnmatch.fnmatchcase(n, options.exclude))]
    failed, worst, compared = 0, (-1.0, ""), set()
    with h5py.File(options.run, "r") as run:
        sites = sites_of(run)
        print("%-52s %-8s %-8s" % ("site", "x", "y"))
        for name in names:
            there = find(sites, name)
            if not there:
                failed += 1
                print("%-52s %-8s %-8s FAILED: not in the dump" % (name, "–", "–"))
                continue
            try:
                x, y = compare(run, real, name, sites[there])
            except ValueError as e:
                raise ValueError("%s: %s" % (there, e)) from None
            good = x <= options.tolerance and y <= options.tolerance
            failed += not good
            compared.add(there)
            worst = max(worst, (max(x, y), there))
            print(("%-52s %.1e  %.1e  %s" % (there, x, y, "" if good else "FAILED")).rstrip())
    others = [s for s in sites if s not in compared]
    if others:
        print("%d sites of the dump are not in %s: %s" % (len(others), options.real, ", ".join(others[:8])))
    if compared:
        print("largest: %.1e at %s" % worst)
    print("%d of %d sites failed" % (failed, len(names)) if failed else "all %d sites agree to %.0e" % (len(names), options.tolerance))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, KeyError, ValueError) as e:
        print("compare_real.py: %s" % e, file=sys.stderr)
        sys.exit(3)
