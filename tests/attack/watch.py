"""One run of the program under attack: its status, what it said, how long it took, how much memory; and what may never be seen."""
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, "tests/tools")
from preload import preload

HANG, CLOCK, MEMORY = 20, 120, 1024  # seconds of processor time; by the clock, where the machine has other work too; MiB
# What neither the program nor a library may say.
NOISE = re.compile(r"Sanitizer|runtime error|HDF5-DIAG|GLib|Pango-WARNING|double free|corrupted|Aborted|\*\*\* ")

build = os.path.abspath(os.environ.get("BUILD", "build"))
program = os.path.abspath(os.environ.get("NORMSCOPE", "build/normscope"))
plain = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NORMSCOPE_DATA": os.path.abspath("datasets"), "NO_COLOR": "1"}
plain.pop("LD_PRELOAD", None)


def is_sanitized():
    return "libasan" in subprocess.run(["ldd", program], capture_output=True, text=True).stdout


class Outcome:
    """What came of a run: status (negative: the signal that ended it), seconds of processor time and by the clock, memory (MiB), said."""

    def __init__(self, status, seconds, clock, memory, said):
        self.status, self.seconds, self.clock, self.memory, self.said = status, seconds, clock, memory, said

    def wrong(self, statuses=(0, 1, 2, 3, 4)):
        """Why this run is a finding, or None."""
        tail = self.said[-1500:]
        if self.seconds >= HANG or self.clock >= CLOCK:
            return f"no end after {self.seconds:.0f} s of processor time, {self.clock:.0f} by the clock"
        if self.status not in statuses:
            return f"status {self.status}, expected one of {statuses}: {tail}"
        if NOISE.search(self.said):
            return f"said: {tail}"
        return f"{self.memory:.0f} MiB of memory" if self.memory > MEMORY else None



class Run(Outcome):
    """A process that is under way. Its output goes to a file, so that nobody has to read a pipe meanwhile."""

    def __init__(self, words, folder, env=None, name="said"):
        self.words, self.path, self.began = words, f"{folder}/.{name}", time.monotonic()
        with open(self.path, "wb") as out:
            self.child = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, env={**plain, **(env or {})},
                                          preexec_fn=None if name == "said" else lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))

    def gone(self):
        return self.child.poll() is not None

    def send(self, number):
        self.child.send_signal(number)

    def wait(self):
        """Waits, CLOCK seconds at most."""
        def too_long(*_):
            self.child.kill()

        before = signal.signal(signal.SIGALRM, too_long)
        signal.setitimer(signal.ITIMER_REAL, max(0.01, self.began + CLOCK - time.monotonic()))
        if self.child.returncode is None:
            _, how, usage = os.wait4(self.child.pid, 0)
            self.child.returncode, self.memory, self.seconds = os.waitstatus_to_exitcode(how), usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
        else:
            self.memory = self.seconds = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        self.clock, self.status = time.monotonic() - self.began, self.child.returncode
        with open(self.path, "rb") as file:
            self.said = file.read(1 << 20).decode(errors="replace")
        os.remove(self.path)
        return self


def run(words, folder, env=None):
    return Run([program, *words], folder, env).wait()


class Server:
    """The program, started once; each run is a fork of it (tests/tools/forkserver.c)."""

    def __init__(self):
        library = build + "/tools/forkserver.so"
        theirs, self.to = os.pipe()
        self.back, back = os.pipe()
        os.set_inheritable(theirs, True), os.set_inheritable(back, True)
        self.child = subprocess.Popen([program], env={**plain, "LD_PRELOAD": preload(program, library), "FORK_SERVER": f"{theirs} {back}"}, pass_fds=(theirs, back))
        os.close(theirs), os.close(back)

    def read(self, count):
        data = os.read(self.back, count)
        assert len(data) == count, "the server has ended"
        return data

    def run(self, words, folder):
        out, began = f"{folder}/.said", time.monotonic()
        text = b"".join(os.fsencode(w) + b"\0" for w in (folder, out, *words))
        os.write(self.to, struct.pack("<I", len(text)) + text)
        pid = struct.unpack("<i", self.read(4))[0]
        ended, *_ = select.select([self.back], [], [], CLOCK)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        how, memory, spent = struct.unpack("<i", self.read(4))[0], struct.unpack("<q", self.read(8))[0], struct.unpack("<q", self.read(8))[0]
        with open(out, "rb") as file:
            said = file.read(1 << 20).decode(errors="replace")
        os.remove(out)
        return Outcome(os.waitstatus_to_exitcode(how), spent / 1e6, time.monotonic() - began, memory / 1024, said)

    def end(self):
        os.close(self.to), os.close(self.back)
        self.child.wait()
