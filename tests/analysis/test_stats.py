"""normscope stats against NumPy and SciPy in float64: every column, on dumps of the bundled model and on data made to be odd."""
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import scipy.optimize
import scipy.stats

sys.path.insert(0, "tests/tools")
import stores

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"  # many short runs: waiting threads would take the cores from others
quantiles = {"q0.001": 0.001, "q0.01": 0.01, "q0.25": 0.25, "median": 0.5, "q0.75": 0.75, "q0.99": 0.99, "q0.999": 0.999}
failures = []


def run(*arguments, cwd=None):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    assert done.returncode == 0, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def table(path, *more):
    lines = run("stats", path, "--format", "tsv", *more).splitlines()
    names = lines[1].split("\t")
    assert len(lines[0].split("\t")) == len(names)
    return [dict(zip(names, line.split("\t"))) for line in lines[2:]]


def safely(function, *arguments):
    """NaN where there is nothing to take it of."""
    return float(function(*arguments)) if len(arguments[0]) else np.nan


def sigma(values):
    return safely(np.std, values)


def of_rows(x, ok):
    """sigma_row of the rows that have a finite point."""
    return np.nanstd(np.where(ok, x, np.nan)[ok.any(1)], axis=1)


def expected(x, y, kinds, positions):
    """Every definition of analysis/stats.h; rows are [n, C]."""
    kept = kinds != stores.PADDING
    padding, x, y, kinds, positions = int((~kept).sum()), x[kept].astype("f8"), y[kept].astype("f8"), kinds[kept], positions[kept]
    ok = np.isfinite(x) & np.isfinite(y)
    v, w, size = x[ok], y[ok], np.abs(x[ok])
    rows = of_rows(x, ok)
    first = (kinds == stores.CLASS) | ((kinds == stores.WORD) & (positions == 0))
    out = {"rows": len(x), "padding_rows": padding, "channels": x.shape[1], "points": len(v), "nonfinite": x.size - len(v)}
    out.update({name: safely(np.quantile, v, q) for name, q in quantiles.items()})
    out.update(mean=safely(np.mean, v), sigma=sigma(v), min=safely(np.min, v), max=safely(np.max, v), median_abs=safely(np.median, size),
               max_abs_y=safely(np.max, np.abs(w)), mad=safely(lambda u: np.median(np.abs(u - np.median(u))), v))
    varied = len(v) and v.min() < v.max()
    out["skewness"] = scipy.stats.skew(v) if varied else np.nan
    out["excess_kurtosis"] = scipy.stats.kurtosis(v) if varied else np.nan
    out["inverse_sigma"] = np.divide(1, out["sigma"])
    out["inverse_sigma_row"] = safely(np.median, np.divide(1, rows))
    out["inverse_sigma_robust"] = np.divide(1, 1.4826 * out["mad"])
    for name, q in (("min", 0), ("q0.05", 0.05), ("median", 0.5), ("q0.95", 0.95), ("max", 1)):
        out["row_sigma_" + name] = safely(np.quantile, rows, q)
    out["max_abs_over_median"] = np.divide(safely(np.max, size), out["median_abs"])
    rms = np.sqrt(np.nanmean(np.where(ok, x, np.nan)[:, ok.any(0)] ** 2, axis=0))
    out["channel_kurtosis"] = np.mean(rms**4) / np.mean(rms**2) ** 2 if len(rms) and rms.any() else np.nan
    out["sigma_first"], out["sigma_others"] = sigma(x[first][ok[first]]), sigma(x[~first][ok[~first]])
    line = out["line_slope"] = np.divide(v @ w, v @ v) if len(v) else np.nan
    out["linear_share"] = safely(np.mean, np.abs(w - line * v) <= 0.1 * np.maximum(1, np.abs(line * v)))
    massive = ok & (np.abs(x) > 100) & (np.abs(x) >= 1000 * out["median_abs"])
    out["massive"], out["massive_channels"] = int(massive.sum()), int(massive.any(0).sum())
    large = (ok & (np.abs(x) >= 6)).sum(0)
    out["outlier_channels"] = int(((large >= 0.06 * ok.sum(0)) & ok.any(0)).sum())
    return out, v, w


def of_the_fit(row, v, w):
    """What follows from alpha and s, which the fit's own tests compare with SciPy's."""
    alpha, slope = float(row["alpha"]), float(row["slope"])
    u = alpha * v
    sst, line = np.sum((w - w.mean()) ** 2), v @ w / (v @ v)
    r2, r2_line = 1 - np.sum((w - slope / alpha * np.tanh(u)) ** 2) / sst, 1 - np.sum((w - line * v) ** 2) / sst
    out = {f"saturated_{t:g}": np.mean(np.abs(u) > t) for t in (0.5, 1, 2, 3)}
    return {**out, "gain": np.mean((alpha / np.cosh(u) ** 2) ** 2), "s_index": (r2 - r2_line) / (1 - r2_line)}


