"""An attack on normscope: nothing of anyone's may be lost, and no file may end or hang the program.

usage: attack.py [--part mutations|kills|full|writers|links|signals]... [--only NAME]... [--count N] [--kills N] [--seed N] [--jobs N]
                 [--found FOLDER] [--table FILE]

NORMSCOPE names the program, usually one with the sanitizers (make check-attack). Each part is a table: what was done, how often, what came of
it. Inputs and messages of findings are kept in --found; the exit status is 1 where there are any. A finding is a crash, a report of a
sanitizer, an output that is neither the old nor a whole new one, a file left behind, an end that takes 20 s of processor time or 120 by the clock, or more than 1 GiB of memory."""
import argparse
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import interrupt
import mutations
import watch

PARTS = {"mutations": mutations.attack, "kills": interrupt.kills, "full": interrupt.full_disks, "writers": interrupt.two_writers, "links": interrupt.links,
         "signals": interrupt.signals}


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--part", action="append", choices=PARTS, help="all of them where none is named")
    parse.add_argument("--only", action="append", help="readers or commands with this name, or names that begin so where it ends in *")
    parse.add_argument("--count", type=int, default=2000, help="changed copies of each reader's files")
    parse.add_argument("--kills", type=int, default=100, help="kills of each writing command")
    parse.add_argument("--seed", type=int, default=0)
    parse.add_argument("--jobs", type=int, default=os.cpu_count())
    parse.add_argument("--found", default="attack-found")
    parse.add_argument("--table", help="file that the tables are added to")
    options = parse.parse_args()
    options.root, options.found = os.getcwd(), os.path.abspath(options.found)
    options.table = options.table and os.path.abspath(options.table)
    options.wanted = lambda name: not options.only or any(name == o or (o.endswith("*") and name.startswith(o[:-1])) for o in options.only)
    findings = 0
    folder = tempfile.mkdtemp(prefix="normscope-attack-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) and "TMPDIR" not in os.environ else None)
    try:
        for part in options.part or PARTS:
            began = time.monotonic()
            options.folder = f"{folder}/{part}"
            os.makedirs(options.folder)
            lines, wrong = PARTS[part](options)
            findings += len(wrong)
            say(options, [f"# {part}, {'with' if watch.is_sanitized() else 'without'} sanitizers, seed {options.seed}, {time.monotonic() - began:.0f} s: {len(wrong)} findings", *lines, ""])
            for what in wrong[:20]:
                print("  found:", what[:3000], file=sys.stderr)
            os.chdir(options.root)
            shutil.rmtree(options.folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if findings else 0


def say(options, lines):
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()
    if options.table:
        with open(options.table, "a") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
