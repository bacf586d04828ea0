"""What an interrupted dump leaves: a file that opens, verifies and is finished by --resume with the bytes of an uninterrupted run.

At every call that changes the file in turn: a disk that is full from there on, and a kill. With the argument `long` (make check-kill):
also a single failed call, a short write and a kill right after the call; and kills at random moments of longer runs, of sketches behind a commit, with the figures
printed as they are kept in tests/golden/kill-results.txt."""
import os
import random
import re
import signal
import subprocess
import sys
import time

import h5py
import numpy as np

long = sys.argv[1:] == ["long"]
program, tmp, build = os.environ["NORMSCOPE"], os.environ["TMP"], os.environ["BUILD"]
if "NS_SANITIZED" in os.environ:
    print("a preloaded library and the sanitizers' own do not go together")
    sys.exit(77)
inject = os.path.realpath(build + "/tools/inject.so")
model = "datasets/vit-fmnist-layernorm"


def run(*arguments, inject_at=None, mode=None, count=None, path=None):
    env = dict(os.environ)
    if inject_at is not None or count:
        env.update(LD_PRELOAD=inject, INJECT_PATH=os.path.basename(path), INJECT_AT=str(inject_at or 0), INJECT_MODE=mode or "")
        if count:
            env["INJECT_COUNT"] = count
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    return done.returncode, done.stdout


def content(path):
    """Every dataset's bytes and every attribute that two runs of one job share."""
    found = {}
    with h5py.File(path, "r") as file:
        for k, v in file.attrs.items():
            if k not in ("created", "command_line"):
                found["@" + k] = str(v)

        def take(name, item):
            for k, v in item.attrs.items():
                found[name + "@" + k] = str(v)
            if isinstance(item, h5py.Dataset):
                # The seal is of the whole file, and so of the two attributes too.
                found[name] = (item.shape, str(item.dtype), b"" if name == "progress/sha256" else item[()].tobytes())

        file.visititems(take)
    return found


def committed(path):
    status, said = run("info", path)
    assert status == 0, said
    return int(re.search(r"samples +(\d+) of \d+ complete", said)[1])


def check(path, job, wanted, what):
    """The file that an interruption left; returns the number of committed samples, or None where there is no file."""
    if not os.path.exists(path):
        return None
    done = committed(path)
    status, said = run("verify", path)
    assert status == 0, f"{what}: verify: {said}"
    if done:
        assert f"on {done} samples" in said, f"{what}: {said}"
    status, said = run("dump", *job, "-o", path, "--resume")
    assert status == 0, f"{what}: resume: {said}"
    have = content(path)
    differing = [k for k in wanted if have.get(k) != wanted[k]]
    assert have.keys() == wanted.keys() and not differing, f"{what}: {differing[:5]}"
    return done


def every_call(job, name, modes):
    whole, part = f"{tmp}/{name}-whole.h5", f"{tmp}/{name}.h5"
    counted = f"{tmp}/{name}.count"
    status, said = run("dump", *job, "-o", whole, count=counted, path=whole)
    assert status == 0, said
    wanted, calls = content(whole), int(open(counted).read())
    assert calls > 20, calls
    for mode in modes:
        seen = set()
        for at in range(1, calls + 1):
            if os.path.exists(part):
                os.remove(part)
            status, said = run("dump", *job, "-o", part, inject_at=at, mode=mode, path=part)
            what = f"{name}, {mode} at call {at} of {calls}"
            if mode in ("kill", "after"):
                assert status == -signal.SIGKILL, f"{what}: status {status}: {said}"
            else:
                assert status == 1, f"{what}: status {status}: {said}"
                assert part in said and ("No space left" in said or "no room" in said), f"{what}: {said}"
                assert not [name for name in os.listdir(tmp) if ".part" in name], what
            done = check(part, job, wanted, what)
            seen.add(done)
            if done is None:  # what is left of a new file must not stand in the way of the next try
                status, said = run("dump", *job, "-o", part)
                assert status == 0, f"{what}: again: {said}"
        samples = int(job[job.index("-n") + 1])
        # A sketch is written now and then and at the end, not with every batch.
        assert None in seen and 0 in seen and len(seen) > (2 if "--mode" in job else 3), (name, mode, seen)
        print(f"{name}: {mode} at each of {calls} calls: all open, verify and resume ({samples} samples)")


