"""fit --store and stats --store: the table that was printed, in the run's file; a later one takes its place; a kill at every write leaves
the earlier result or the new one, and every byte of the rows."""
import hashlib
import json
import os
import signal
import subprocess
import sys

import h5py

program, t, build = os.environ["NORMSCOPE"], os.environ["TMP"], os.environ["BUILD"]
path = f"{t}/run.h5"


def run(*arguments, status=0, env=None):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def stored(name):
    with h5py.File(path, "r") as file:
        current = file[f"results/{name}_current"][0]
        return None if current < 0 else json.loads(file[f"results/{name}"][current])


def rows():
    """All that is not a result."""
    digest = hashlib.sha256()
    with h5py.File(path, "r") as file:
        for site in file["sites"].values():
            for k in ("input", "output", "sample", "position", "kind"):
                digest.update(site[k][()].tobytes())
        digest.update(str(sorted(file.attrs.items())).encode())
    return digest.hexdigest()


run("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "10", "-l", "1,9", "-o", path)
before = rows()
assert stored("fit") is None and stored("stats") is None and "stored" not in run("info", path)
run("fit", path, "--store")
assert stored("fit") == json.loads(run("fit", path, "--format", "json")) and stored("stats") is None
run("stats", path, "--store")
assert stored("stats") == json.loads(run("stats", path, "--format", "json"))
run("fit", path, "--store", "-c", "all", "-l", "9")
assert len(stored("fit")["rows"]) == 7 and {r["site"] for r in stored("fit")["rows"]} == {9}
assert "/results/fit" in run("info", path) and "/results/stats" in run("info", path) and rows() == before
run("verify", path)

# Several files: each its own rows.
other = f"{t}/other.h5"
run("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "6", "-l", "4", "-o", other)
run("fit", path, other, "--store")
with h5py.File(other, "r") as file:
    assert [r["site"] for r in json.loads(file["results/fit"][file["results/fit_current"][0]])["rows"]] == [4]
assert [r["site"] for r in stored("fit")["rows"]] == [1, 9]

# Incomplete, of an older format, not to be written.
with h5py.File(other, "r+") as file:
    file["progress/samples_committed"][0] = 0
assert "results are stored in complete runs; 0 of 6" in run("fit", other, "--store", status=3) or "none of 6" in run("fit", other, "--store", status=3)
with h5py.File(other, "r+") as file:
    file["progress/samples_committed"][0] = 6
    del file["results"]
assert "expected a place for results" in run("fit", other, "--store", status=3)

if "NS_SANITIZED" in os.environ:
    sys.exit(0)
old, new = stored("fit"), None
env = {"LD_PRELOAD": os.path.realpath(build + "/tools/inject.so"), "INJECT_PATH": "run.h5"}
run("fit", path, "--store", "-l", "1", env={**env, "INJECT_AT": "0", "INJECT_COUNT": f"{t}/count"})
calls = int(open(f"{t}/count").read())
assert calls >= 3
for at in range(1, calls + 1):
    for mode, status in (("kill", -signal.SIGKILL), ("after", -signal.SIGKILL), ("full", 1), ("short", 1)):
        run("fit", path, "--store")
        old = stored("fit")
        run("fit", path, "--store", "-l", "1", status=status, env={**env, "INJECT_AT": str(at), "INJECT_MODE": mode})
        assert stored("fit") in (old, json.loads(run("fit", path, "-l", "1", "--format", "json"))), (at, mode)
        assert rows() == before, (at, mode)
        run("verify", path)
