"""What stands in an SVG figure: panels with their frames, ticks, texts and the white boxes behind texts; lengths are points."""
import re
import xml.etree.ElementTree as tree

import numpy as np

NS = "{http://www.w3.org/2000/svg}"


def content(element):
    """The text, with x10 to a power written as e."""
    out = element.text or ""
    for span in element:
        power = out.endswith("10") and float(span.get("dy", 0)) < 0
        if power:
            out = out[:-3] + "e" if out.endswith("\u00d710") else out[:-2] + "1e"
        out += (span.text or "") + (span.tail or "")
    return out


def number(label):
    """NaN for a word."""
    try:
        return float(label.replace("\u2212", "-"))
    except ValueError:
        return float("nan")


def box(rect):
    return tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))


class Panel:
    def __init__(self, group):
        self.frame = next(box(r) for r in group.findall(NS + "rect") if r.get("fill") == "none")
        self.boxes = [box(r) for r in group.findall(NS + "rect") if r.get("fill-opacity") == "0.85"]
        self.texts = [(float(t.get("x", 0)), float(t.get("y", 0)), content(t)) for t in group.findall(NS + "text") if "transform" not in t.attrib]
        turned = [(tuple(map(float, re.findall(r"-?[\d.]+", t.get("transform"))))[:2], t) for t in group.findall(NS + "text") if "transform" in t.attrib]
        self.y_label = "".join(content(t) for _, t in turned if t.get("text-anchor") != "end")
        self.turned_names = [(at, float(t.get("font-size")), content(t)) for at, t in turned if t.get("text-anchor") == "end"]  # below the panel
        x, y, width, height = self.frame
        labels = [(float(t.get("x", 0)), float(t.get("y", 0)), t.get("text-anchor"), content(t)) for t in group.findall(NS + "text")]
        below = [(at, base, text) for at, base, anchor, text in labels if anchor == "middle" and base > y + height]
        self.x_labels = [(at, number(text)) for at, base, text in below if base == min(b for _, b, _ in below)]  # below them the axis's own
        self.y_labels = [(base, number(text)) for at, base, anchor, text in labels if anchor == "end" and at < x]
        marks = [tuple(map(float, re.findall(r"-?[\d.]+", p.get("d")))) for p in group.findall(NS + "path") if len(re.findall(r"-?[\d.]+", p.get("d"))) == 4]
        self.x_ticks = sorted(m[0] for m in marks if m[0] == m[2] and abs(m[1] - (y + height)) < 1e-3 and m[3] > m[1])
        self.y_ticks = sorted(m[1] for m in marks if m[1] == m[3] and abs(m[2] - x) < 1e-3 and m[0] < m[2])

    def to_page(self, x, y, labelled=None):
        """Points of the data on the page, by the labels of the ticks; y by those of the panel at the left of the row."""
        labelled = labelled or self
        at, value = np.array(self.x_labels).T
        x_scale, x_zero = np.polyfit(value, at, 1)
        scale, zero = np.polyfit([v for _, v in labelled.y_labels], labelled.y_ticks[::-1], 1)
        share = (scale * y + zero - labelled.frame[1]) / labelled.frame[3]
        return x_scale * x + x_zero, self.frame[1] + self.frame[3] * share


class Figure:
    def __init__(self, path):
        self.root = tree.parse(path).getroot()
        self.size = tuple(map(float, self.root.get("viewBox").split()[2:]))
        self.panels = [Panel(g) for g in self.root.findall(NS + "g")]
        self.texts = [content(t) for t in self.root.iter(NS + "text")]
        self.ids = [e.get("id") for e in self.root.iter() if e.get("id")]


def overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
