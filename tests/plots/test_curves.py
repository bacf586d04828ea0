"""normscope plot curves: every function and its derivative against NumPy's, SciPy's and closed forms; what names, legends and ranges say."""
import sys

import numpy as np
from scipy.special import erf

sys.path.insert(0, "tests/tools")
from figures import call, draw, named, pdf_text, program, refused

# f, and f' where u is no corner.
functions = {
    "tanh": (np.tanh, lambda u: 1 / np.cosh(u) ** 2),
    "erf": (erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-(u**2))),
    "isru": (lambda u: u / np.sqrt(1 + u**2), lambda u: (1 + u**2) ** -1.5),
    "hardtanh": (lambda u: np.clip(u, -1, 1), lambda u: (np.abs(u) < 1) * 1.0),
    "arctan": (lambda u: 2 / np.pi * np.arctan(u), lambda u: 2 / np.pi / (1 + u**2)),
    "softsign": (lambda u: u / (1 + np.abs(u)), lambda u: (1 + np.abs(u)) ** -2),
    "linear": (lambda u: u, np.ones_like),
}


def check(rows, name, alpha, derivative):
    x, y = rows[:, 0], rows[:, 1]
    wanted = alpha * functions[name][1](alpha * x) if derivative else functions[name][0](alpha * x)
    smooth = (np.abs(np.abs(alpha * x) - 1) > 1e-9) | (name != "hardtanh") | (not derivative)
    assert len(x) > 500 and np.allclose(y[smooth], wanted[smooth], rtol=1e-12, atol=1e-14), (name, alpha, derivative)


# The paper's figure 3, as it stands.
figure, data = draw("curves")
curves = named(data, "curve")
assert sorted(curves) == ["α = 0.5", "α = 1", "α = 2"] and len(figure.panels) == 1
for name, rows in curves.items():
    check(rows, "tanh", float(name[4:]), False)
    assert rows[0, 0] == -6 and rows[-1, 0] == 6  # where the least alpha is at tanh 3
assert figure.panels[0].y_label == "tanh(αx)" and set(curves) <= set(figure.texts) and "x" in figure.texts

# Every function and its derivative.
figure, data = draw("curves", "--curve", "all", "--derivative", "--alpha", "1.5", "--range", "4")
assert len(figure.panels) == 2 and [p.y_label for p in figure.panels] == ["f(1.5x)", "derivative of f(1.5x)"]
assert figure.panels[0].frame[1] == figure.panels[1].frame[1]
for panel in (1, 2):
    assert sorted(named(data, "curve", panel)) == sorted(functions)
    for name, rows in named(data, "curve", panel).items():
        check(rows, name, 1.5, panel == 2)
        assert rows[0, 0] == -4 and rows[-1, 0] == 4
assert [sum(text in functions for _, _, text in p.texts) for p in figure.panels] == [len(functions), 0]  # one legend for both
for formula in ("isru(u) = u / √(1 + u²)", "hardtanh(u) = max(−1, min(1, u))", "arctan(u) = (2 / π) arctan(u)"):
    assert formula.replace(" ", "\xa0") in " ".join(figure.texts), figure.texts  # in one piece
limits = [label for _, label in figure.panels[0].y_labels]
assert max(limits) <= 1.2, limits  # the line leaves the frame

# Functions and alphas together; negative alphas; a function's other name; one panel below the other.
figure, data = draw("curves", "--curve", "erf,isru", "--alpha", "-0.25,1e3")
for name, rows in named(data, "curve").items():
    function, alpha = name.split(", α = ")
    check(rows, function, float(alpha.replace("\u2212", "-")), False)
assert sorted(named(data, "curve")) == ["erf, α = 1000", "erf, α = \u22120.25", "isru, α = 1000", "isru, α = \u22120.25"]
assert list(named(draw("curves", "--curve", "sigmoid", "--alpha", "2")[1], "curve")) == ["α = 2"]
figure, data = draw("curves", "--curve", "linear,tanh", "--derivative", "--columns", "1", "--alpha", "-3")
assert figure.panels[0].frame[0] == figure.panels[1].frame[0] and figure.panels[0].frame[1] < figure.panels[1].frame[1]
check(data["curve", 2, "linear"], "linear", -3, True)
draw("curves", "--width", "40", "--curve", "all", "--derivative", "--columns", "1")
draw("curves", "--alpha", ",".join(str(a) for a in np.arange(1, 25)), "--derivative")

text = pdf_text("curves", "--curve", "tanh,isru", "--derivative")
assert "tanh" in text and "isru(u) = u / √(1 + u²)" in text and "−1.0" in text, text

refused("curves", "--curve", "tanf", status=2, parts=["--curve", "unknown curve 'tanf'", "tanh, erf"])
refused("curves", "--curve", "tanh,", status=2, parts=["--curve"])
refused("curves", "--curve", "tanh,sigmoid", status=2, parts=["'sigmoid' is tanh, which is named already"])
for bad in ("0", "1,", "", "x", "1;2", "nan", "inf", "1e9", " 1"):
    refused("curves", "--alpha", bad, status=2, parts=["--alpha: expected numbers like 0.5,1,2", f"'{bad}'"])
refused("curves", "--alpha", ",".join("1" * 25), status=2, parts=["at most 24"])
refused("curves", "--curve", "all", "--alpha", "1,2,3,4", status=2, parts=["at most 24 curves", "4 alphas"])
refused("curves", "run.h5", status=2, parts=["run.h5"])
help_text = call(program, "plot", "curves", "--help")
assert "--derivative" in help_text and max(map(len, help_text.splitlines())) <= 80, help_text
