"""Writes images, and beside them the tensors that Pillow and NumPy make of them: usage: images.py FOLDER

cases.txt has a line for each: file, tensor, channels, height, width, resize, crop, stretch, bilinear. test_images.c reads it.
The tensors are torchvision's evaluation transform: Resize and CenterCrop on Pillow images, ToTensor, Normalize."""
import math
import struct
import sys
import zlib

import numpy as np
from PIL import Image

folder = sys.argv[1]
random = np.random.default_rng(20250711)
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
lines = []


def picture(height, width, channels):
    """Smooth parts, edges and noise, with values at both ends of the range, so that overshoot is clipped."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        127 + 90 * np.sin(x / (3 + c) + y / 7) + 60 * np.sign(np.sin(y / 5.0 - c)) + random.normal(0, 12, (height, width))
        for c in range(channels)
    ]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8).squeeze()


def transform(image, channels, height, width, resize, crop, stretch, bilinear):
    image = image.convert("RGB" if channels == 3 else "L")
    filter = Image.BILINEAR if bilinear else Image.BICUBIC
    w, h = image.size
    size = resize or math.floor(height / crop)
    if stretch:
        new = (size, size)
    else:
        new = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
    if new != image.size:
        image = image.resize(new, filter)
    top, left = int(round((new[1] - height) / 2.0)), int(round((new[0] - width) / 2.0))
    image = image.crop((left, top, left + width, top + height))
    values = np.asarray(image, np.float32).reshape(height, width, channels) / np.float32(255)
    values = (values - MEAN[:channels]) / STD[:channels]
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def case(name, image, channels=3, size=16, resize=0, crop=0.875, stretch=0, bilinear=0):
    expected = transform(image, channels, size, size, resize, crop, stretch, bilinear)
    tensor = "%d.npy" % len(lines)
    np.save(folder + "/" + tensor, expected)
    lines.append("%s %s %d %d %d %d %.17g %d %d" % (name, tensor, channels, size, size, resize, crop, stretch, bilinear))


def saved(name, image, **options):
    image.save(folder + "/" + name, **options)
    return Image.open(folder + "/" + name)


def png_by_hand(name, rows, width, height, depth, colour, interlace=0, extra=b""):
    """What Pillow does not write: 16 bits, small depths of grey, Adam7."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    open(folder + "/" + name, "wb").write(data)


# Sizes: smaller, larger, equal, odd differences, tall and wide, one pixel; both filters; all three fits.
for n, (h, w) in enumerate([(40, 60), (61, 33), (7, 9), (16, 16), (18, 19), (200, 31), (31, 300), (1, 1), (1, 40), (640, 480)]):
    image = saved("size%d.png" % n, Image.fromarray(picture(h, w, 3).reshape(h, w, 3)))
    for bilinear in (0, 1):
        case("size%d.png" % n, image, bilinear=bilinear)
        case("size%d.png" % n, image, bilinear=bilinear, stretch=1, crop=1)
        case("size%d.png" % n, image, bilinear=bilinear, resize=21)
        case("size%d.png" % n, image, bilinear=bilinear, size=15, crop=0.9)
grey = saved("grey.png", Image.fromarray(picture(37, 45, 1)))
case("grey.png", grey)
case("grey.png", grey, channels=1)
case("size0.png", Image.open(folder + "/size0.png"), channels=1)  # to luma

# Other kinds of PNG.
rgba = np.dstack([picture(40, 33, 3), picture(40, 33, 1)])
case("rgba.png", saved("rgba.png", Image.fromarray(rgba)))
case("la.png", saved("la.png", Image.fromarray(rgba[:, :, 2:], "LA")))
palette = Image.fromarray(rgba[:, :, :3]).quantize(37)
case("palette.png", saved("palette.png", palette))
case("palette.png", Image.open(folder + "/palette.png"), channels=1)
case("transparent.png", saved("transparent.png", palette, transparency=3))
case("bits4.png", saved("bits4.png", Image.fromarray(rgba[:, :, :3]).quantize(9), bits=4))
case("one.png", saved("one.png", Image.fromarray(picture(40, 33, 1)).convert("1")))
key = picture(20, 20, 3)
case("key.png", saved("key.png", Image.fromarray(key), transparency=tuple(int(v) for v in key[3, 4])))

wide = picture(30, 26, 3)
low = random.integers(0, 256, wide.shape).astype(np.uint8)
pairs = np.stack([wide, low], -1)  # big-endian 16 bits: the upper byte is what is kept
png_by_hand("rgb16.png", b"".join(b"\0" + pairs[y].tobytes() for y in range(30)), 26, 30, 16, 2)
case("rgb16.png", Image.open(folder + "/rgb16.png"))
png_by_hand("grey16.png", b"".join(b"\0" + pairs[y, :, 1].tobytes() for y in range(30)), 26, 30, 16, 0)
case("grey16.png", Image.fromarray(wide[:, :, 1]))
for depth in (2, 4):
    values = random.integers(0, 1 << depth, (24, 24))
    bits = np.unpackbits(values.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :].reshape(24, -1)
    png_by_hand("grey%d.png" % depth, b"".join(b"\0" + np.packbits(row).tobytes() for row in bits), 24, 24, depth, 0)
    case("grey%d.png" % depth, Image.fromarray((values * (255 // ((1 << depth) - 1))).astype(np.uint8)))
passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in wide[y::dy, x::dx] if row.size)
png_by_hand("interlaced.png", rows, 26, 30, 8, 2, interlace=1)
case("interlaced.png", Image.open(folder + "/interlaced.png"))
gamma = struct.pack(">I", 4) + b"gAMA" + struct.pack(">I", 30000)
gamma += struct.pack(">I", zlib.crc32(gamma[4:]))
png_by_hand("gamma.png", b"".join(b"\0" + row.tobytes() for row in wide), 26, 30, 8, 2, extra=gamma)
case("gamma.png", Image.fromarray(wide))

# JPEG: Debian's Pillow decodes with the same library.
photo = Image.fromarray(picture(75, 101, 3))
for name, options in {
    "444.jpg": {"subsampling": 0},
    "420.jpg": {"subsampling": 2},
    "422.JPEG": {"subsampling": 1},
    "progressive.jpg": {"progressive": True},
    "restart.jpg": {"quality": 30, "optimize": True},
}.items():
    case(name, saved(name, photo, **options))
case("420.jpg", Image.open(folder + "/420.jpg"), channels=1)
case("grey.jpg", saved("grey.jpg", photo.convert("L")))
case("grey.jpg", Image.open(folder + "/grey.jpg"), channels=1)
case("cmyk.jpg", saved("cmyk.jpg", photo.convert("CMYK")))
saved("jpeg.png", photo, format="JPEG")  # as one file of ImageNet is, the other way round
case("jpeg.png", Image.open(folder + "/jpeg.png"))

open(folder + "/cases.txt", "w").write("\n".join(lines) + "\n")
