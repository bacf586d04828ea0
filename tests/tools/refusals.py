"""For tests of bad input at the program: what it must say, exit status 3, and no file made. End with done()."""
import os
import subprocess

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model = "datasets/vit-fmnist-layernorm"
failures = []
# What neither libraries nor sanitizers may add to a message.
NOISE = ("HDF5-DIAG", "Sanitizer", "runtime error", "GLib", "Pango-WARNING", "libpng", "Aborted")


def run(*arguments, prefix=()):
    """(exit status, standard output, standard error)."""
    process = subprocess.Popen([*prefix, program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)  # nothing here takes seconds: what does, waits for ever
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def peak(*arguments):
    """The largest resident memory of a run, in MiB."""
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen([program, *arguments], stdout=nowhere, stderr=nowhere)
        return os.wait4(process.pid, 0)[2].ru_maxrss / 1024


def fail(arguments, what):
    failures.append(f"{' '.join(arguments)}: {what}")


def refused(arguments, *parts, status=3, prefix=(), prints=False):
    """The message has the parts in this order and nothing else is on stderr; on stdout there is something where it `prints`."""
    found, out, said = run(*arguments, prefix=prefix)
    at = 0
    for part in parts:
        place = said.find(part, at)
        if place < 0 or found != status:
            return fail(arguments, f"status {found}, expected {status}; {part!r} expected in: {said}")
        at = place + len(part)
    if not said.startswith(f"normscope {arguments[0]}: ") or any(word in said for word in NOISE):
        fail(arguments, f"an odd message: {said}")
    if bool(out) != prints:
        fail(arguments, f"printed: {out!r}")


def accepted(arguments):
    found, _, said = run(*arguments)
    if found or any(word in said for word in NOISE):
        fail(arguments, f"status {found}, expected 0: {said}")


def dump(data, *parts, more=(), status=3, checkpoint=model):
    """dump refuses and leaves no file, neither under its name nor under the one it has before it is whole."""
    out = t + "/out.h5"
    refused(["dump", checkpoint, data, "-o", out, *more], *parts, status=status)
    left = [name for name in os.listdir(t) if name.startswith("out.h5")]
    if left:
        fail(["dump", data], f"left {left}")
        for name in left:
            os.remove(f"{t}/{name}")


def write(name, data):
    path = f"{t}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path


def as_nobody():
    """A prefix that runs a program as a user without rights, or None where that user cannot reach it."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--regid=65534", "--clear-groups"]
    os.chmod(t, 0o755)
    os.chmod(os.path.dirname(t), 0o755)
    try:
        return prefix if run("list", model, prefix=prefix)[0] == 0 else None
    except FileNotFoundError:
        return None


def done():
    assert not failures, "\n".join(failures)
