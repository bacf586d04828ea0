"""Text that memory is not to hold is refused, by its size when it is unpacked and before much of it is in memory; 100 MB of it are read."""
import gzip
import os
import subprocess

program, tmp = os.environ["NORMSCOPE"], os.environ["TMP"]
model = "datasets/runs/gpt-dyt"
sanitized = "NS_SANITIZED" in os.environ


def dump(mebibytes):
    """(status, what was said, MiB of memory) for so much text in gzip."""
    with gzip.open(f"{tmp}/large.txt.gz", "wb", compresslevel=1) as f:
        for _ in range(mebibytes):
            f.write(b"Speak, speak.\n\nAll: resolved?\n" * (1 << 15))
    child = subprocess.Popen([program, "dump", model, f"{tmp}/large.txt.gz", "-l", "1", "-n", "2", "-f", "-o", f"{tmp}/run.h5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = child.stderr.read()
    _, how, used = os.wait4(child.pid, 0)
    return os.waitstatus_to_exitcode(how), said, used.ru_maxrss / 1024


status, said, memory = dump(96)
assert status == 0 and (sanitized or memory < 640), (status, said, memory)
print(f"96 MiB of text: {memory:.0f} MiB of memory")
status, said, memory = dump(200)
assert status == 3 and "large.txt.gz: expected at most 134217728 bytes of text, unpacked, in a file, found more" in said, said
assert sanitized or memory < 200, memory
print(f"200 MiB of text: refused with {memory:.0f} MiB")
