#!/usr/bin/env python3
"""A dump of every norm of real networks beside transformers with hooks that write by h5py, and their forward passes alone, in turn on the same
machine. Needs torch, transformers, h5py, numpy; with ONNX also onnxruntime, which runs that network beside ours.

usage: scripts/bench_dump_peers.py MODELS [--rounds N] [--threads N] [--onnx FILE] [--folder FOLDER]
       MODELS holds minilm-l6, smollm2 and dinov2-s as scripts/fetch_model.sh lays them out, and smollm2-f32, the folder that
       scripts/convert_smollm2.py makes (what is lacking is left out)

Timed is the run over the samples and the writing of the file, without the loading of weights and of Python; ours is the time that dump prints.
Peak memory is the whole process's. The forward pass alone is, for us, a dump of one row a site (--sample-rows 1)."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("NORMSCOPE", os.path.join(ROOT, "build", "normscope"))

PEER = r"""
import sys, time
import h5py, numpy as np, torch
from transformers import AutoModel, AutoModelForCausalLM
folder, data, out, threads, batch, causal = sys.argv[1:7]
torch.set_num_threads(int(threads))
ids = torch.from_numpy(np.load(data).astype(np.int64))
model = (AutoModelForCausalLM if causal == "1" else AutoModel).from_pretrained(folder, dtype=torch.float32).eval()
norms = [(n, m) for n, m in model.named_modules() if type(m).__name__.lower().endswith("norm")]
file = h5py.File(out, "w") if out != "-" else None
seen = {}
def hook(name):
    def f(module, inputs, output):
        seen[name] = (inputs[0].reshape(-1, inputs[0].shape[-1]), output.reshape(-1, output.shape[-1]))
    return f
if file:
    for n, m in norms: m.register_forward_hook(hook(n))
b = int(batch)
begin = time.time()
with torch.no_grad():
    for i in range(0, len(ids), b):
        seen.clear()
        model(input_ids=ids[i:i+b])
        for n, (x, y) in seen.items():
            rows = len(x) // len(ids[i:i+b]) * len(ids)
            if n not in file:
                file.create_dataset(n + "/input", (rows, x.shape[1]), "f4")
                file.create_dataset(n + "/output", (rows, x.shape[1]), "f4")
            at = len(x) // len(ids[i:i+b]) * i
            file[n + "/input"][at:at+len(x)] = x.numpy()
            file[n + "/output"][at:at+len(y)] = y.numpy()
if file: file.close()
print("seconds", time.time() - begin, "sites", len(norms))
"""

ONNX = r"""
import sys, time
import numpy as np, onnxruntime as o
file, data, threads, batch = sys.argv[1:5]
s = o.SessionOptions(); s.intra_op_num_threads = int(threads)
net = o.InferenceSession(file, s, providers=["CPUExecutionProvider"])
pixels = np.load(data); b = int(batch); name = net.get_inputs()[0].name
net.run(None, {name: pixels[:1]})
begin = time.time()
for i in range(0, len(pixels), b): net.run(None, {name: pixels[i:i+b]})
print("seconds", time.time() - begin)
"""


def timed(command, pattern, **env):
    """Seconds that the process prints, and its peak memory in MB."""
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=dict(os.environ, **env))
        _, status, used = os.wait4(child.pid, 0)
        said.seek(0)
        text = said.read()
    found = re.search(pattern, text)
    if status or not found:
        sys.exit(f"{' '.join(command[:3])} ...: ended with {status}:\n{text}")
    return float(found[1]), used.ru_maxrss / 1024


def median(values):
    return sorted(values)[len(values) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--onnx")
    parser.add_argument("--folder", default="/dev/shm")
    o = parser.parse_args()
    import numpy as np

    rng = np.random.default_rng(0)
    one = dict(OMP_NUM_THREADS=str(o.threads))
    print(f"{o.threads} threads, median of {o.rounds} runs in turn; ratio: ours / theirs\n")
    print("%-34s %9s %9s %6s %9s %9s" % ("", "ours s", "theirs s", "ratio", "ours MB", "theirs MB"))
    with tempfile.TemporaryDirectory(dir=o.folder) as tmp:

        def compare(title, ours, theirs):
            mine, peer = [], []
            for _ in range(o.rounds):
                mine.append(timed(ours, r", ([\d.]+) s,", **one))
                peer.append(timed(theirs, r"seconds ([\d.]+)", **one))
            a, b = (median([t for t, _ in v]) for v in (mine, peer))
            m, n = (max(m for _, m in v) for v in (mine, peer))
            print("%-34s %9.3f %9.3f %6.3f %9.0f %9.0f" % (title, a, b, a / b, m, n), flush=True)

        def words(name, theirs, samples, causal, vocabulary):
            ours, peer = f"{o.models}/{name}", f"{o.models}/{theirs}"
            if not (os.path.exists(ours) and os.path.exists(peer)):
                print(f"{name}: left out")
                return
            data, out = f"{tmp}/ids.npy", f"{tmp}/run.h5"
            np.save(data, rng.integers(1000, vocabulary, (samples, 256)).astype(np.int32))
            end = ["--to-the-end"] if causal else []
            base = [PROGRAM, "dump", ours, data, "-o", out, "--force", "--batch", "8", *end]
            peers = [sys.executable, "-W", "ignore", "-c", PEER, peer, data]
            last = [str(o.threads), "8", "1" if causal else "0"]
            compare(f"{name}, {samples} x 256: all sites", base, peers + [f"{tmp}/peer.h5", *last])
            compare(f"{name}, {samples} x 256: forward", base + ["--sample-rows", "1"], peers + ["-", *last])

        words("minilm-l6", "minilm-l6", 32, False, 30522)
        words("smollm2", "smollm2-f32", 8, True, 49152)
        words("smollm2-f32", "smollm2-f32", 8, True, 49152)
        if o.onnx and os.path.exists(f"{o.models}/dinov2-s"):
            data = f"{tmp}/pixels.npy"
            np.save(data, rng.standard_normal((16, 3, 224, 224), np.float32))
            compare(
                "dinov2-s, 16 x 224 x 224: forward",
                [PROGRAM, "dump", f"{o.models}/dinov2-s", data, "-o", f"{tmp}/run.h5", "--force", "--batch", "8", "--sample-rows", "1"],
                [sys.executable, "-c", ONNX, o.onnx, data, str(o.threads), "8"],
            )


if __name__ == "__main__":
    main()
