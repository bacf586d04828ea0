"""A finished file and its name are brought to the disk: fsync of the file, rename, fsync of the folder, in that order; a folder that cannot
be brought there (EINVAL) is none of the program's business, any other failure is told and leaves a whole file or none."""
import errno
import os
import subprocess
import sys

program, t, build = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"], os.environ["BUILD"]
if "NS_SANITIZED" in os.environ:
    print("a preloaded library and the sanitizers' own do not go together")
    sys.exit(77)
inject = os.path.realpath(build + "/tools/inject.so")
NAME = "its name could not be brought to the disk: Input/output error"
model, data = os.path.abspath("datasets/vit-fmnist-layernorm"), "fashion-mnist-1000"


def run(*arguments, at=0, code=errno.EIO, cwd=None):
    """Status, messages, calls that changed the folder `here` or what lies in it; call number `at` fails."""
    env = dict(os.environ, LD_PRELOAD=inject, INJECT_PATH="here", INJECT_AT=str(at), INJECT_MODE="once", INJECT_ERRNO=str(code), INJECT_COUNT=f"{t}/count")
    done = subprocess.run([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env, cwd=cwd)
    return done.returncode, done.stderr, int(open(f"{t}/count").read())


here = f"{t}/here"
os.mkdir(here)
for cwd, out in ((None, f"{here}/here.svg"), (here, "here.svg")):
    path = os.path.join(here, "here.svg")
    status, said, calls = run("plot", "curves", "-o", out, cwd=cwd)
    whole = open(path, "rb").read()
    assert status == 0 and whole, said
    os.remove(path)
    # The last call is the folder's, the one before it the rename, the one before that the file's.
    for back, message, left in ((0, NAME, True), (1, "cannot be written: Input/output error", False), (2, "cannot be written: Input/output error", False)):
        status, said, _ = run("plot", "curves", "-o", out, cwd=cwd, at=calls - back)
        assert status == 1 and f"{out}: {message}" in said, (back, said)
        assert os.listdir(here) == (["here.svg"] if left else []), (back, os.listdir(here))
        if left:
            assert open(path, "rb").read() == whole
            os.remove(path)
    for back in (0, 2):
        assert run("plot", "curves", "-o", out, cwd=cwd, at=calls - back, code=errno.EINVAL)[0] == 0
        os.remove(path)

# A run's file has its name before its rows; a merged one gets it last.
parts = []
for skip in (0, 4):
    parts.append(f"{t}/part{skip}.h5")
    subprocess.run([program, "dump", model, data, "-n", "4", "--skip", str(skip), "-l", "1", "-o", parts[-1]], check=True, stdout=subprocess.DEVNULL)
for command in (["dump", model, data, "-n", "2", "-l", "1"], ["merge", *parts]):
    out = f"{here}/run.h5"
    calls = run(*command, "-o", out)[2]
    os.remove(out)
    told = []
    for at in range(1, calls + 1):
        status, said, _ = run(*command, "-o", out, at=at)
        assert status == (1 if said else 0), (at, said)
        assert "merging" not in said, said
        if NAME in said:
            assert f"{out}: {NAME}" in said
            told.append(at)
        if os.path.exists(out):
            os.remove(out)
        assert os.listdir(here) == [], (at, os.listdir(here))
    assert len(told) == 1 and (command[0] == "dump" or told[-1] == calls), (command[0], told, calls)
    assert all(run(*command, "-f", "-o", out, at=at, code=errno.EINVAL)[0] == 0 for at in told)
    os.remove(out)
