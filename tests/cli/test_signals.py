"""A signal ends every command within a second, whatever it is at, and leaves nothing half-written; a second one ends it at once. A dropped
connection (SIGHUP, from the terminal and again from the shell) costs a dump or a training nothing."""
import os
import random
import shutil
import signal
import subprocess
import time

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
model, golden = os.path.abspath("datasets/vit-fmnist-layernorm"), os.path.abspath("datasets/runs")
os.environ["NORMSCOPE_DATA"] = os.path.abspath("datasets")
os.environ["OMP_NUM_THREADS"] = "1"
slow = 30 if "NS_SANITIZED" in os.environ else 5  # "within a second" is of a machine that is not busy
os.chdir(tmp)
rng = random.Random(5)


def run(*words, status=0):
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def start(*words):
    # Whoever runs the tests under nohup ignores SIGHUP, and the program leaves it so.
    return subprocess.Popen([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="work",
                            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))


def ended_by(child, number, what):
    """Ends within a second of its signal. By the signal or with the status of a stop; False where it was done before."""
    began = time.monotonic()
    child.send_signal(number)
    said = child.communicate(timeout=20 + 5 * slow)[0]
    took = time.monotonic() - began
    assert child.returncode in (0, 4, -number), (what, child.returncode, said)
    assert took < 1 * slow, f"{what}: {took:.2f} s after the signal"
    return child.returncode != 0


os.mkdir("work")
os.mkdir("folder")
run("dump", model, "fashion-mnist-1000", "-n", "400", "-o", "run.h5")
run("dump", model, "fashion-mnist-1000", "-n", "100", "-o", "other.h5", "--skip", "400")
files = [f"../run-{i}.h5" for i in range(4)]
for path in files:
    shutil.copy("run.h5", path[3:])
commands = {
    "verify": ("verify", "../run.h5"),
    "stats": ("stats", *files),
    "fit": ("fit", *files),
    "correlate": ("correlate", *files),
    "merge": ("merge", "../run.h5", "../other.h5", "-o", "merged.h5"),
    "plot": ("plot", "scurve", *files[:3], "--all", "-o", "figure.pdf", "--data", "figure.tsv"),
    "plot by gnuplot": ("plot", "scurve", "../run.h5", "--all", "-o", "figure.svg", "--backend", "gnuplot"),
    "report": ("report", "../run.h5", "-o", "page.html"),
    "bench fit": ("bench", "fit", "--folder", "../folder"),
    "bench forward": ("bench", "forward", "--folder", "../folder", "--width", "256", "--depth", "4"),
    "bench norms": ("bench", "norms"),
    "bench train": ("bench", "train"),
}
every = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
for at, (name, words) in enumerate(commands.items()):
    longest, stopped = 0.6, 0
    numbers = every if name in ("merge", "plot") else (every[at % 3],)
    for number in numbers:
        for attempt in range(40):
            child = start(*words)
            time.sleep(0.02 + rng.random() * longest)
            if child.poll() is None and ended_by(child, number, name):
                left = sorted(os.listdir("work"))
                if name == "merge" and left == ["merged.h5"]:  # the signal came between its name and its end: it is whole
                    run("verify", "work/merged.h5")
                else:
                    stopped += 1
                    assert left == [] and os.listdir("folder") == [], (name, number, left, os.listdir("folder"))
                    break
            else:
                assert child.wait() == 0, (name, child.communicate())
            longest *= 0.7
            for left in os.listdir("work"):
                os.remove("work/" + left)
    assert stopped == len(numbers), f"{name}: ended before a signal came"

# What has something to keep keeps it; one more SIGHUP is no second signal.
job = ("dump", model, "fashion-mnist-1000", "-b", "4", "-o", "hung.h5")
child = start(*job)
while not os.path.exists("work/hung.h5"):
    time.sleep(0.001)
time.sleep(0.05)
for _ in range(3):
    child.send_signal(signal.SIGHUP)
said = child.communicate()[0]
assert child.returncode == 4 and "--resume goes on" in said, (child.returncode, said)
run("verify", "work/hung.h5")
assert subprocess.run([program, *job, "--resume"], cwd="work", capture_output=True).returncode == 0

# nohup: what was ignored stays ignored.
child = subprocess.Popen([program, "dump", model, "fashion-mnist-1000", "-o", "kept.h5"], cwd="work", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
while not os.path.exists("work/kept.h5"):
    time.sleep(0.001)
child.send_signal(signal.SIGHUP)
said = child.communicate()[0]
assert child.returncode == 0, said

# A second signal ends a training in the middle of a step, whose state is kept from before.
train = ("train", "--data", "fashion-mnist-1000", "--norm", "dyt", "--epochs", "100", "--batch", "900", "-o", "run")
child = start(*train)
while not os.path.exists("work/run/training.h5") or '"watched_steps": []' in open("work/run/train.json").read():
    time.sleep(0.001)
child.send_signal(signal.SIGINT)
time.sleep(0.02)
began = time.monotonic()
child.send_signal(signal.SIGTERM)
child.communicate()
assert child.returncode in (-signal.SIGTERM, 4) and time.monotonic() - began < 0.5 * slow, child.returncode