def check_extremes(what, row, x, y, samples, positions, kinds):
    """Places of the largest |x|, falling; a tie may fall to any."""
    ok = np.isfinite(x) & np.isfinite(y) & (kinds != stores.PADDING)[:, None]
    top = np.sort(np.abs(x[ok].astype("f8")))[::-1][:8]
    given = [e.replace("@", ":").split(":") for e in row["extremes"].split()]
    if len(given) != len(top) or not np.allclose([abs(float(e[0])) for e in given], top, rtol=1e-5, atol=0):
        failures.append(f"{what}: extremes {row['extremes']}, expected {top}")
    for value, sample, position, channel in given:
        at = np.flatnonzero((samples == int(sample)) & (positions == int(position)))
        if len(at) != 1 or not np.isclose(x[at[0], int(channel)], float(value), rtol=1e-5, atol=0):
            failures.append(f"{what}: {value} is not at sample {sample}, position {position}, channel {channel}")


def compare(what, row, wanted, scale):
    for name, value in wanted.items():
        text = row[name]
        got = float(text) if text else np.nan
        if isinstance(value, int):
            good = text == str(value)
        elif not np.isfinite(value) or not np.isfinite(got):
            good = (np.isnan(value) and np.isnan(got)) or got == value
        elif name == "linear_share" or name.startswith("saturated"):
            good = abs(got - value) <= 2 / max(wanted.get("points", 1e5), 1)
        elif "skewness" in name or "kurtosis" in name or name == "s_index":
            good = abs(got - value) <= 1e-6 * max(1, abs(value))
        elif name == "inverse_sigma_row":  # sigma_row and |x - median| are rounded to float, which has few digits left where it is denormal
            good = abs(1 / got - 1 / value) <= 2e-7 / abs(value) + 1.5e-45
        else:
            good = abs(got - value) <= 2e-7 * abs(value) + (1e-12 * scale if name == "mean" else 1.5e-45)
        if not good:
            failures.append(f"{what}: {name} is {text or 'missing'}, expected {value!r}")


