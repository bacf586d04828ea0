"""What commands print for machines: JSON as its schema says, the columns and units that analysis/OUTPUT.md names, and TSV with the same values."""
import json
import os
import re
import subprocess

import jsonschema

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model, data, run_file = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000", os.environ["TMP"] + "/run.h5"
trained = "datasets/runs/vit-dyt"


def run(*arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


run("dump", model, data, "-n", "12", "-l", "1,9,16,17", "-o", run_file)
page = {}
for section in re.split(r"^## ", open("analysis/OUTPUT.md", encoding="utf-8").read(), flags=re.M)[1:]:
    page[section.split("\n")[0]] = [(name, unit.strip() or None) for names, unit in re.findall(r"^\| (`[^|]+) \| ?([^|]*) \|", section, re.M)
                                    for name in re.findall(r"`([^`]+)`", names)]
schema = json.load(open("analysis/output.schema.json", encoding="utf-8"))
jsonschema.Draft7Validator.check_schema(schema)
commands = {"fit": ["fit", run_file], "stats": ["stats", run_file], "correlate": ["correlate", run_file, "--resamples", "20"],
            "correlate --pairs": ["correlate", run_file, "--pairs"], "correlate --by-epoch": ["correlate", trained, "--by-epoch"],
            "correlate --within": ["correlate", trained, "--within"], "verify": ["verify", run_file], "info": ["info", run_file], "list": ["list", model],
            "dump --dry-run": ["dump", model, data, "--dry-run"]}
assert set(page) == set(commands), set(page) ^ set(commands)
for name, arguments in commands.items():
    found = json.loads(run(*arguments, "--format", "json"))
    jsonschema.validate(found, schema)
    columns = [(c["name"], c["unit"]) for c in found["columns"]]
    assert sorted(columns, key=str) == sorted(page[name], key=str), (name, set(columns) ^ set(page[name]))
    assert found["rows"] and all(list(row) == [c[0] for c in columns] for row in found["rows"]), name
    tsv = [line.split("\t") for line in run(*arguments, "--format", "tsv").splitlines()]
    units, names, rows = tsv[0], tsv[1], tsv[2:]
    assert units[0].startswith("#") and [units[0][1:], *units[1:]] == [c[1] or "text" for c in columns], (name, units)
    assert names == [c[0] for c in columns] and len(rows) == len(found["rows"])
    for line, row in zip(rows, found["rows"]):
        for text, value in zip(line, row.values()):
            same = text == "" if value in (None, "") else (text == str(int(value)) if isinstance(value, bool) else text == value if isinstance(value, str) else float(text) == value)
            assert same, (name, text, value)
