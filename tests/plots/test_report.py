"""normscope report: the page is HTML that is whole in itself, says of every layer what fit and stats say, shows every figure or why there is
none, is the same bytes from the same input, and works in a browser: by mouse and keyboard, light and dark, wide, narrow and on paper."""
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
import browser
import stores

program, tmp = os.path.abspath(os.environ["NORMSCOPE"]), os.environ["TMP"]
os.environ["OMP_WAIT_POLICY"] = "passive"


def call(*command, status=0, **environment):
    done = subprocess.run([program, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment})
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == status, f"{command}: status {done.returncode}: {text}"
    return done.stdout.decode() if status == 0 else text


class Page(HTMLParser):
    """Everything of a page that the test asks for; balanced tags and ids that do not repeat are asserted on the way."""
    VOID = {"meta", "input", "br", "img", "link"}

    def __init__(self, path):
        super().__init__()
        self.source = open(path, encoding="utf-8").read()
        self.stack, self.ids, self.refs, self.tags, self.texts, self.rows, self.code = [], [], [], {}, [], [], []
        self.columns, self.items = {}, []
        self.feed(self.source)
        self.close()
        assert not self.stack, self.stack
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.stack.append(tag)
        self.element(tag, attributes)

    def handle_startendtag(self, tag, attributes):
        assert "svg" in self.stack, f"<{tag}/>"
        self.element(tag, attributes)

    def element(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        a = dict(attributes)
        self.tags.setdefault(tag, []).append(a)
        if "id" in a:
            self.ids.append(a["id"])
        for name, value in attributes:
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "action", "poster", "srcset", "data"):
                self.refs.append((tag, value))
            self.refs += [(tag, "#" + i) for i in re.findall(r"url\(#([^)]*)\)", value or "")]
        if tag == "th" and "data-column" in a:
            self.columns[a["data-column"]] = a
        if tag == "tr" and "data-site" in a:
            self.rows.append({"site id": a["data-site"]})
        if tag in ("td", "th") and self.rows and "data-value" in a:
            row = self.rows[-1]
            row[list(self.columns)[len(row) - 1]] = a["data-value"]
        if tag == "code":
            self.code.append("")
        if tag == "li":
            self.items.append("")

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, (tag, self.stack, self.getpos())
        self.stack.pop()

    def handle_data(self, data):
        if self.stack and self.stack[-1] in ("script", "style"):
            return
        self.texts.append(data)
        if "code" in self.stack:
            self.code[-1] += data
        if "li" in self.stack:
            self.items[-1] += data

    def unknown_decl(self, data):
        raise AssertionError(data)

    handle_pi = unknown_decl

    @property
    def text(self):
        return "".join(self.texts)


def report(name, *arguments, **environment):
    path = f"{tmp}/{name}"
    call("report", *arguments, "-o", path, "--force", **environment)
    page = Page(path)
    # Nothing is fetched, and what is referred to is there.
    for tag, value in page.refs:
        assert value.startswith("data:image/png;base64,") if tag == "image" else value[0] == "#" and value[1:] in page.ids, (tag, value[:80])
    assert not {"link", "iframe", "object", "embed", "img", "base", "form"} & set(page.tags)
    assert page.source.startswith("<!DOCTYPE html>\n<html lang=") and len(page.tags["script"]) == len(page.tags["style"]) == 1
    assert "@import" not in page.source and not re.search(r"url\((?!#)", page.source) and "://" not in page.source
    assert all("src" not in a for a in page.tags["script"])
    assert "default-src 'none'" in page.tags["meta"][1]["content"]
    return page


