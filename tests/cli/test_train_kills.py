"""A training run that is killed at random moments goes on to the bits of one that was not. With the argument `long` (make check-kill) 30
kills, and the figures to stdout."""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
kills = 30 if sys.argv[1:] == ["long"] else 4
environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
WORDS = ["train", "--width", "16", "--depth", "2", "--heads", "2", "--patch", "7", "--batch", "20", "--data", "fashion-mnist-1000",
         "--epochs", "60" if kills > 4 else "12", "--norm", "dyt", "--watch-every", "7"]


def content(folder):
    return {name: open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder)) if name != "train.json"}


began = time.monotonic()
subprocess.run([program, *WORDS, "-o", f"{tmp}/whole"], check=True, stdout=subprocess.DEVNULL, env=environment)
lasted = time.monotonic() - began
chance = random.Random(1)
longest = 1.5 * lasted / kills
hit = inside = 0
while hit < kills:
    there = os.path.exists(f"{tmp}/killed/train.json")
    run = subprocess.Popen([program, *WORDS, "-o", f"{tmp}/killed", *(["--resume"] if there else [])], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, env=environment)
    while hit and not there and run.poll() is None and not os.path.exists(f"{tmp}/killed/train.json"):
        time.sleep(0.001)  # the first kill alone may come before there is a run to go on with
    time.sleep(chance.uniform(0, longest))
    if run.poll() is None:
        run.send_signal(signal.SIGKILL)
        run.wait()
        hit += 1
        inside += there
        continue
    assert run.returncode == 0, run.stderr.read()  # done before it was killed: once more from the beginning
    shutil.rmtree(f"{tmp}/killed")
    longest /= 2  # the machine has become faster
there = os.path.exists(f"{tmp}/killed/train.json")
subprocess.run([program, *WORDS, "-o", f"{tmp}/killed", *(["--resume"] if there else [])], check=True, stdout=subprocess.DEVNULL,
               env=environment)
whole, killed = content(f"{tmp}/whole"), content(f"{tmp}/killed")
left = [name for name in killed if name not in whole]
assert not [name for name in whole if whole[name] != killed.get(name)], "other bits"
assert all(name.endswith((".part", ".new")) or ".part" in name for name in left), left
assert inside >= hit // 4, (inside, hit)
print("training: %d kills, %d of them of a run that went on; the same bits in %d files; left behind: %s"
      % (hit, inside, len(whole), ", ".join(left) or "nothing"))
