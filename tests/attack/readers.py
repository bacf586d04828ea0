"""The readers of what anybody may have made: a row each. A new format is one row, with its seeds made in `material`.

A row says where the changed file stands in a folder of `material`, how it is changed, and the commands that read it, one of which is run on
each changed copy, in turn. Words of a command that begin with @ are taken from the changed file itself (arguments)."""
import gzip
import io
import json
import os
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass, field

import numpy as np

import mutate
import watch

GOLDEN = "tests/golden/"
OUT = ("-o", "out.h5", "-f")
ONE = ("-n", "1", *OUT)


@dataclass
class Reader:
    name: str
    mutate: object
    files: list  # seeds, in the folder of the material; the changed one has the place of the first where `place` names none
    commands: list
    place: str = ""
    copy: list = field(default_factory=list)  # what commands need beside it, and may write into
    seeds: list = field(default_factory=list)


def run(*words):
    done = subprocess.run([watch.program, *words], capture_output=True, text=True, env=watch.plain)
    assert done.returncode == 0, (words, done.stdout, done.stderr)


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def read(path):
    with open(path, "rb") as file:
        return file.read()


def npy_bytes(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def sharded(source, folder):
    """A checkpoint in two files with their index."""
    data = read(source + "/model.safetensors")
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    weight_map = {}
    for part in range(2):
        name, mine, held = f"model-{part + 1:05}-of-00002.safetensors", {}, b""
        for tensor in sorted(header)[part::2]:
            begin, end = header[tensor]["data_offsets"]
            mine[tensor] = {**header[tensor], "data_offsets": [len(held), len(held) + end - begin]}
            held += body[begin:end]
            weight_map[tensor] = name
        text = json.dumps(mine).encode()
        write(f"{folder}/{name}", len(text).to_bytes(8, "little") + text + held)
    write(folder + "/model.safetensors.index.json", json.dumps({"metadata": {"total_size": len(body)}, "weight_map": weight_map}))
    shutil.copy(source + "/config.json", folder)


def material_of_training():
    """40 images with labels, as IDX; returns the images' file."""
    numbers = np.random.default_rng(1)
    pixels = numbers.integers(0, 255, (40, 28, 28), dtype=np.uint8)
    idx, labels = struct.pack(">IIII", 0x803, 40, 28, 28) + pixels.tobytes(), struct.pack(">II", 0x801, 40) + bytes(numbers.integers(0, 10, 40, dtype=np.uint8))
    write("images/t10k-images-idx3-ubyte", idx), write("images/t10k-labels-idx1-ubyte", labels)
    return idx


def material():
    """Small files of every kind, in the folder where we are; golden checkpoints are copied from `root`."""
    root = material.root
    numbers = np.random.default_rng(0)
    for name in ("vit/hf-classifier", "vit/timm-registers", "words/llama", "words/bert", "words/gpt2", "words/nanogpt"):
        shutil.copytree(f"{root}/{GOLDEN}{name}", os.path.basename(name), ignore=shutil.ignore_patterns("expected*"))
    sharded("hf-classifier", "sharded")
    write("hf-classifier/preprocessor_config.json", json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"shortest_edge": 9}, "crop_size": {"height": 8, "width": 8},
                                                                 "resample": 3, "do_rescale": True}))
    write("square.npy", npy_bytes(numbers.standard_normal((1, 4, 12, 8)).astype("f4")))
    write("x.npy", npy_bytes(numbers.standard_normal((3, 3, 8, 8)).astype("f4")))
    write("ids.npy", npy_bytes(np.array([[3, 7, 1, 40, 2], [39, 1, -100, -100, -100]])))
    idx = material_of_training()
    write("packed.idx.gz", gzip.compress(idx, mtime=0))
    write("labels.npy", npy_bytes(np.arange(3))), write("labels.txt", "# class\n1\n0\n1\n")
    write("named.txt", "".join(f"{n} {i % 2}\n" for i, n in enumerate(sorted(n for n in os.listdir(f"{root}/tests/fuzz/image") if n.endswith("png") and n != "vast.png"))))
    for name in sorted(os.listdir(f"{root}/tests/fuzz/image")):
        if name != "vast.png":
            write(f"{name[-3:]}s/{name}", read(f"{root}/tests/fuzz/image/{name}"))
    text = "First Citizen: na\u00efve \u4f60\u597d, speak, speak.\nAll: resolved? resolved.\n" * 12
    write("text.txt", text), write("text.gz", gzip.compress(text.encode(), mtime=0))
    write("table.tsv", "#1/x\t%\t\ttext\nalpha_0\taccuracy\tseed\tname\n0.5\t80\t1\ta\n1\t81.5\t1\tb\n2\t79\t2\tc\n")
    write("bench.tsv", "#text\ttext\tunit\tunit\tunit\nmeasure\tunit\tmedian\tmin\tmax\nread\tns/point\t0.5\t0.4\t0.9\nfit\tns/point\t12.5\t11\t20\nfit / read\t1\t25\t20\t31.5\n")
    small = ("--width", "8", "--depth", "1", "--heads", "1", "--batch", "8")
    vit = ("train", "--data", "images/t10k-images-idx3-ubyte", "--norm", "dyt", "--patch", "14", "--validation", "8", *small)
    run(*vit, "--epochs", "2", "-o", "tiny")
    run("train", "--arch", "gpt", "--data", "text.txt", "--characters", "--norm", "layernorm", "--context", "8", "--epochs", "1", *small, "-o", "gpt")
    interrupted([*vit, "--epochs", "30", "-o", "stopped"])
    x = ("dump", "hf-classifier", "x.npy")
    run(*x, "-o", "run.h5"), run(*x, "--mode", "both", "-o", "both.h5"), run(*x, "--mode", "sketch", "-o", "sketch.h5")
    run(*x, "--sample-rows", "4", "--dtype", "f16", "-o", "sampled.h5"), run("dump", "llama", "ids.npy", "-o", "words.h5"), run(*x, "-n", "1", "-o", "a.h5"), run(*x, "--skip", "1", "-o", "b.h5")
    run("merge", "a.h5", "b.h5", "-o", "merged.h5")
    shutil.copy("tiny/training.h5", "training.h5")


