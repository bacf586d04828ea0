"""The commands that write: a row each, with what they write and how it is known to be whole."""
import os
import shutil
from dataclasses import dataclass

import readers
import watch


@dataclass
class Writer:
    name: str
    words: tuple  # run in a folder beside the material's
    outputs: tuple  # names of files, or of one folder
    resume: tuple = ()  # goes on with what an interruption left
    force: tuple = ("--force",)
    gnuplot: bool = False  # another program writes too: what is preloaded into ours does not meet its writes

    def is_folder(self):
        return "." not in self.outputs[0]


X = ("dump", "../base/vit", "../base/x28.npy", "-b", "4", "-o", "out.h5")
TRAIN = ("train", "--data", "../base/images/t10k-images-idx3-ubyte", "--norm", "dyt", "--patch", "14", "--validation", "8", "--width", "8", "--depth", "1", "--heads", "1", "--batch", "8",
         "--epochs", "12", "--watch-every", "7", "-o", "out")


def plot(kind, source, name, *more):
    return ("plot", kind, "../base/" + source, "-o", name, *more)


WRITERS = [Writer("dump", X, ("out.h5",), ("--resume",)),
           Writer("dump of sketches", (*X, "--mode", "both"), ("out.h5",), ("--resume",)),
           Writer("merge", ("merge", "../base/first.h5", "../base/second.h5", "-o", "out.h5"), ("out.h5",)),
           Writer("train", TRAIN, ("out",), ("--resume",)),
           Writer("plot pdf", plot("scurve", "first.h5", "out.pdf", "--dpi", "150", "--data", "out.tsv"), ("out.pdf", "out.tsv")),
           Writer("plot png", plot("tokens", "first.h5", "out.png", "--dpi", "150"), ("out.png",)),
           Writer("plot svg", plot("channels", "first.h5", "out.svg"), ("out.svg",)),
           Writer("plot eps", plot("scurve", "first.h5", "out.eps", "--dpi", "150"), ("out.eps",)),
           Writer("plot gnuplot", plot("scurve", "first.h5", "out.svg", "--backend", "gnuplot"), ("out.svg", "out.svg.gp"), gnuplot=True),
           Writer("report", ("report", "../base/first.h5", "-o", "out.html", "--dpi", "72"), ("out.html",))]


def material():
    """In the folder where we are."""
    import numpy as np

    readers.material_of_training()
    shutil.copytree(readers.material.root + "/datasets/vit-fmnist-layernorm", "vit")
    readers.write("x28.npy", readers.npy_bytes(np.random.default_rng(5).random((48, 1, 28, 28)).astype("f4")))
    x = ("dump", "vit", "x28.npy", "-l", "1,8,17")
    readers.run(*x, "-n", "24", "-o", "first.h5"), readers.run(*x, "--skip", "24", "-o", "second.h5")


def content(path):
    """What two runs of one job share: the bytes, or of a run's file the datasets and attributes."""
    if os.path.isdir(path):
        return {name: content(f"{path}/{name}") for name in sorted(os.listdir(path)) if name != "train.json"}
    if not path.endswith(".h5"):
        return readers.read(path)
    import h5py

    found = {}
    with h5py.File(path, "r") as file:

        def take(name, item):
            for key, value in item.attrs.items():
                if key not in ("created", "command_line"):
                    found[f"{name}@{key}"] = str(value)
            if isinstance(item, h5py.Dataset) and name != "progress/sha256":  # a seal of the attributes too
                found[name] = (item.shape, str(item.dtype), item[()].tobytes())

        take("", file)
        file.visititems(take)
    return found


def whole(writer, folder):
    """The outputs of a run that nobody disturbs: {name: [content, ...]}, and how long it took."""
    os.makedirs(folder)
    run = watch.run(writer.words, folder)
    assert run.status == 0, (writer.name, run.status, run.said)
    there = sorted(n for n in os.listdir(folder) if not n.startswith("."))
    assert set(writer.outputs) <= set(there), (writer.name, there)
    writer.outputs = tuple(there)
    wanted = {name: [content(f"{folder}/{name}")] for name in there}
    if not writer.resume:  # figures and pages tell the command that made them, --force included
        assert watch.run((*writer.words, *writer.force), folder).status == 0, writer.name
        for name in there:
            wanted[name].append(content(f"{folder}/{name}"))
    return wanted, run.clock


def old_content(writer, folder):
    """Something that stands there before: returns what `state` calls old."""
    for name in writer.outputs:
        readers.write(f"{folder}/{name}", "somebody's " + name)


def is_old(path):
    return os.path.isfile(path) and readers.read(path) == b"somebody's " + os.path.basename(path).encode()


def state(writer, folder, wanted):
    """(state, None), or (None, why it is a finding): nothing, old, whole, mixed (of several files some are new) or resumed (what was left has been
    gone on with, to what an undisturbed run gives)."""
    there = {name for name in os.listdir(folder) if not name.startswith(".said")}
    dead = {name for name in there if writer.gnuplot and name.startswith(".normscope-")}
    if dead:  # gnuplot wants names for its files; the next one clears what the dead left
        run = watch.run((*writer.words, *writer.force), folder)
        there = {name for name in os.listdir(folder) if not name.startswith(".said")}
        if run.wrong((0,)) or there != set(writer.outputs):
            return None, run.wrong((0,)) or f"left {sorted(there)}"
    strange = there - set(writer.outputs) - {"out.svg.gp"}
    if strange:
        return None, f"left {sorted(strange)}"
    states = set()
    for name in writer.outputs:
        path = f"{folder}/{name}"
        if name not in there:
            states.add("nothing")
        elif is_old(path):
            states.add("old")
        elif not writer.resume:
            if content(path) not in wanted[name]:
                return None, f"{name} is neither what stood there nor whole"
            states.add("whole")
        else:
            why = go_on(writer, folder, name, wanted)
            if why:
                return None, why
            states.add("resumed")
    if dead:
        return "cleared by the next", None
    return states.pop() if len(states) == 1 else "mixed", None


def go_on(writer, folder, name, wanted):
    if name.endswith(".h5"):
        run = watch.run(("verify", name), folder)
        if run.wrong((0,)):
            return f"verify: {run.wrong((0,))}"
    begun = name.endswith(".h5") or os.path.exists(f"{folder}/{name}/train.json")  # else an empty folder, in which it begins
    run = watch.run((*writer.words, *(writer.resume if begun else ())), folder)
    if run.wrong((0,)):
        return f"resume: {run.wrong((0,))}"
    have = content(f"{folder}/{name}")
    whole = wanted[name][0]
    apart = [k for k in whole if have.get(k) != whole[k]]
    left = [k for k in have if k not in whole]
    return f"resumed, and {apart[:4]} differ, {left[:4]} are left" if apart or left else None