def same_values(page, *files):
    """Every number of the table is that of fit or stats, to the last digit, and every row is there in their order."""
    fits = json.loads(call("fit", *files, "--format", "json"))["rows"]
    stats = json.loads(call("stats", *files, "--format", "json"))["rows"]
    assert len(page.rows) == len(fits) == len(stats)
    compared = 0
    for row, fit, stat in zip(page.rows, fits, stats):
        for name, shown in row.items():
            expected = fit[name] if name in fit and name != "from" else stat.get(name)
            if name not in fit and name not in stat:
                assert name in ("site id", "alpha_learned", "note"), name
            elif isinstance(expected, str):
                assert shown == expected, (name, shown, expected)
            else:
                number = float(shown) if shown not in ("", "inf", "-inf") else None
                assert number == expected, (name, shown, expected)
                compared += expected is not None
    assert {"name", "role", "kind", "channels", "rows", "sigma", "min", "max", "excess_kurtosis", "alpha", "alpha_se", "s", "s_se", "slope",
            "s_index", "r2", "saturated_1", "saturated_2", "inverse_sigma"} <= set(page.columns)
    return compared


def same_figures(page, *files):
    """Every kind of figure that is made from runs stands on the page, or why it cannot be drawn."""
    drawn = 0
    for kind in re.findall(r"^  (\w+)  ", call("plot", "--help").split("Kinds:")[1], re.M):
        if kind in ("curves", "training", "sweep", "bench"):  # drawn from no run
            continue
        done = subprocess.run([program, "plot", kind, *files, "-o", f"{tmp}/kind.svg", "--force", "--dpi", "72"], capture_output=True, text=True)
        there = [c for c in page.code if c.startswith(f"normscope plot {kind} ")]
        if done.returncode == 0:
            assert len(there) == 1, (kind, page.items)
            drawn += 1
        elif len(files) == 1:
            why = done.stderr.strip().split(": ", 1)[1]
            assert not there and any(why[:60] in item for item in page.items), (kind, done.stderr, page.items)
    return drawn


