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
