"""A header of very many tensors takes memory for the tensors, and not for a tree of its JSON."""
import json
import os
import struct
import subprocess

program, tmp, count = os.environ["NORMSCOPE"], os.environ["TMP"], 200_000
header = json.dumps({f"block.{i}.weight": {"dtype": "U8", "shape": [1], "data_offsets": [i, i + 1]} for i in range(count)}).encode()
with open(f"{tmp}/many.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(header)) + header + bytes(count))
child = subprocess.Popen([program, "list", f"{tmp}/many.safetensors"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
said = child.stderr.read()
_, status, used = os.wait4(child.pid, 0)
assert os.waitstatus_to_exitcode(status) == 3 and "many.safetensors" in said, said  # whole, but of no model that is known
assert "NS_SANITIZED" in os.environ or used.ru_maxrss < 130 * 1024, used.ru_maxrss
