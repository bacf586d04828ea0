"""Changed copies of what each reader reads: the program says what is wrong with them, or reads them."""
import collections
import multiprocessing
import os
import random
import shutil
import sys

import readers
import watch


def keep(options, name, number, words, data, why):
    folder = f"{options.found}/{name.replace(' ', '-')}-{options.seed}-{number}"
    os.makedirs(folder, exist_ok=True)
    readers.write(folder + "/input", data)
    readers.write(folder + "/why", f"{' '.join(map(repr, words))}\n{why}\n".encode("utf-8", "replace"))
    return f"{name} {number}: {' '.join(words)}: {why}"


def left_behind(words, status, folder):
    """A command that failed leaves nothing under the output's name, nor beside it."""
    parts = [n for n in os.listdir(folder) if ".part" in n or n.startswith(".normscope")]
    if status and "--resume" not in words and words[0] != "train":
        parts += [n for n in os.listdir(folder) if n.startswith("out.")]
    return f"status {status}, and left {parts}" if parts else None


server = None
rows = []  # before the processes are forked: functions do not go from one to the other


def batch(job):
    """Some of a row's copies. [(status, seconds, MiB)] and findings."""
    options, which, first, count = job
    row = rows[which]
    global server
    server = server or watch.Server()
    done, wrong = [], []
    folder = f"{options.folder}/{os.getpid()}"
    for number in range(first, first + count):
        rng = random.Random(f"{options.seed} {row.name} {number}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        words, data = readers.prepare(row, rng, folder)
        run = server.run(words, folder)
        why = run.wrong() or left_behind(words, run.status, folder)
        if why:
            wrong.append(keep(options, row.name, number, words, data, why))
        done.append((run.status, run.seconds, run.memory))
    return row.name, done, wrong


def attack(options):
    base = options.folder + "/base"
    os.makedirs(base)
    os.chdir(base)
    readers.material.root = options.root
    readers.material()
    rows[:] = [row for row in readers.table() if options.wanted(row.name)]
    first = watch.Server()
    for row in rows:
        readers.unchanged(row, first.run, options.folder + "/unchanged")
    first.end()
    options.wanted = None  # it does not go to other processes
    size = max(1, min(100, options.count // options.jobs))
    jobs = [(options, which, first, min(size, options.count - first)) for which in range(len(rows)) for first in range(0, options.count, size)]
    outcomes, findings = collections.defaultdict(list), []
    lines = [f"{'reader':18} {'copies':>6} {'read':>6} {'failed':>6} {'usage':>6} {'refused':>7} {'other':>6} {'slowest s':>9} {'most MiB':>8}"]
    with multiprocessing.Pool(options.jobs) as pool:
        for name, done, wrong in pool.imap(batch, jobs):
            outcomes[name] += done
            findings += wrong
            if len(outcomes[name]) == options.count:
                lines.append(line_of(name, outcomes[name]))
                print(lines[-1], file=sys.stderr, flush=True)
    return lines, findings


def line_of(name, found):
    counts = collections.Counter(status for status, _, _ in found)
    other = len(found) - sum(counts[s] for s in range(4))
    return f"{name:18} {len(found):6} {counts[0]:6} {counts[1]:6} {counts[2]:6} {counts[3]:7} {other:6} {max(s for _, s, _ in found):9.2f} {max(m for _, _, m in found):8.0f}"
