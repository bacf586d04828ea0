"""Statistics from a sketch against those from all rows of the same run: exact where they are said to be, else within what is said."""
import csv
import math
import os
import subprocess

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]


def run(*arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def table(*more):
    lines = run("stats", f"{t}/both.h5", "--format", "tsv", *more).splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))


run("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "100", "-o", f"{t}/both.h5", "--mode", "both")
exact = ["rows", "padding_rows", "channels", "points", "nonfinite", "mean", "sigma", "min", "max", "skewness", "excess_kurtosis", "inverse_sigma", "row_sigma_min",
         "row_sigma_max", "max_abs_y", "channel_kurtosis", "sigma_first", "sigma_others", "line_slope", "outlier_channels", "extremes", "massive"]
near = {"q0.001": 1 / 32, "q0.01": 1 / 32, "q0.25": 1 / 32, "q0.75": 1 / 32, "q0.99": 1 / 32, "q0.999": 1 / 32, "mad": 1 / 32, "inverse_sigma_robust": 1 / 32,
        "inverse_sigma_row": 1 / 32, "row_sigma_q0.05": 1 / 32, "row_sigma_median": 1 / 32, "row_sigma_q0.95": 1 / 32, "median_abs": 1 / 32,
        "max_abs_over_median": 1 / 32, "alpha": 1e-4, "slope": 1e-4, "gain": 1e-3, "s_index": 1e-4}
shares = ["saturated_0.5", "saturated_1", "saturated_2", "saturated_3"]
worst = {}
for a, b in zip(table(), table("--from", "sketch")):
    assert (a["from"], b["from"], a["quantile_error"]) == ("rows", "sketch", "0") and b["linear_share"] == ""
    for k in exact:
        same = a[k] == b[k]
        if not same:
            same = math.isclose(float(a[k]), float(b[k]), rel_tol=2e-7 if k.startswith("row") else 1e-9, abs_tol=1e-9)
        assert same, (a["name"], k, a[k], b[k])
    for k, room in near.items():
        off = abs(float(b[k]) / float(a[k]) - 1)
        worst[k] = max(worst.get(k, 0), off)
        assert off <= room, (a["name"], k, a[k], b[k])
    for k in shares:
        assert abs(float(a[k]) - float(b[k])) <= 0.01, (a["name"], k, a[k], b[k])
assert "From a sketch" in run("stats", f"{t}/both.h5", "--from", "sketch")
