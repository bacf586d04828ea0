#!/usr/bin/python3
"""Certified minima for the tests of the fit: SciPy's best of ten starts, polished in extended precision.

    make build/tools/fit_cases.so && scripts/oracle_fit.py build/tools/fit_cases.so > tests/golden/fit.tsv

Each line: data set, curve, form, sum of squares, alpha, s, d, b, whether the parameters are determined. least_squares with method lm,
analytic Jacobian and all tolerances 1e-15, in float64; then Gauss-Newton with full Hessian terms in 80-bit floats."""
import ctypes
import sys

import numpy as np
import scipy
from scipy.optimize import least_squares
from scipy.special import erf

L = np.longdouble


def curve(name, u):
    """f and f' at u, in the type of u."""
    if name == "tanh":
        f = np.tanh(u)
        return f, 1 - f * f
    if name == "erf":
        return erf(np.asarray(u, float)), 2 / np.sqrt(np.pi) * np.exp(-u * u)
    if name == "isru":
        r = 1 / np.sqrt(1 + u * u)
        return u * r, r**3
    if name == "hardtanh":
        return np.clip(u, -1, 1), (np.abs(u) < 1).astype(u.dtype)
    if name == "arctan":
        two = 2 / np.arctan(np.ones(1, u.dtype)) / 4  # 2 / pi, as exact as the type of u
        return two * np.arctan(u), two / (1 + u * u)
    if name == "softsign":
        return u / (1 + np.abs(u)), 1 / (1 + np.abs(u)) ** 2
    return u, np.ones_like(u)


FORMS = {"s": (1, 1, 0, 0), "1": (1, 0, 0, 0), "sd": (1, 1, 1, 0), "sb": (1, 1, 0, 1), "sdb": (1, 1, 1, 1)}


def fit(name, form, x, y):
    free = np.flatnonzero(FORMS[form])
    if name == "linear":
        free = np.array([k for k in (1, 3) if k in free or k == 1])

    def full(p, kind=float):
        t = np.array([1, 1, 0, 0], kind)
        t[free] = p
        return t

    def residual(p):
        t = full(p)
        return t[1] * curve(name, t[0] * x + t[2])[0] + t[3] - y

    def jacobian(p, kind=float):
        t = full(p, kind)
        f, f1 = curve(name, t[0] * x.astype(kind) + t[2])
        return np.stack([t[1] * f1 * x, f, t[1] * f1, np.ones_like(f)], 1)[:, free]

    scale = np.sqrt(np.mean(x * x))
    best = None
    rng = np.random.default_rng(1)
    for turn in range(10):
        start = np.array([10 ** rng.uniform(-1.5, 1.5) / scale, np.std(y) * 2 * (1 if turn % 2 else -1), rng.uniform(-1, 1), np.mean(y)])
        try:
            r = least_squares(residual, start[free], jacobian, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=4000)
        except ValueError:
            continue
        if np.all(np.isfinite(r.x)) and (best is None or r.cost < best.cost):
            best = r
    p = best.x
    sse = float(np.sum(residual(p).astype(L) ** 2))
    if name not in ("hardtanh", "erf"):  # erf of SciPy is float64
        q = p.astype(L)
        for _ in range(200):
            t = full(q, L)
            f, _ = curve(name, t[0] * x.astype(L) + t[2])
            r = t[1] * f + t[3] - y
            j = jacobian(q, L)
            a, g = (j.T @ j).astype(float), (j.T @ r).astype(float)
            d = np.sqrt(np.diag(a))
            step = np.linalg.lstsq(a / d / d[:, None], g / d, rcond=1e-15)[0] / d
            t2 = full(q - step, L)
            r2 = t2[1] * curve(name, t2[0] * x.astype(L) + t2[2])[0] + t2[3] - y
            if np.sum(r2 * r2) >= np.sum(r * r):
                break
            q = q - step
        sse = min(sse, float(np.sum((full(q, L)[1] * curve(name, full(q, L)[0] * x.astype(L) + full(q, L)[2])[0] + full(q, L)[3] - y) ** 2)))
        p = q.astype(float)
    t = full(p)
    if t[0] < 0:  # f is odd
        t[0], t[1], t[2] = -t[0], -t[1], -t[2]
    j = jacobian(p)
    d = np.sqrt(np.sum(j * j, 0))
    determined = bool(np.all(d > 0))
    if determined:
        cov = np.linalg.pinv((j / d).T @ (j / d)) * sse / max(1, len(x) - len(p))
        determined = name == "linear" or bool(np.sqrt(cov[0, 0]) / d[0] < 0.1 * abs(p[0]) and np.linalg.cond(j / d) < 1e5)
    if name == "hardtanh":
        determined = False  # judged by its sum of squares
    return sse, t, determined


def main():
    library = ctypes.CDLL(sys.argv[1] if "/" in sys.argv[1] else "./" + sys.argv[1])
    library.fit_case_name.restype = ctypes.c_char_p
    print("# " + " ".join(["scripts/oracle_fit.py with SciPy", scipy.__version__, "and NumPy", np.__version__]))
    print("data\tcurve\tform\tsse\talpha\ts\td\tb\tdetermined")
    data = 0
    while library.fit_case_name(data):
        x, y, samples = np.empty(3000, np.float32), np.empty(3000, np.float32), np.empty(3000, np.int64)
        n = library.fit_case(data, *(a.ctypes.data_as(ctypes.c_void_p) for a in (x, y, samples)))
        x64, y64 = x[:n].astype(float), y[:n].astype(float)
        forms = ["s"] + {5: ["sb"], 11: ["sd", "sdb"], 12: ["sb", "sdb"], 13: ["sdb"], 1: ["1", "sdb"], 16: ["sb"]}.get(data, [])
        for form in forms:
            for name in ("tanh", "erf", "isru", "hardtanh", "arctan", "softsign", "linear"):
                if name == "linear" and "d" in form or form == "1" and name == "linear":
                    continue
                sse, t, determined = fit(name, form, x64, y64)
                print(data, name, form, repr(sse), *(repr(float(v)) for v in t), int(determined), sep="\t")
        data += 1


main()