def interrupted(words):
    """A training run that can go on, and has not much left to do."""
    folder = words[-1]
    for _ in range(50):
        child = subprocess.Popen([watch.program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=watch.plain)
        while child.poll() is None and not (os.path.exists(folder + "/training.h5") and '"watched_steps": []' not in read(folder + "/train.json").decode()):
            time.sleep(0.002)
        child.send_signal(2)
        if child.wait() == 4:
            return
        shutil.rmtree(folder)
    raise AssertionError("a training run ends before it can be interrupted")


def state_file():
    return next("stopped/" + name for name in sorted(os.listdir("stopped")) if name.startswith("state-"))


RUN_COMMANDS = [("info", "{}"), ("verify", "{}"), ("stats", "{}"), ("stats", "{}", "--format", "json"), ("fit", "{}"), ("fit", "{}", "--held-out"), ("correlate", "{}"),
                ("plot", "scurve", "{}", "-o", "out.svg", "-f"), ("plot", "tokens", "{}", "-o", "out.png", "-f"), ("plot", "channels", "{}", "-o", "out.pdf", "-f"),
                ("plot", "residual", "{}", "-o", "out.svg", "-f"), ("plot", "rows", "{}", "-o", "out.svg", "-f"), ("plot", "depth", "{}", "-o", "out.svg", "-f", "--data", "out.tsv"),
                ("merge", "{}", "-o", "out.h5", "-f"), ("dump", "../base/hf-classifier", "../base/x.npy", "-o", "{}", "--resume"), ("report", "{}", "-o", "out.html", "-f")]
TRAINING_COMMANDS = [("plot", "training", "{}", "-o", "out.svg", "-f"), ("plot", "alpha", "{}", "-o", "out.svg", "-f"), ("correlate", "{}"), ("correlate", "{}", "--by-epoch"),
                     ("correlate", "{}", "--within")]
RESUME = [("train", "--data", "images/t10k-images-idx3-ubyte", "--norm", "dyt", "--patch", "14", "--validation", "8", "--width", "8", "--depth", "1", "--heads", "1", "--batch", "8", "--epochs", "30",
           "-o", "stopped", "--resume")]


def vit(place, data="../base/x.npy"):
    return [("dump", os.path.dirname(place), data, *ONE), ("list", os.path.dirname(place))]


def table():
    """Called in the folder of the material."""
    m, packed, run_h5 = mutate, mutate.gzipped(mutate.raw), mutate.hdf5
    words = {"bert", "llama", "gpt2", "nanogpt"}
    checkpoints = ["hf-classifier", "timm-registers", *sorted(words)]
    rows = [Reader("safetensors", m.safetensors, [f"{c}/model.safetensors" for c in checkpoints], [("list", "{d}"), ("dump", "{d}", "{data}", *ONE)]),
            Reader("config.json", m.json_text, [f"{c}/config.json" for c in checkpoints], [("list", "{d}"), ("dump", "{d}", "{data}", *ONE)]),
            Reader("safetensors index", m.json_text, ["sharded/model.safetensors.index.json"], vit("sharded/x"), copy=["sharded"]),
            Reader("preprocessor", m.json_text, ["hf-classifier/preprocessor_config.json"], [("dump", "hf-classifier", "../base/pngs", *ONE)], copy=["hf-classifier"]),
            Reader("idx images", m.raw, ["images/t10k-images-idx3-ubyte"], [("dump", "../base/tiny", "images/t10k-images-idx3-ubyte", *ONE)], copy=["images"]),
            Reader("idx labels", m.raw, ["images/t10k-labels-idx1-ubyte"], [("dump", "../base/tiny", "images/t10k-images-idx3-ubyte", *ONE, "--to-the-end")], copy=["images"]),
            Reader("idx in gzip", packed, ["packed.idx.gz"], [("dump", "../base/tiny", "{}", *ONE)]),
            Reader("npy images", m.npy, ["x.npy"], [("dump", "../base/hf-classifier", "{}", *OUT)]),
            Reader("npy ids", m.npy, ["ids.npy"], [("dump", "../base/llama", "{}", *OUT), ("dump", "../base/bert", "{}", *OUT)]),
            Reader("npy labels", m.npy, ["labels.npy"], [("dump", "../base/hf-classifier", "../base/x.npy", "--labels", "{}", *OUT, "--to-the-end")]),
            Reader("labels", m.lines, ["labels.txt"], [("dump", "../base/hf-classifier", "../base/x.npy", "--labels", "{}", *OUT, "--to-the-end")]),
            Reader("labels by name", m.lines, ["named.txt"], [("dump", "../base/hf-classifier", "../base/pngs", "--labels", "{}", *OUT, "--to-the-end")]),
            Reader("png", m.png, ["pngs/" + n for n in sorted(os.listdir("pngs"))], [("dump", "../base/hf-classifier", "{}", *OUT)], place="one.png"),
            Reader("jpeg", m.raw, ["jpgs/" + n for n in sorted(os.listdir("jpgs"))], [("dump", "../base/hf-classifier", "{}", *OUT)], place="one.jpg"),
            Reader("text", m.lines, ["text.txt"], [("dump", "../base/gpt", "{}", *ONE)]),
            Reader("text in gzip", m.gzipped(m.lines), ["text.gz"], [("dump", "../base/gpt", "{}", *ONE)]),
            Reader("text to train on", m.lines, ["text.txt"], [("train", "--arch", "gpt", "--data", "{}", "--characters", "--context", "8", "--epochs", "1", "--width", "8", "--depth", "1",
                                                               "--heads", "1", "--batch", "64", "-o", "out", "-f")]),
            Reader("tsv", m.lines, ["table.tsv"], [("plot", "sweep", "{}", "-o", "out.svg", "-f", "-x", "alpha_0", "-y", "accuracy"),
                                                               ("plot", "sweep", "{}", "-o", "out.svg", "-f", "-x", "alpha_0", "-y", "accuracy", "--second", "seed"),
                                                               ("plot", "sweep", "{}", "-o", "out.svg", "-f", "-x", "name", "-y", "accuracy")]),
            Reader("tsv of bench", m.lines, ["bench.tsv"], [("plot", "bench", "{}", "-o", "out.svg", "-f")]),
            Reader("run file", run_h5, ["run.h5", "sampled.h5", "words.h5", "merged.h5"], RUN_COMMANDS),
            Reader("sketches", run_h5, ["sketch.h5", "both.h5"], RUN_COMMANDS),
            Reader("training.h5", run_h5, ["training.h5"], TRAINING_COMMANDS),
            Reader("train.json", m.json_text, ["stopped/train.json"], RESUME, copy=["stopped", "images"]),
            Reader("training state", m.safetensors, [state_file()], RESUME, copy=["stopped", "images"]),
            Reader("selections", m.lines, ["words.txt"], [("stats", "../base/run.h5", "@--layers"), ("stats", "../base/words.h5", "@--select"), ("plot", "scurve", "../base/run.h5", "-o", "out.svg", "-f", "@--title"),
                                                         ("plot", "tokens", "../base/run.h5", "-o", "out.svg", "-f", "@--tokens"), ("dump", "../base/hf-classifier", "../base/x.npy", *ONE, "@--layers")])]
    write("words.txt", "blocks.*.norm1\nnorm\n**\n[a-z]?.[!0]\n1,3-5,2\n20-10\n1-\nfirst\nclass,register\n0:3,1:2\n")
    rows += optional_rows()
    for row in rows:
        row.seeds = [read(path) for path in row.files]
    return rows


def optional_rows():
    return []


def data_of(checkpoint):
    return {"timm-registers": "../base/square.npy"}.get(checkpoint, "../base/ids.npy" if checkpoint in ("bert", "llama", "gpt2", "nanogpt") else "../base/x.npy")


def lay_out(row, which, data, folder):
    """Writes the file into `folder`, which lies beside the material's; returns its place there."""
    base = os.path.dirname(row.files[which])
    place = row.place or row.files[which]
    for name in row.copy or ([base] if base and not row.place else []):
        shutil.copytree(f"{folder}/../base/{name}", f"{folder}/{name}")
    write(f"{folder}/{place}", data)
    return place


def words_of(row, which, command, place):
    base = os.path.dirname(row.files[which])
    return [w.format(place, d=base, data=data_of(base)) for w in command]


def prepare(row, rng, folder):
    """Lays out a changed copy, and returns the command that reads it and the copy."""
    which = rng.randrange(len(row.files))
    data = row.mutate(rng, row.seeds[which], row.seeds)
    words = words_of(row, which, rng.choice(row.commands), lay_out(row, which, data, folder))
    if words[-1].startswith("@"):
        words[-1] = words[-1][1:] + "=" + rng.choice(data.split(b"\n")).replace(b"\0", b"?").decode("utf-8", "surrogateescape")[:4000]
    return words, data


def unchanged(row, run, folder):
    """Seeds that no command of the row reads would test nothing: [(command, status, what was said)]."""
    wrong = []
    for which in range(len(row.files)):
        good = 0
        for command in row.commands:
            if command[-1].startswith("@"):
                return []
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            done = run(words_of(row, which, command, lay_out(row, which, row.seeds[which], folder)), folder)
            good += done.status == 0
            if done.status:
                wrong.append((row.files[which], command, done.status, done.said))
        if good * 2 < len(row.commands):
            raise AssertionError(wrong)
    return wrong
