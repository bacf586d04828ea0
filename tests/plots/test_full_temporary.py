"""The temporary file through which cairo makes an EPS meets a full disk at any of its bytes: an error that names the figure, no crash, no file."""
import os
import subprocess
import sys

sys.path.insert(0, "tests/tools")
from preload import preload

program, tmp, inject = os.environ["NORMSCOPE"], os.environ["TMP"], os.path.realpath(os.environ["BUILD"] + "/tools/inject.so")
if not os.path.exists(inject):
    print("what is preloaded is not built here")
    sys.exit(77)
path, run = f"{tmp}/a.eps", f"{tmp}/run.h5"
subprocess.run([program, "dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "8", "-l", "1", "-o", run], check=True, capture_output=True)


def draw(room):
    env = {**os.environ, "LD_PRELOAD": preload(program, inject), "INJECT_TEMPORARY": str(room)}
    done = subprocess.run([program, "plot", "scurve", run, "--dpi", "100", "-o", path], capture_output=True, text=True, env=env)
    return done.returncode, done.stderr


status, said = draw(1 << 30)
assert status == 0, said
size = os.path.getsize(path)
whole = open(path, "rb").read()
assert whole.startswith(b"%!PS-Adobe-3.0 EPSF-3.0") and b"LanguageLevel: 2" in whole, whole[:200]
os.remove(path)
# What stands in the file beside the temporary one's bytes (fonts, comments) has some kilobytes: rooms up to where it is enough.
failed = succeeded = 0
for room in [0, 1, 100, 4096, *range(5000, size + 8192, max(4096, size // 12))]:
    status, said = draw(room)
    if status == 0:
        succeeded += 1
        assert open(path, "rb").read() == whole, room
        os.remove(path)
        continue
    failed += 1
    assert status == 1 and said.startswith(f"normscope plot: {path}: ") and "temporary file could not be written" in said, (room, status, said)
    assert not os.path.exists(path) and not succeeded, room
assert failed > 5 and succeeded, (failed, succeeded, size)
