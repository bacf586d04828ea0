"""normscope bench runs at a small size, and its figures hang together; no times are asked for."""
import json
import os
import subprocess

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]


def table(*arguments):
    done = subprocess.run([program, "bench", *arguments, "--format", "json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {(r["measure"], r["unit"]): r for r in json.loads(done.stdout)["rows"]}


rows = table("forward", "--width", "64", "--depth", "2", "--image", "32", "--patch", "8", "--batch", "2", "--runs", "3", "--folder", tmp)
for key, row in rows.items():
    assert 0 < row["min"] <= row["median"] <= row["max"], (key, row)
assert {k[1] for k in rows} == {"GFLOP/s", "s/image", "1"}
assert os.listdir(tmp) == [], os.listdir(tmp)
for arguments in ([], ["nothing"], ["forward", "--image", "30", "--patch", "8"], ["forward", "--runs", "0"]):
    assert subprocess.run([program, "bench", *arguments], capture_output=True).returncode == 2, arguments
assert subprocess.run([program, "bench", "forward", "--folder", tmp + "/none"], capture_output=True).returncode == 3

# The same rows, whatever the sizes.
def check(rows, measures):
    for key, row in rows.items():
        assert 0 < row["min"] <= row["median"] <= row["max"] or "share" in key[0], (key, row)
    assert {k[0] for k in rows} == measures, {k[0] for k in rows} ^ measures


check(table("train", "--width", "32", "--depth", "2", "--batch", "8", "--steps", "2", "--runs", "2", "--norm", "dyt"),
      {"training step", "linear layers' products", "linear layers' products alone", "share that is not these products"})
check(table("train", "--width", "32", "--depth", "1", "--batch", "8", "--steps", "1", "--runs", "1", "--norm", "batchnorm"),
      {"training step", "linear layers' products", "linear layers' products alone", "share that is not these products"})
before = {k for k, _ in rows}
assert before == {"matrix products alone", "forward", "forward / products' rate", "forward, all sites dumped", "dumped / not dumped",
                  "forward, all sites sketched", "sketched / not sketched"}, before
fits = table("fit", "--points", "20000", "--stream", "40000", "--channels", "40", "--positions", "5", "--runs", "2", "--folder", tmp)
check(fits, {"read", "fit", "its bins", "its exact pass", "fit / read", "file: read", "file: fit", "file: fit / read", "file: peak memory"})
assert os.listdir(tmp) == [], os.listdir(tmp)

done = subprocess.run([program, "bench", "norms", "--widths", "7,64", "--rows", "1,33", "--runs", "2", "--format", "json", "--norms",
                       "layernorm,rmsnorm,batchnorm,dyt,dyt-channel,dyt-noalpha,dyt-hardtanh,dyt-sigmoid,derf,dyisru,none,fixup"],
                      capture_output=True, text=True)
assert done.returncode == 0, done.stderr
norms = json.loads(done.stdout)["rows"]
assert len(norms) == 12 * 2 * 2 and len({(r["norm"], r["width"], r["rows"]) for r in norms}) == len(norms)
for r in norms:
    assert r["copy"] > 0 and r["forward"] > 0 and r["both"] > 0 and r["forward_of_copy_min"] <= r["forward_of_copy"], r
    bytes_ = 8 * r["width"] * r["rows"]
    assert abs(r["forward_rate"] * r["forward"] * 1e3 / bytes_ - 1) < 1e-9 and abs(r["both_rate"] * r["both"] * 1e3 / (3 * bytes_) - 1) < 1e-9, r
for arguments in (["norms", "--norms", "layrnorm"], ["norms", "--widths", "0"], ["norms", "--widths", "65536", "--rows", "1000000"],
                  ["train", "--heads", "5"]):
    assert subprocess.run([program, "bench", *arguments], capture_output=True).returncode in (2, 3), arguments