def an_existing_file(job):
    """--force: what stands there is kept until the new file is whole and has its room."""
    path = f"{tmp}/kept.h5"
    assert run("dump", *job, "-o", path)[0] == 0
    before = open(path, "rb").read()
    for at in (1, 3, 5):
        status, said = run("dump", *job, "-o", path, "--force", "--seed", "1", inject_at=at, mode="full", path=path)
        assert status == 1 and open(path, "rb").read() == before, said
    assert run("dump", *job, "-o", path)[0] == 1
    assert open(path, "rb").read() == before


def random_kills(count, seed):
    rng = random.Random(seed)
    jobs = [[], ["--dtype", "f16", "--order", "shuffled", "--seed", "3"], ["--sample-rows", "2000", "--order", "stratified"], ["--mode", "both"]]
    for k, more in enumerate(jobs):
        job = [model, "fashion-mnist", "-n", "4000", "-b", "8", "-l", "1,9"] if more == ["--mode", "both"] else [model, "fashion-mnist-1000", "-n", "1000", "-b", "8"]
        job += more
        samples = job[job.index("-n") + 1]
        whole, path = f"{tmp}/long-{k}.h5", f"{tmp}/killed.h5"
        began = time.monotonic()
        assert run("dump", *job, "-o", whole)[0] == 0
        span, wanted = time.monotonic() - began, content(whole)
        places, mine, late = [], count // len(jobs) + (k < count % len(jobs)), 0
        while len(places) < mine:
            if os.path.exists(path):
                os.remove(path)
            child = subprocess.Popen([program, "dump", *job, "-o", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * span)
            child.kill()
            if child.wait() != -signal.SIGKILL:  # it was done before
                late += 1
                assert late < 10 * count, "runs end before they can be killed"
                continue
            places.append(check(path, job, wanted, f"kill {len(places)} of run {k}"))
        there = [p for p in places if p is not None]
        print(f"{' '.join(more) or 'plain'}: {mine} kills at random moments, {len(there)} left a file, with {min(there, default=0)} to "
              f"{max(there, default=0)} of {samples} samples: all open, verify and resume")


def first_commit(path, counter):
    if not os.path.exists(path):
        return False
    with open(path, "rb") as file:
        file.seek(counter)
        return any(file.read(8))


def sketch_kills(count, seed):
    """Sketches are written once a second, so a run must last for some, and is killed when there is a commit behind it and one to come."""
    rng = random.Random(seed)
    path, whole = f"{tmp}/killed.h5", f"{tmp}/sketches.h5"
    for mode in ("sketch", "both"):
        job = [model, "fashion-mnist", "-b", "8", "-l", "1,9", "--order", "shuffled", "--mode", mode, "-n"]
        began = time.monotonic()
        assert run("dump", *job, "400", "-o", whole, "--force")[0] == 0
        samples = max(400, min(9992, int(400 * 5 / (time.monotonic() - began)) // 8 * 8))
        job.append(str(samples))
        began = time.monotonic()
        status, said = run("dump", *job, "-o", whole, "--force")
        assert status == 0, said
        span, wanted, places, late = time.monotonic() - began, content(whole), [], 0
        with h5py.File(whole, "r") as file:
            counter = file["progress/samples_committed"].id.get_offset()
        while len(places) < count // 2:
            if os.path.exists(path):
                os.remove(path)
            child = subprocess.Popen([program, "dump", *job, "-o", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while child.poll() is None and not first_commit(path, counter):
                time.sleep(0.02)
            time.sleep(rng.random() * max(span - 2, 1))
            child.kill()
            if child.wait() != -signal.SIGKILL:
                late += 1
                assert late < 5 * count, "runs end before they can be killed"
                continue
            places.append(check(path, job, wanted, f"kill {len(places)} of a run with --mode {mode}"))
            assert places[-1], f"kill {len(places)} of a run with --mode {mode}: no commit behind it"
        print(f"--mode {mode}: {len(places)} kills behind a commit, with {min(places)} to {max(places)} of {samples} samples, {len(set(places))} numbers of them: "
              "all open, verify and resume")


def signals():
    job = [model, "fashion-mnist-1000", "-n", "1000", "-b", "4"]
    path, whole = f"{tmp}/stopped.h5", f"{tmp}/unstopped.h5"
    assert run("dump", *job, "-o", whole)[0] == 0
    with h5py.File(whole) as file:
        counter = file["progress/samples_committed"].id.get_offset()
    for number in (signal.SIGINT, signal.SIGTERM):
        if os.path.exists(path):
            os.remove(path)
        child = subprocess.Popen([program, "dump", *job, "-o", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while child.poll() is None and not first_commit(path, counter):
            time.sleep(0.001)
        child.send_signal(number)
        said = child.communicate()[0]
        assert child.returncode == 4 and "of 1000 samples are in" in said and "--resume" in said, (child.returncode, said)
        assert int(re.search(r"(\d+) of 1000 samples are in", said)[1]) == committed(path) > 0
        check(path, job, content(whole), "a signal")


def small_disks(job):
    """A limit of file sizes, and a file system that is too small."""
    path = f"{tmp}/limited.h5"
    done = subprocess.run(["bash", "-c", f"ulimit -f 100; '{program}' dump {' '.join(job)} -o '{path}'"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1 and "limit of file sizes" in done.stdout and not os.path.exists(path), done.stdout
    folder = f"{tmp}/small"
    os.makedirs(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "normscope-test", folder], stderr=subprocess.DEVNULL).returncode:
        print("a file system of 20 MB: left out, mounting one is not allowed here")
        return
    try:
        status, said = run("dump", model, "fashion-mnist-1000", "-o", folder + "/run.h5")
        assert status == 1 and "no room for 21" in said and "free" in said and os.listdir(folder) == [], (said, os.listdir(folder))
        assert run("dump", *job, "-o", folder + "/run.h5")[0] == 0
        status, said = run("dump", model, "fashion-mnist-1000", "-o", folder + "/run.h5", "--force")
        assert status == 1 and "The file there was left as it is" in said, said
        assert run("verify", folder + "/run.h5")[0] == 0
        print("a file system of 20 MB: a clear error, and the file that was there verifies")
    finally:
        subprocess.run(["umount", folder], check=True)


def two_writers(job):
    path = f"{tmp}/both.h5"
    first = subprocess.Popen([program, "dump", model, "fashion-mnist-1000", "-b", "2", "-o", path], stdout=subprocess.DEVNULL)
    while not os.path.exists(path):
        time.sleep(0.001)
    for way in ("--force", "--resume"):
        status, said = run("dump", model, "fashion-mnist-1000", "-b", "2", "-o", path, way)
        assert status == 1 and "is being written by another process" in said, (status, said)
    assert first.wait() == 0
    assert run("verify", path)[0] == 0


small = [model, "fashion-mnist-1000", "-n", "6", "-b", "2", "-l", "1,17"]
every_call(small, "all-rows", ["full", "kill"] + (["once", "short", "after"] if long else []))
if long:
    every_call([*small, "--sample-rows", "20", "--dtype", "f16"], "sampled", ["full", "kill", "once", "short", "after"])
    every_call([*small, "--mode", "both"], "sketched", ["full", "kill"])
an_existing_file(small)
random_kills(100 if long else 4, seed=1)
if long:
    sketch_kills(40, seed=2)
signals()
small_disks(small)
two_writers(small)
