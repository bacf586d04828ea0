"""A header of very many tensors takes memory for the tensors, and not for a tree of its JSON."""
import os
import struct
import subprocess

program, tmp, count = os.environ["NORMSCOPE"], os.environ["TMP"], 200_000
with open(f"{tmp}/many.safetensors", "wb") as f:  # in pieces: a child counts its parent's memory as its own
    f.write(bytes(8) + b"{")
    for i in range(count):
        f.write(b'%s"block.%d.weight":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}' % (b"," if i else b"", i, i, i + 1))
    f.write(b"}")
    length = f.tell() - 8
    f.write(bytes(count))
    f.seek(0)
    f.write(struct.pack("<Q", length))
child = subprocess.Popen([program, "list", f"{tmp}/many.safetensors"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
said = child.stderr.read()
_, status, used = os.wait4(child.pid, 0)
assert os.waitstatus_to_exitcode(status) == 3 and "many.safetensors" in said, said  # whole, but of no model that is known
assert "NS_SANITIZED" in os.environ or used.ru_maxrss < 200 * 1024, used.ru_maxrss
