"""SciPy's minimum of s tanh(alpha x) on every site of a run, in float64 with the analytic Jacobian and the tightest tolerances.

    python3 scripts/oracle_demo_fit.py RUN.h5 > tests/golden/demo-fit.tsv

for the run that `make demo` leaves in out/demo/activations.h5. tests/analysis/test_demo_fit.py compares with that table and, live, with
this very minimum on a smaller run."""
import sys

import h5py
import numpy as np
from scipy.optimize import least_squares


def minimum(x, y):
    """alpha, s and the sum of squares; started at what the moments suggest, polished by Newton's method on the exact sums."""
    x, y = x.ravel().astype("f8"), y.ravel().astype("f8")

    def residual(p):
        return p[1] * np.tanh(p[0] * x) - y

    def jacobian(p):
        t = np.tanh(p[0] * x)
        return np.stack([p[1] * (1 - t * t) * x, t], 1)

    scale = np.abs(y).max() / 2
    found = least_squares(residual, [(x @ y) / (x @ x) / scale, scale], jacobian, method="lm", ftol=1e-15, xtol=1e-15, gtol=1e-15)
    return found.x[0], found.x[1], float(np.sum(residual(found.x) ** 2))


if __name__ == "__main__":
    print("#1\t1/x\ty\ty^2\tsite\talpha\ts\tsse".replace("\tsite", "\nsite", 1))
    with h5py.File(sys.argv[1], "r") as run:
        for site in run["sites"].values():
            print("\t".join(repr(v) for v in (int(site.attrs["index"]), *map(float, minimum(site["input"][()], site["output"][()])))))
