"""Data that are damaged, cut short, of another kind or another shape: the message names the file, what was expected and what was found;
exit status 3; no file is made. What memory a small file can claim has a bound."""
import gzip
import io
import os
import shutil
import struct
import sys
import zlib

import numpy as np
from PIL import Image

sys.path.insert(0, "tests/tools")
from refusals import accepted, as_nobody, done, dump, fail, model, peak, refused, run, t, write

rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, 784 * 20, dtype=np.uint8).tobytes()


def idx(*extents, magic=0x800):
    return struct.pack(f">I{len(extents)}I", magic + len(extents), *extents)


# IDX.
whole = gzip.compress(idx(20, 28, 28) + pixels)
for name, data, parts in [("short", idx(1000, 28, 28) + pixels, ["the IDX header promises 784000 values, the file holds 15680"]),
                          ("long", idx(10, 28, 28) + pixels, ["the IDX header promises 7840 values, the file holds more"]),
                          ("vast", idx(2**32 - 1, 28, 28, 1), ["the IDX header promises more than 68719476736 values"]),
                          ("sides", idx(20, 14, 56) + pixels, ["expected images of 1 x 28 x 28", "found 1 x 14 x 56"]),
                          ("colour", idx(5, 28, 28, 4) + pixels, ["expected images of 1 x 28 x 28", "found 4 x 28 x 28"]),
                          ("labels", idx(20) + pixels[:20], ["expected images in 3 or 4 dimensions, found 1 (labels?)"]),
                          ("floats", idx(1, 28, 28, magic=0xD00) + pixels, ["expected IDX values of type 8 (unsigned byte), found type 13"]),
                          ("head", idx(20, 28)[:10], ["the file ends within the IDX header"]),
                          ("none", idx(0, 28, 28), ["expected samples, found none"]),
                          ("cut.gz", whole[: len(whole) // 2], ["expected a whole gzip file, found it cut short after"]),
                          ("end.gz", whole[:-8], ["expected a whole gzip file, found it cut short after 15696 unpacked bytes"]),
                          ("sum.gz", whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:], ["damaged gzip data: incorrect data check"]),
                          ("more.gz", gzip.compress(idx(20, 28, 28) + pixels + b"more"), ["promises 15680 values, the file holds more"])]:
    dump(write(name, data), name + ": ", *parts)
accepted(["dump", model, write("good", idx(20, 28, 28) + pixels), "-o", t + "/good.h5"])
accepted(["dump", model, write("good.gz", whole), "-o", t + "/good-gz.h5"])

# .npy.
Image.new("L", (28, 28)).save(t + "/a.png")
dump(shutil.copy(t + "/a.png", t + "/renamed.npy"), "renamed.npy: expected a .npy file", "found a PNG image")
for name, array, parts in [("shape", np.zeros((4, 3, 28, 28), "f4"), ["expected samples of 1 x 28 x 28", "found 3 x 28 x 28"]),
                           ("flat", np.zeros((4, 784), "f4"), ["expected samples in 4 dimensions [n, channels, height, width], found 2"]),
                           ("big", np.zeros((4, 1, 28, 28), ">f4"), ["little-endian", "found the type '>f4'"]),
                           ("fortran", np.asfortranarray(np.zeros((4, 1, 28, 28), "f4")), ["C order", "found Fortran order"]),
                           ("objects", np.array([{}], object), ["expected little-endian numbers", "found the type '|O'"]),
                           ("complex", np.zeros((4, 1, 28, 28), "c8"), ["found the type '<c8'"]),
                           ("whole", np.zeros((4, 1, 28, 28), "i4"), ["expected samples of type f2, f4, f8 or u1, found i4"]),
                           ("fields", np.zeros(4, [("a", "f4")]), ["expected a header with one type", "found something else at byte"]),
                           ("none", np.zeros((0, 1, 28, 28), "f4"), ["expected samples, found none"])]:
    np.save(f"{t}/{name}.npy", array, allow_pickle=True)
    dump(f"{t}/{name}.npy", f"{name}.npy: ", *parts)
header = "{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}"
for name, text, parts in [("giant", header.format("(9000000000000000000, 1, 28, 28)"), ["the product of the shape in its header overflows"]),
                          ("negative", header.format("(-4, 1, 28, 28)"), ["expected a header", "found something else at byte"]),
                          ("digits", header.format("(" + "9" * 40 + ",)"), ["expected a header", "found something else at byte"]),
                          ("dimensions", header.format("(1," * 1 + "1," * 40 + ")"), ["at most 8 dimensions"]),
                          ("promise", header.format("(4000, 1, 28, 28)"), ["its header promises 12544000 bytes of values, the file holds 0"]),
                          ("code", "__import__('os').system('true')", ["expected a header"])]:
    dump(write(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()), name + ".npy: ", *parts)
dump(write("version.npy", b"\x93NUMPY\x07\x00\x10\x00" + bytes(16)), "version.npy: expected version 1, 2 or 3 of .npy, found 7.0")
dump(write("header.npy", b"\x93NUMPY\x01\x00\xff\xff{"), "header.npy: the file ends within its header")
np.savez(t + "/archive.npz", np.zeros((4, 1, 28, 28), "f4"))
dump(os.rename(t + "/archive.npz", t + "/archive.npy") or t + "/archive.npy", "archive.npy: expected a .npy file", "found a zip archive")

# Images, each alone in its folder. Some odd ones are read as Pillow reads them (tests/datasets/test_images.c has the values).


def encoded(image, kind, **more):
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bare_png(width, height, data=bytes(100)):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


picture = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
jpeg, png = encoded(picture, "JPEG"), encoded(Image.new("L", (28, 28)), "PNG")
wide = bytearray(jpeg)
place = wide.index(b"\xff\xc0") + 5
wide[place : place + 4] = b"\xff\xdc\xff\xdc"  # 65500 x 65500
webp = "libwebp" in run("version")[1]
flipped = bytearray(png)
flipped[png.index(b"IDAT") + 8] ^= 16
for name, data, parts in [("cut.jpg", jpeg[: len(jpeg) // 2], ["damaged JPEG image: "]), ("head.jpg", jpeg[:20], ["damaged JPEG image: "]),
                          ("wide.jpg", bytes(wide), ["expected an image of 1 to 178956970 pixels, found 65500 x 65500"]),
                          ("cut.png", png[:-30], ["the PNG image is cut short: it ends at byte"]), ("flip.png", bytes(flipped), ["damaged PNG image: IDAT"]),
                          ("vast.png", bare_png(60000, 60000), ["expected an image of 1 to 178956970 pixels, found 60000 x 60000"]),
                          ("rows.png", bare_png(13000, 13000), ["damaged PNG image: "]), ("none.png", bare_png(0, 5), ["damaged PNG image: "]),
                          ("text.png", b"no image", ["expected a PNG, JPEG or WebP image, found text"]), ("empty.png", b"", ["found an empty file"]),
                          ("gif.png", encoded(picture, "GIF"), ["expected a PNG, JPEG or WebP image, found a GIF image"]),
                          ("webp.jpg", b"RIFF\x10\0\0\0WEBPVP8 ", ["the WebP image is"] if webp else ["a WebP image: this program was built without libwebp"]),
                          ("tiff.jpeg", encoded(picture, "TIFF"), ["expected a PNG, JPEG or WebP image, found a TIFF image"])]:
    dump(os.path.dirname(write(f"folder-{name}/{name}", data)), f"folder-{name}/{name}: ", *parts)
moving = io.BytesIO()
picture.save(moving, "PNG", save_all=True, append_images=[picture.rotate(90)])
for name, data in [("cmyk.jpg", encoded(picture.convert("CMYK"), "JPEG")), ("deep.png", encoded(Image.fromarray((np.arange(784).reshape(28, 28) * 80).astype("u2")), "PNG")),
                   ("moving.png", moving.getvalue()), ("progressive.jpg", encoded(picture, "JPEG", progressive=True)), ("renamed.png", jpeg)]:
    accepted(["dump", model, os.path.dirname(write(f"odd-{name}/{name}", data)), "-o", f"{t}/{name}.h5"])
dump(t + "/a.png.h5", "no such file")
usual = peak("dump", model, t + "/a.png", "-o", t + "/usual.h5")
for name in ("vast.png", "rows.png", "wide.jpg"):
    claimed = peak("dump", model, f"{t}/folder-{name}", "-o", t + "/x.h5") - usual
    if claimed > 100:
        fail([name], f"a file of {os.path.getsize(f'{t}/folder-{name}/{name}')} bytes took {claimed:.0f} MiB")
claimed = peak("dump", model, write("promise", idx(80_000_000, 28, 28) + pixels), "-o", t + "/x.h5") - usual
if claimed > 100:
    fail(["promise"], f"an IDX header that promises 60 GiB took {claimed:.0f} MiB")

# Folders, and what is neither file nor folder.
os.makedirs(t + "/empty")
dump(t + "/empty", "empty: expected images", "found 0 other files")
dump(os.path.dirname(write("notes/a.txt", "x")), "notes: expected images", "found 1 other files")
write("mixed/a.png", png)
dump(os.path.dirname(os.path.dirname(write("mixed/cat/b.png", png))), "mixed: expected images either in this folder or in a subfolder", "found 1 in the one and 1 in the others")
os.makedirs(t + "/gone")
os.symlink("nowhere", t + "/gone/a.png")
dump(t + "/gone", "gone/a.png: cannot be read: No such file")
os.mkfifo(t + "/pipe")
os.mkfifo(t + "/pipe.npy")
for path, found in [(t + "/pipe", "a pipe"), (t + "/pipe.npy", "a pipe"), ("/dev/null", "a device"), ("/dev/zero", "a device")]:
    dump(path, f"{path}: expected a file, found {found}")
dump("README.md", "README.md: expected", "found text")
dump(write("zero", b""), "zero: expected", "found an empty file")
dump(t + "/zero/child", "child: no such file or folder")
dump("fashon-mnist", "fashon-mnist: no such file or folder, and no data set of that name; near: fashion-mnist")
dump("fashion-mnist-1000", "found 1000", more=["-n", "5000"])

# Labels.
for text, parts in [("1\n2\n", ["expected 1000 labels", "found 2"]), ("1\nx\n", ["line 2: expected a label, a whole number from 0, at its end; found 'x'"]),
                    ("-3\n", ["line 1: expected a label"]), ("99999999999\n", ["line 1: expected a label"]), ("a.png 1\n2\n", ["line 2: expected a name and a label, as on line 1"]),
                    ("a.png 1\n", ["expected a label alone on each line", "have no names"]), ("", ["expected labels as text, .npy or IDX, found an empty file"]),
                    ("\x89PNG\r\n\x1a\n", ["expected labels as text, .npy or IDX"]), (idx(2) + b"\1\2", ["expected 1000 labels", "found 2"])]:
    dump("fashion-mnist-1000", "labels: ", *parts, more=["--labels", write("labels", text)])
# A label that the model has no class for, of the samples that are run; where nothing is predicted, nothing is compared.
text = "3\n" * 14 + "10\n" + "4\n" * 985
beyond = ["labels: label 14: expected a class of datasets/vit-fmnist-layernorm", "0 to 9 (10 classes), found 10"]
dump("fashion-mnist-1000", *beyond, more=["--labels", write("labels", text), "-n", "15"])
dump("fashion-mnist-1000", *beyond, more=["--labels", t + "/labels", "--skip", "14", "-n", "1"])
accepted(["dump", model, "fashion-mnist-1000", "--labels", t + "/labels", "-n", "14", "--dry-run"])
accepted(["dump", model, "fashion-mnist-1000", "--labels", t + "/labels", "-n", "15", "-l", "1", "--dry-run"])
write("classes/1/a.png", png)
write("classes/12/a.png", png)
dump(t + "/classes", "classes: label 1 (12/a.png): expected a class of datasets/vit", "found 12")
np.save(t + "/labels.npy", np.full(1000, -1))
dump("fashion-mnist-1000", "labels.npy: label 0: expected a whole number from 0, found -1", more=["--labels", t + "/labels.npy"])
for path, part in [(t + "/empty", "expected a file, found a folder"), (t + "/nowhere", "cannot be opened: No such file"), (t + "/pipe", "expected a file, found a pipe")]:
    dump("fashion-mnist-1000", f"{path}: {part}", more=["--labels", path])
write("pair/a.png", png)
write("pair/b.png", png)
dump(t + "/pair", "labels: expected a label for every sample", "found none for b.png; near: ", "b.pgn", more=["--labels", write("labels", "a.png 1\nb.pgn 2\n")])
dump(t + "/pair", "labels: two labels for a.png, on lines 1 and 2", more=["--labels", write("labels", "a.png 1\na.png 2\nb.png 1\n")])

# A file that may not be read.
nobody = as_nobody()
os.chmod(write("secret", idx(20, 28, 28) + pixels), 0)
if nobody is None:
    print("unreadable input: left out, another user cannot run the program here")
else:
    refused(["dump", model, t + "/secret", "-o", t + "/x.h5"], "secret: cannot be opened: Permission denied", prefix=nobody)
    refused(["list", t + "/secret"], "secret: cannot be opened: Permission denied", prefix=nobody)
done()
