"""Text for models of words: what a sample is (--split, --context), what stands around it and behind it, folders and standard input, raw ids; always
against the ids that the words have in the vocabulary, and against the same ids given as .npy. What is no text is refused by name."""
import gzip
import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
from refusals import done, dump, fail, program, refused, run, t, write

# 99 words, as many as the model has, and one more that it has no row for.
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "."] + [a + b for a in "bcdfghjklm" for b in "aeiouyzwq"] + ["za", "zo"]
words = words[:99] + ["beyond"]
bert = f"{t}/bert"
shutil.copytree("tests/golden/words/bert", bert)
write("bert/vocab.txt", "".join(w + "\n" for w in words))
write("bert/tokenizer_config.json", '{"do_lower_case": true, "model_max_length": 1000000000000000019884624838656}')
number = {w: i for i, w in enumerate(words)}
CLS, SEP = number["[CLS]"], number["[SEP]"]


def ids(text):
    return [number[w] for w in text.lower().replace(",", " , ").replace(".", " . ").split()]


def took(data, *more, model=bert, stdin=None, name="run"):
    """What samples a run has, as lists of ids without the padding, and its file."""
    arguments = ["dump", model, data, "-o", f"{t}/{name}.h5", "-f", *more]
    process = subprocess.run([program, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if process.returncode:
        fail(arguments, process.stderr.decode())
        return [], process.stderr.decode()
    with h5py.File(f"{t}/{name}.h5") as file:
        found = file["samples/words"][:]
        length = max((row >= 0).sum() for row in found)
        if found.shape[1] != length or any((np.diff((row >= 0).astype(int)) > 0).any() for row in found):
            fail(arguments, f"padding: {found}")
        named = dict(zip(file["names/token_id"][:], file["names/token"].asstr()[:]))
        if any(named[i] != words[i] for i in named) and model == bert:
            fail(arguments, f"names: {named}")
    return [row[row >= 0].tolist() for row in found], process.stdout.decode()


def same(got, want, what):
    if got != want:
        fail([what], f"expected {want}, found {got}")


def names(name="run"):
    with h5py.File(f"{t}/{name}.h5") as file:
        return file["samples/name"].asstr()[:].tolist()


lines = ["Ba be, bi. ", "", "  ", "co cu cy\tcz cw cq da de di do", "du.", "", "Fa fe"]
path = write("prose.txt", "\r\n".join(lines) + "\n")
whole = [ids(line) for line in lines if line.strip()]

# A line each, cut to the context, [CLS] and [SEP] around it; blank lines are none.
got, said = took(path, "--split", "line", "--context", "8")
same(got, [[CLS, *line[:6], SEP] for line in whole], "lines")
same(names(), ["prose.txt:1", "prose.txt:4", "prose.txt:5", "prose.txt:7"], "names of lines")
if "cut: 1 of 4 texts were longer than the context of 8 words" not in said:
    fail(["lines"], said)
padded = {}
with h5py.File(f"{t}/run.h5") as file:
    same(int(file.attrs["samples_cut"]), 1, "samples_cut")
    for s in file["sites"]:
        padded[s] = file[f"sites/{s}/output"][:].reshape(4, 8, -1)
        kinds = file[f"sites/{s}/kind"][:].reshape(4, 8)
        same([(row == 3).sum() for row in kinds], [len(g) for g in got], "kinds")
# What is filled up gives what it gives alone.
for k, sample in enumerate(got):
    np.save(f"{t}/alone.npy", np.array([sample]))
    took(f"{t}/alone.npy", name="alone")
    with h5py.File(f"{t}/alone.h5") as file:
        for s in padded:
            alone = file[f"sites/{s}/output"][:]
            if np.abs(alone - padded[s][k, : len(sample)]).max() > 1e-5 * np.abs(alone).max():
                fail([f"sample {k}"], f"site {s} differs from the run alone")

same(took(path, "--split", "paragraph")[0], [[CLS, *whole[0], SEP], [CLS, *whole[1], *whole[2], SEP], [CLS, *whole[3], SEP]], "paragraphs")
same(names(), ["prose.txt:1", "prose.txt:4", "prose.txt:7"], "names of paragraphs")
same(took(path, "--split", "file")[0], [[CLS, *sum(whole, []), SEP]], "a file")
same(names(), ["prose.txt"], "name of a file")

# The stream: stretches, each with what closes a text around it; a rest is no sample, but all of a short text is.
stream = sum(whole, [])
pieces = [stream[k : k + 5] for k in range(0, len(stream) - 4, 5)]
same(took(path, "--context", "7")[0], [[CLS, *piece, SEP] for piece in pieces], "stream")
same(took(path)[0], [[CLS, *stream, SEP]], "a short stream")

# A folder, and files that are no texts.
write("texts/b.txt", "ba be bi\n")
write("texts/a.txt", "fo fu.\n\nga\n")
open(f"{t}/texts/c.txt.gz", "wb").write(gzip.compress(b"ha"))
write("texts/notes.md", "x")
got, said = took(f"{t}/texts")
same(got, [[CLS, *ids(x), SEP] for x in ("fo fu. ga", "ba be bi", "ha")], "folder")
same(names(), ["a.txt", "b.txt", "c.txt.gz"], "names of files")
if "left out: 1 files that are no texts by their names:\n  notes.md" not in said:
    fail(["folder"], said)
same(took(f"{t}/texts", "--split", "line")[0], [[CLS, *ids(x), SEP] for x in ("fo fu.", "ga", "ba be bi", "ha")], "lines of a folder")
same(names(), ["a.txt:1", "a.txt:3", "b.txt:1", "c.txt.gz:1"], "names of a folder's lines")

# Standard input: text, gzip, .npy, from a pipe.
text = open(path, "rb").read()
for data in (text, gzip.compress(text)):
    same(took("-", "--split", "line", "--context", "8", stdin=data)[0], [[CLS, *line[:6], SEP] for line in whole], "stdin")
np.save(f"{t}/two.npy", np.array([[2, 7, 8, 3], [2, 9, 3, -1]]))
same(took("-", stdin=open(f"{t}/two.npy", "rb").read())[0], [[2, 7, 8, 3], [2, 9, 3]], ".npy from stdin")

# Raw ids, as nanoGPT leaves them.
raw = np.arange(5, 97)
for kind in ("uint16", "uint32"):
    raw.astype("<" + kind.replace("uint16", "u2").replace("uint32", "u4")).tofile(f"{t}/{kind}.bin")
    same(took(f"{t}/{kind}.bin", "--ids", kind, "--context", "30")[0], raw[:90].reshape(3, 30).tolist(), kind)
refused(["dump", bert, f"{t}/uint16.bin", "-o", f"{t}/x.h5"], "uint16.bin: expected text or a .npy file; of raw token ids it must be told how many bytes each has: --ids uint16 or uint32")
refused(["dump", bert, f"{t}/uint16.bin", "--ids", "uint32", "--context", "30", "-o", f"{t}/x.h5"], "uint16.bin: sample 0, word 0", "expected one of the model's 99 words")
dump(write("odd.bin", b"12345"), "odd.bin: expected whole ids of 2 bytes each, found 5 bytes in all", more=["--ids", "uint16"], checkpoint=bert)
dump(write("few.bin", b"1234"), "few.bin: expected a sample of 32 ids, found 2", more=["--ids", "uint16"], checkpoint=bert)
dump(f"{t}/two.npy", "two.npy: expected raw ids, found a .npy file", more=["--ids", "uint16"], checkpoint=bert)

# A word of the vocabulary that the model has no row for; a model without tokenizer; what is no text.
dump(write("beyond.txt", "ba beyond\n"), "beyond.txt: sample 0, word 2 ('beyond'): expected one of the model's 99 words, found 99", checkpoint=bert)
dump(path, "prose.txt: the text cannot be made the model's 99 words: ", "expected a tokenizer (tokenizer.json, vocab.txt", "as a .npy file", checkpoint="tests/golden/words/bert")
dump("fashion-mnist-1000", "expected text or token ids for a model that takes words, found an IDX file", checkpoint=bert)
dump(write("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(30)), "picture.png: expected text or token ids for a model that takes words, found a PNG image", checkpoint=bert)
os.makedirs(f"{t}/pictures")
write("pictures/a.png", "x")
dump(f"{t}/pictures", "pictures: expected texts (.txt, .txt.gz) in this folder, found 1 other files", checkpoint=bert)
dump(path, "--context: expected at most 32, the model's positions; found 33", more=["--context", "33"], status=2, checkpoint=bert)
dump(path, "expected samples of more than the 2 words that the tokenizer adds to each, found 2", more=["--context", "2"], status=2, checkpoint=bert)
dump(write("blank.txt", " \n\n"), "blank.txt: expected a sample of", more=["--split", "line"], checkpoint=bert)

# Characters go on as before, and are split too.
model = "datasets/runs/gpt-layernorm"
alphabet = json.load(open(model + "/config.json"))["vocabulary"]
play = write("play.txt", "First Citizen:\n\nSpeak, speak.\n")
same(took(play, "--split", "line", model=model)[0], [[alphabet.index(c) for c in line] for line in ("First Citizen:", "Speak, speak.")], "characters")
shown = dict(enumerate(alphabet))
with h5py.File(f"{t}/run.h5") as file:
    same(dict(zip(file["names/token_id"][:].tolist(), file["names/token"].asstr()[:])), {alphabet.index(c): c for c in set("First Citizen:Speak, speak.")}, "names")

# Loss and accuracy stand in the file sample by sample: the same in parts that are merged, and after an interruption.
job = [model, "shakespeare", "--to-the-end", "-l", "1", "-c", "32", "-b", "4"]
parts = []
for k, part in enumerate((["-n", "12"], ["-n", "4"], ["--skip", "4", "-n", "8"])):
    status, out, said = run("dump", *job, *part, "-o", f"{t}/score{k}.h5")
    assert not status, said
    parts.append(out)
status, out, said = run("merge", f"{t}/score1.h5", f"{t}/score2.h5", "-o", f"{t}/score3.h5")
assert not status, said
with h5py.File(f"{t}/score0.h5") as a, h5py.File(f"{t}/score3.h5") as b:
    for k in ("judged", "hits", "words"):
        same(a["samples"][k][:].tolist(), b["samples"][k][:].tolist(), f"merged {k}")
    if np.abs(a["samples/loss"][:] - b["samples/loss"][:]).max() > 1e-4:
        fail(["merge"], "losses differ")
    same(b["names/token"][:].tolist(), a["names/token"][:].tolist(), "merged names")
    judged, hits, loss = (a["samples"][k][:].sum() for k in ("judged", "hits", "loss"))
    same(int(judged), 12 * 31, "judged")
for k in (0, 3):
    info = run("info", f"{t}/score{k}.h5")[1]
    if f"{100 * hits / judged:.2f} % ({hits} of {judged} next words)" not in info or f"{loss / judged:.4f} nats" not in info:
        fail(["info", f"score{k}"], info)
if f"loss {loss / judged:.4f} nats" not in parts[0]:
    fail(["dump"], parts[0])
done()