def check(path, *more):
    """Every site of a run; returns the table."""
    rows = table(path, *more)
    with h5py.File(path, "r") as file:
        done = int(file["progress/samples_committed"][0])
        batches = -(-done // int(file.attrs["batch"]))
        sites = [file["sites"][name] for name in sorted(file["sites"])]
        assert len(rows) == len(sites)
        for row, site in zip(rows, sites):
            n = site["rows_before"][batches] if "rows_before" in site else done * site.attrs["positions"]
            x, y, samples, positions, kinds = (site[name][:n] for name in ("input", "output", "sample", "position", "kind"))
            what = f"{os.path.basename(path)}, site {row['site']}"
            wanted, v, w = expected(x, y, kinds, positions)
            compare(what, row, wanted, np.abs(v).max() if len(v) else 0)
            check_extremes(what, row, x, y, samples, positions, kinds)
            if not row["reason"]:
                compare(what, row, of_the_fit(row, v, w), 1)
            names = [n.decode() if isinstance(n, bytes) else n for n in (site.attrs[key] for key in ("name", "role", "kind"))]
            if [row["run"], row["name"], row["role"], row["kind"]] != [path, *names]:
                failures.append(f"{what}: {row['run']}, {row['name']}, {row['role']}, {row['kind']}, expected {names}")
    return rows


def odd_data():
    rng = np.random.default_rng(7)

    def heavy(*shape):
        return (rng.standard_t(3, shape) * rng.uniform(0.2, 2, shape[-1])).astype("f4")

    def with_some(x, share, *values):
        at = rng.random(x.shape) < share
        x[at] = rng.choice(np.array(values, x.dtype), at.sum())
        return x

    plain = heavy(40, 5, 24)
    yield "heavy tails", dict(x=plain, y=stores.layernorm(plain))
    holes = with_some(heavy(40, 5, 24), 0.01, np.nan, np.inf, -np.inf)
    holes[3, 2], holes[4, 1, 1:] = np.nan, np.nan
    yield "NaN and Inf in x and y", dict(x=holes, y=with_some(np.tanh(np.nan_to_num(holes)), 0.01, np.nan, np.inf))
    kinds = rng.choice([stores.PATCH, stores.PADDING, stores.REGISTER], (40, 5))
    kinds[:, 0] = stores.CLASS
    yield "class tokens and padding", dict(x=with_some(heavy(40, 5, 24), 0.001, np.nan), y=plain, kinds=kinds)
    words = np.where(rng.random((40, 5)) < 0.2, stores.PADDING, stores.WORD)
    yield "words and padding", dict(x=np.where(words[..., None] == stores.PADDING, np.nan, heavy(40, 5, 24)).astype("f4"), y=plain, kinds=words)
    tiny = (heavy(40, 5, 24) * 1e-41).astype("f4")
    assert np.any((tiny != 0) & (np.abs(tiny) < 1e-38))
    yield "denormals", dict(x=tiny, y=plain)
    column = heavy(40, 5, 24)
    column[..., 7], column[..., 8], column[3] = 0, 1e4, 0.25
    yield "constant columns and rows", dict(x=column, y=stores.layernorm(column))
    far = (1e6 + heavy(40, 5, 24)).astype("f4")
    yield "a mean far from zero", dict(x=far, y=stores.layernorm(far))
    massive = heavy(40, 5, 24)
    massive[:, 0, 3], massive[:, 0, 11] = 5000, -9000
    massive[..., 20] += 9
    yield "massive activations", dict(x=massive, y=stores.layernorm(massive))
    yield "near the largest float", dict(x=(heavy(40, 5, 24) * 1e36).clip(-3.4e38, 3.4e38), y=plain)
    for name, value in (("all zero", 0), ("all equal", 0.1), ("all NaN", np.nan), ("all infinite", np.inf)):
        yield name, dict(x=np.full((40, 5, 24), value, "f4"), y=plain)
    yield "padding alone", dict(x=plain, y=plain, kinds=np.full((40, 5), stores.PADDING))
    yield "one channel", dict(x=heavy(40, 5, 1), y=heavy(40, 5, 1))
    wide = heavy(40, 5, 70)
    yield "rows of a pair", dict(x=wide * rng.choice([1, 100], (40, 5, 1)).astype("f4"), y=stores.layernorm(wide))


with np.errstate(all="ignore"):
    # The bundled model: all rows, a sample of them, float16, and one that was stopped.
    model = ["dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"]
    for name, more in {"all": ["-n", "24"], "sampled": ["-n", "24", "--sample-rows", "100", "-b", "8"], "half": ["-n", "10", "--dtype", "f16"]}.items():
        path = f"{tmp}/{name}.h5"
        run(*model, *more, "-o", path)
        check(path)
    shutil.copy(f"{tmp}/all.h5", f"{tmp}/stopped.h5")
    with h5py.File(f"{tmp}/stopped.h5", "r+") as file:
        file["progress/samples_committed"][0] = 16
    assert check(f"{tmp}/stopped.h5")[0]["rows"] == str(16 * 17)

    # Data made to be odd, one site each, in float32 and, where they stay finite, in float16.
    names, sites = zip(*odd_data())
    odd = check(stores.write(f"{tmp}/odd.h5", sites))
    check(stores.write(f"{tmp}/odd-half.h5", sites, dtype="f2"))
    reasons = {name: row["reason"] for name, row in zip(names, odd)}
    for name, reason in {"all zero": "constant input", "all equal": "constant input", "all NaN": "no finite points", "padding alone": "no points"}.items():
        assert reasons[name] == reason, (name, reasons[name])

    # A few rows: one, two (the median of 1 / sigma_row is no 1 / median), and one point.
    rng = np.random.default_rng(8)
    for rows, channels in ((1, 24), (2, 24), (3, 24), (1, 1)):
        x = (rng.standard_normal((rows, 1, channels)) * 10.0 ** np.arange(rows)[:, None, None]).astype("f4")
        check(stores.write(f"{tmp}/few-{rows}-{channels}.h5", [dict(x=x, y=stores.layernorm(x))]))
    nothing = check(stores.write(f"{tmp}/none.h5", [dict(x=np.zeros((0, 1, 4), "f4"), y=np.zeros((0, 1, 4), "f4"))]))[0]
    assert nothing["points"] == "0" and nothing["reason"] == "no points"

# The fit that stands behind alpha and the S-index, on a site with a real S.
x = (rng.standard_t(2, (300, 1, 16)) * 1.5).astype("f4")
y = (3 * np.tanh(0.4 * x) + rng.normal(0, 0.1, x.shape)).astype("f4")
row = check(stores.write(f"{tmp}/s.h5", [dict(x=x, y=y)]))[0]
best = scipy.optimize.least_squares(lambda p: p[0] * np.tanh(p[1] * x.ravel().astype("f8")) - y.ravel(), [2, 1], xtol=1e-14, ftol=1e-14, gtol=1e-14)
assert np.allclose([float(row["slope"]), float(row["alpha"])], [best.x[0] * best.x[1], best.x[1]], rtol=1e-7), (row["alpha"], best.x)
assert float(row["s_index"]) > 0.9

# Another tolerance, and without the fit.
loose, bare = table(f"{tmp}/s.h5", "--tolerance", "0.5")[0], table(f"{tmp}/s.h5", "--no-fit")[0]
v, w, line = x.astype("f8"), y.astype("f8"), float(row["line_slope"])
assert abs(float(loose["linear_share"]) - np.mean(np.abs(w - line * v) <= 0.5 * np.maximum(1, np.abs(line * v)))) < 1e-12
assert not any(bare[name] for name in ("alpha", "slope", "gain", "s_index", "saturated_1")) and bare["reason"] == "not asked for"
assert all(bare[name] == row[name] for name in quantiles)

# What people see stays within 80 columns, and no line ends in a blank.
for arguments in (["stats"], ["fit"], ["fit", "--curve", "all"], ["fit", "--held-out"], ["fit", "--shift", "--offset", "--scale", "1"]):
    for line in run(*arguments, "all.h5", "-l", "1,9,17", cwd=tmp).splitlines():
        if len(line) > 80 or line != line.rstrip():
            failures.append(f"{arguments}: {len(line)} columns: {line!r}")
assert not failures, "\n".join(failures)
