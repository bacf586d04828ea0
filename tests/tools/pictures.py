"""What a person sees of a figure's files: where its text stands, and grey pictures of it to compare."""
import functools
import re
import shutil
import subprocess

import numpy as np
from PIL import Image, ImageFont

import svg

FONT = "DejaVuSans.ttf"  # of plots/figure/style.c, as fontconfig's package has it
SCALE = 200  # pixels of a font of one point, so that measures are not rounded


def call(*command, status=0, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == status, f"{command}: status {done.returncode}: {text}"
    return text


# ---- text ----

@functools.lru_cache(None)
def measure(text):
    """Width, and the ink's left, top, right and bottom from the start of the baseline, y downwards, of a font of one point."""
    font = ImageFont.truetype(FONT, SCALE)
    return font.getlength(text) / SCALE, tuple(v / SCALE for v in font.getbbox(text, anchor="ls"))


def ink(element):
    """left, top, right, bottom of what an SVG text element blackens on the page; None where that is nothing."""
    size, x, rise, boxes = float(element.get("font-size")), 0.0, 0.0, []
    runs = [(element.text or "", size)]
    for span in element:
        runs += [(span, float(span.get("font-size", size))), (span.tail or "", size)]
    for run, of in runs:
        if not isinstance(run, str):
            rise += float(run.get("dy", 0))
            run = run.text or ""
        width, (left, top, right, bottom) = measure(run)
        if run.strip():
            boxes.append((x + left * of, rise + top * of, x + right * of, rise + bottom * of))
        x += width * of
    if not boxes:
        return None
    shift = {"middle": x / 2, "end": x}.get(element.get("text-anchor"), 0)
    left, top, right, bottom = (f(b[i] for b in boxes) for i, f in enumerate((min, min, max, max)))
    left, right = left - shift, right - shift
    if "transform" in element.attrib:
        at, base, turn = map(float, re.fullmatch(r"translate\((\S+) (\S+)\) rotate\((\S+)\)", element.get("transform")).groups())
        assert turn == -90
        return at + top, base - right, at + bottom, base - left
    at, base = float(element.get("x")), float(element.get("y"))
    return at + left, base + top, at + right, base + bottom


def check_boxes(boxes, size, label, slack=0.3):
    """[(text, (left, top, right, bottom))] lie within the page and apart from each other, but for `slack` points."""
    width, height = size
    for text, (left, top, right, bottom) in boxes:
        assert left >= -slack and top >= -slack and right <= width + slack and bottom <= height + slack, f"{label}: {text!r} at {(left, top, right, bottom)} leaves the page of {size}"
    if not boxes:
        return
    b = np.array([box for _, box in boxes])
    meet = (b[:, None, 0] + slack < b[None, :, 2]) & (b[None, :, 0] + slack < b[:, None, 2]) & (b[:, None, 1] + slack < b[None, :, 3]) & (b[None, :, 1] + slack < b[:, None, 3])
    for i, j in np.argwhere(np.triu(meet, 1))[:1]:
        raise AssertionError(f"{label}: {boxes[i]} and {boxes[j]} lie over each other")


def svg_texts(path):
    figure = svg.Figure(path)
    boxes = [(svg.content(t), ink(t)) for t in figure.root.iter(svg.NS + "text")]
    return figure, [(text, box) for text, box in boxes if box]


def check_svg(path):
    """A valid file, whose texts are in place; returns the figure."""
    call("xmllint", "--noout", "--nonet", path)
    figure, boxes = svg_texts(path)
    check_boxes(boxes, figure.size, path)
    return figure


def pdf_words(path):
    """For each page its size and its words, [(word, (left, top, right, bottom))]; boxes have the height of the font's line."""
    pages = []
    for line in call("pdftotext", "-bbox", path, "-").splitlines():
        page, word = re.match(r' *<page width="(\S+)" height="(\S+)">', line), re.match(r' *<word xMin="(\S+)" yMin="(\S+)" xMax="(\S+)" yMax="(\S+)">(.*)</word>', line)
        if page:
            pages.append((tuple(map(float, page.groups())), []))
        elif word:
            pages[-1][1].append((word[5], tuple(float(word[k]) for k in range(1, 5))))
    return pages


def check_pdf(path):
    """A valid file with real text in embedded fonts, within the page; returns its text, without spaces at all."""
    call("qpdf", "--check", path)
    fonts = call("pdffonts", path).splitlines()[2:]
    assert fonts and all("Type 3" not in f and re.search(r"(yes) +(yes) +(yes) +\d+ +\d+$", f) for f in fonts), (path, fonts)
    pages = pdf_words(path)
    for number, (size, words) in enumerate(pages, 1):
        lesser = []
        for word, (left, top, right, bottom) in words:
            trim = 0.25 * min(right - left, bottom - top)  # a line is higher than its letters
            lesser.append((word, (left + trim, top + trim, right - trim, bottom - trim)))
        check_boxes(lesser, size, f"{path}, page {number}")
    return squeezed(call("pdftotext", path, "-"))


def squeezed(text):
    return re.sub(r"\s", "", text)


# ---- pictures ----

def grey(path, size=None):
    """[height, width] of a PNG, 0 to 255, where wanted brought to (width, height)."""
    with Image.open(path) as image:
        image = image.convert("L")
        return np.asarray(image if size in (None, image.size) else image.resize(size, Image.BOX), float)


def of_svg(path, size, png):
    call("rsvg-convert", "-w", str(size[0]), "-h", str(size[1]), "-b", "white", path, "-o", png)
    return grey(png, size)


def of_pdf(path, size, png):
    """On a page of that many pixels; what a page has beyond them is cut, and white stands where it is smaller."""
    call("pdftoppm", "-r", "150", "-png", "-singlefile", path, png[:-4])
    page, seen = np.full(size[::-1], 255.0), grey(png)
    height, width = (min(a, b) for a, b in zip(page.shape, seen.shape))
    page[:height, :width] = seen[:height, :width]
    return page


def of_eps(path, size, png):
    """None where there is no ghostscript."""
    if not shutil.which("gs"):
        return None
    call("gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=png16m", "-dTextAlphaBits=4", "-dGraphicsAlphaBits=4", "-r150", f"-g{size[0]}x{size[1]}", f"-sOutputFile={png}", path)
    return grey(png, size)


def distance(a, b):
    """Mean absolute difference of blocks of 6 by 6 pixels, so that the edges of letters do not matter."""
    assert a.shape == b.shape, (a.shape, b.shape)
    h, w = (n // 6 * 6 for n in a.shape)
    return np.abs((a - b)[:h, :w].reshape(h // 6, 6, w // 6, 6).mean((1, 3))).mean()


def registered(a, b, up=1):
    """Their distance where they fit best within a pixel each way, `up` upwards and downwards: those who draw round places in their own ways."""
    return min(distance(np.roll(a, (i, k), (0, 1)), b) for i in range(-up, up + 1) for k in (-1, 0, 1))


def check_alike(a, b, label, up=1):
    """As near to each other as half of what a shift by eight pixels makes; returns both."""
    off, moved = registered(a, b, up), min(distance(np.roll(b, 8, axis), b) for axis in (0, 1))
    assert off < moved / 2, f"{label}: {off:.2f} of 255 apart, {moved:.2f} when shifted"
    return off, moved
