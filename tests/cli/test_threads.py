"""More threads than help are brought down to what does, with a warning: neither memory nor the process is lost over them."""
import os
import subprocess

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
processors = len(os.sched_getaffinity(0))
most = max(16, processors)


def run(threads, *words):
    """What it says, on both streams, and the largest memory in KiB."""
    child = subprocess.Popen([program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
    out, said = child.stdout.read(), child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, (threads, status, said)
    return out, said, used.ru_maxrss


dump = ("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "32", "-l", "1", "-f", "-o", f"{tmp}/run.h5")
files = {}
for threads in (most, most + 1, 20000, 100000):
    _, said, kib = run(threads, *dump)
    warned = f"normscope: warning: OMP_NUM_THREADS asks for {threads} threads; {most} are used, more would not help\n"
    assert said == (warned if threads > most else ""), (threads, said)
    assert "NS_SANITIZED" in os.environ or kib < 400 * 1024, (threads, kib)
    info = run(1, "info", f"{tmp}/run.h5")[0]
    assert any(line.split() == ["threads", str(most)] for line in info.splitlines()), info
    files[threads] = run(1, "stats", f"{tmp}/run.h5", "--format", "tsv")[0]
assert all(files[threads] == files[most] for threads in files)