# A run of the bundled model.
demo = f"{tmp}/demo.h5"
call("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "40", "-o", demo)
page = report("demo.html", demo)
assert same_values(page, demo) > 17 * 20 and "run" not in page.columns and same_figures(page, demo) >= 1
with h5py.File(demo, "r") as file:
    text = {n: v.decode() if isinstance(v, bytes) else str(v) for n, v in file.attrs.items()}
    for name in ("model_sha256", "data_sha256", "command_line", "created", "tool_version"):
        assert text[name] in page.text, name
    x = file["sites/003/input"][()].astype("f8")
    assert abs(float(page.rows[2]["sigma"]) / x.std() - 1) < 1e-12 and float(page.rows[2]["max"]) == x.max()
assert hashlib.sha256(open(demo, "rb").read()).hexdigest() in page.text and "40 of 40" in page.text
assert f"normscope report {demo} -o {tmp}/demo.html --force" in page.text
panels = [i for i in page.ids if i.startswith("site-")]
assert panels == [r["site id"] for r in page.rows] == [f"site-1-{i}" for i in range(1, 18)]
assert len(page.tags["svg"]) >= 18 and len(page.tags["image"]) >= 21
assert {b["type"] for b in page.tags["button"]} == {"button"} and all(c["aria-sort"] == "none" for c in page.columns.values())
assert len(page.source) < 3 << 20

# The same input, the same bytes; more pixels where they are asked for; only the chosen layers.
first = open(f"{tmp}/demo.html", "rb").read()
report("demo.html", demo, TZ="Asia/Tokyo", LC_ALL="de_DE.UTF-8", SOURCE_DATE_EPOCH="1")
assert open(f"{tmp}/demo.html", "rb").read() == first
fine = report("fine.html", demo, "--dpi", "300", "--layers", "3,9", "--title", "Two & more")
assert [r["site"] for r in fine.rows] == ["3", "9"] and "2 of the 17" in fine.text and "<h1>Two &amp; more</h1>" in fine.source
width = lambda p: np.frombuffer(__import__("base64").b64decode(p.tags["image"][-1]["href"].split(",")[1][:32])[16:20], ">u4")[0]
assert abs(width(fine) / width(page) - 2) < 0.02

# The commands below the figures are those of the page's own choices, as a shell takes them.
chosen = report("chosen.html", demo, "-s", "blocks.*.norm1", "-x", "blocks.0", "--no-fit", "--style", "paper")
commands = [shlex.split(c) for c in chosen.code if c.startswith("normscope plot ")]
for words in commands:
    site = {"--select": "blocks.*.norm1", "--exclude": "blocks.0"} if "--layers" in call("plot", words[2], "--help") else {}
    given = dict(zip(words, words[1:]))
    assert {k: v for k, v in given.items() if k in ("--select", "--exclude")} == site and given["--style"] == "paper", words
    assert ("--no-fit" in words) == ("--no-fit" in call("plot", words[2], "--help")), words
    call(*words[1:-1], f"{tmp}/{words[-1]}")
assert len(commands) >= 6 and any("--no-fit" in words for words in commands)

# An existing page stays, a failure leaves nothing.
assert "--force" in call("report", demo, "-o", f"{tmp}/fine.html", status=1) and open(f"{tmp}/fine.html", encoding="utf-8").read() == fine.source
open(f"{tmp}/bad.h5", "w").write("no run")
assert "bad.h5" in call("report", demo, f"{tmp}/bad.h5", "-o", f"{tmp}/none.html", status=3)
assert "expected -o" in call("report", demo, status=2)
assert not [f for f in os.listdir(tmp) if "none" in f]

# Names and words from a file are text, whatever they are; values that are none stay out of the numbers.
rng = np.random.default_rng(3)
evil = "<script>alert(1)</script> & \"quotes\" 'too'"
x = rng.normal(size=(30, 3, 16)).astype("f4")
holes = x.copy()
holes[2, 1, 4:7] = np.nan, np.inf, -np.inf
learned = rng.normal(0.7, 0.1, 16).astype("f4")
runs = [stores.write(f"{tmp}/<b>&amp;.h5", [
    {"x": x, "y": stores.layernorm(x), "name": evil},
    {"x": 3 * x, "y": np.tanh(learned * 3 * x), "kind": "dyt-channel", "alpha": learned, "gamma": np.ones(16, "f4"), "beta": np.zeros(16, "f4"),
     "name": "blocks.10.dyt", "role": "mlp"},
    {"x": holes, "y": stores.layernorm(holes), "name": "]]> --> </td> \u03b1\u202e\u0001"},
    {"x": 0 * x + 2, "y": 0 * x, "name": "blocks.2.flat"}],
    command_line="normscope </style></script><img src=x onerror=alert(2)>", model_path="<a href='javascript:alert(3)'>"), demo]
page = report("many.html", *runs)
assert same_values(page, *runs) > 21 * 20 and page.columns["run"]["data-type"] == "text"
assert page.text.count(evil) >= 2 and "<a href='javascript:alert(3)'>" in page.text and "<img src=x" in page.text
assert "img" not in page.tags and len(page.tags["script"]) == 1
assert {a["href"] for a in page.tags["a"]} == {"#runs", "#sites", "#figures", "#curves", *("#" + r["site id"] for r in page.rows)}
assert [r["nonfinite"] for r in page.rows[:4]] == ["0", "0", "16", "0"]
assert float(page.rows[1]["alpha_learned"]) == np.mean(learned.astype("f8")) and page.rows[0]["alpha_learned"] == ""
assert page.rows[3]["note"] and same_figures(page, *runs) >= 1

# What a sketch cannot show is said.
call("dump", "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", "-n", "20", "-l", "5,9", "--mode", "sketch", "-o", f"{tmp}/sketch.h5")
sketch = report("sketch.html", f"{tmp}/sketch.h5")
assert {r["from"] for r in sketch.rows} == {"sketch"} and all(r["alpha_se"] == "" for r in sketch.rows)
assert same_values(sketch, f"{tmp}/sketch.h5") > 20 and same_figures(sketch, f"{tmp}/sketch.h5") >= 1

# A sketch alone has no rows for some figures: the page names them, with the reason, and so does the command by their number.
shutil.copy(f"{tmp}/sketch.h5", f"{tmp}/alone.h5")
with h5py.File(f"{tmp}/alone.h5", "r+") as file:
    for site in file["sites"].values():
        for name in ("input", "output", "sample", "position", "kind"):
            del site[name]
said = call("report", f"{tmp}/alone.h5", "-o", f"{tmp}/alone.html")
alone = report("alone.html", f"{tmp}/alone.h5")
assert "<h3>Not drawn</h3>" in alone.source and "Not drawn" not in page.text + sketch.text
missing = dict(item.split(": ", 1) for item in alone.items)
assert set(missing) >= {"tokens", "channels", "residual"} and f"{len(missing)} figures not drawn; the page says why" in said, (missing, said)
for kind, wanted in (("tokens", "choose tokens from"), ("channels", "take channels from"), ("residual", "take the residual of")):
    assert missing[kind].startswith(f"{tmp}/alone.h5: site 5 (") and f"expected stored rows to {wanted}, found a sketch alone" in missing[kind], missing
    assert not any(c.startswith(f"normscope plot {kind} ") for c in alone.code)
assert any(c.startswith("normscope plot scurve ") for c in alone.code)

if not browser.program():
    print("there is no chromium on this machine; scripts/setup.sh check installs it where it can be had")
    sys.exit(77)


def column(name):
    """What stands in a column, row by row, as it is shown now."""
    return b.run(f"""(() => {{ const c = [...document.querySelectorAll('thead th')].findIndex(h => h.dataset.column === '{name}');
        return [...document.querySelectorAll('tbody tr:not([hidden])')].map(r => r.cells[c].dataset.value); }})()""")


def sorted_as_expected(values, down):
    given = [float(v) for v in values if v]
    return values == sorted(values, key=lambda v: v == "") and given == sorted(given, reverse=down)


def aria():
    return {n: s for n, s in b.run("[...document.querySelectorAll('thead th')].map(h => [h.dataset.column, h.ariaSort])") if s != "none"}


def focus(selector):
    b.run(f"document.querySelector({json.dumps(selector)}).focus()")


with browser.Browser() as b:
    b.size(1300, 900)
    b.load(f"{tmp}/many.html")
    rows = len(page.rows)
    natural = column("site")

    # Sorted by click and by keyboard, up and down, what is missing last.
    b.click("th[data-column=alpha] button")
    assert aria() == {"alpha": "ascending"} and sorted_as_expected(column("alpha"), False) and column("site") != natural
    b.click("th[data-column=alpha] button")
    assert aria() == {"alpha": "descending"} and sorted_as_expected(column("alpha"), True)
    focus("th[data-column=sigma] button")
    b.key("Enter")
    assert aria() == {"sigma": "ascending"} and sorted_as_expected(column("sigma"), False)
    b.key(" ", " ")
    assert aria() == {"sigma": "descending"} and sorted_as_expected(column("sigma"), True)
    b.click("th[data-column=name] button")
    names = column("name")
    assert names.index("blocks.2.flat") < names.index("blocks.10.dyt") and len(names) == rows  # numbers in words count as numbers

    # Filtered, with the figures of the layers.
    focus("#filter")
    b.type("NORM1 attention")
    assert all(n.endswith("norm1") for n in column("name")) and len(column("name")) == 8
    assert b.run("document.getElementById('count').textContent") == f"8 of {rows} layers"
    assert b.run("[...document.querySelectorAll('#curves .card')].filter(c => c.offsetParent).length") == 8
    b.run("document.querySelector('#filter').select()")
    b.type("<script>")
    assert column("name") == [evil]
    b.run("document.querySelector('#filter').select()")
    b.type(" ")
    assert len(column("name")) == rows

    # A browser tells of a dialog's end after it: the picture goes back a moment later.
    def until(condition):
        last = time.monotonic() + 10
        while not b.run(condition):
            assert time.monotonic() < last, condition
            time.sleep(0.02)

    # Enlarged by click, Enter and the arrows; Escape and the button close, and everything is where it was.
    open_ = "document.querySelector('dialog').open"
    before = b.run("document.querySelector('main').innerHTML")
    height = b.run("document.documentElement.scrollHeight")
    b.click("#figures .picture")
    assert b.run(open_) and b.run("document.querySelectorAll('.stage svg').length") >= 1
    assert b.run("document.querySelector('.stage svg').getBoundingClientRect().width") > 1000
    assert b.run("document.documentElement.scrollHeight") == height
    b.key("Escape")
    until("!document.querySelector('dialog').open && !document.querySelector('.stage svg')")
    focus("#site-1-2 .picture")
    b.key("Enter")
    assert b.run(open_) and "blocks.10.dyt" in b.run("document.querySelector('#enlarged-name').textContent")
    b.key("ArrowLeft")
    assert evil in b.run("document.querySelector('#enlarged-name').textContent")
    b.click("#close")
    until("!document.querySelector('dialog').open && !document.querySelector('.stage svg')")
    strip = lambda html: re.sub(r' style="[^"]*"', "", html)
    assert strip(b.run("document.querySelector('main').innerHTML")) == strip(before)
    assert b.run("document.activeElement.closest('.card').id") == "site-1-2"

    # Light and dark: text that can be read on its ground, figures on white; narrow: only the table is wider than the page.
    def contrast(selector):
        def light(rgb):
            parts = [c / 255 for c in rgb]
            return sum(w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for w, c in zip((0.2126, 0.7152, 0.0722), parts))
        ink, ground = b.run(f"""(() => {{ let e = document.querySelector('{selector}'); const rgb = s => s.match(/[\\d.]+/g).map(Number);
            const ink = rgb(getComputedStyle(e).color); while (e && rgb(getComputedStyle(e).backgroundColor)[3] === 0) e = e.parentElement;
            return [ink.slice(0, 3), rgb(getComputedStyle(e).backgroundColor).slice(0, 3)]; }})()""")
        low, high = sorted((light(ink), light(ground)))
        return (high + 0.05) / (low + 0.05)

    grounds = set()
    for scheme in ("light", "dark"):
        b.media(prefers_color_scheme=scheme)
        for selector in ("h1", "header p", "dd", "dt", "dd code", "tbody td", "tbody th", "tbody a", "th button", "th small", "figcaption", "footer code"):
            assert contrast(selector) >= 4.5, (scheme, selector, contrast(selector))
        assert b.run("getComputedStyle(document.querySelector('.sheet')).backgroundColor") == "rgb(255, 255, 255)"
        grounds.add(b.run("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
    for width in (400, 320, 800):
        b.size(width, 800, True)
        assert b.run("document.documentElement.scrollWidth") <= width
        wide = b.run("""[...document.querySelectorAll('main *, header *, footer *')].filter(e => !e.closest('.scroll, svg') &&
            e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))""")
        assert not wide, (width, wide)
        assert b.run("(e => e.scrollWidth > e.clientWidth)(document.querySelector('.scroll'))")

    # On paper: no controls, the whole table, no figure cut in two.
    b.size(1300, 900)
    b.pdf(f"{tmp}/many.pdf")
    text = subprocess.run(["pdftotext", "-layout", f"{tmp}/many.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert "Filter by" not in text and "blocks.7.norm2" in text and "not finite" in text
    assert not b.complaints(), b.complaints()

    # Without a script the page is whole, but for the controls.
    b.call("Emulation.setScriptExecutionDisabled", value=True)
    b.load(f"{tmp}/demo.html")
    assert not b.complaints(), b.complaints()
    b.call("Emulation.setScriptExecutionDisabled", value=False)
