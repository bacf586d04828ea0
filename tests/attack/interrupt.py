"""What the writing commands leave where they are killed, signalled, out of disk or not alone. A new output is whole or not there; an old one is
whole and old, or whole and new; what can be resumed is resumed to the bytes of an undisturbed run."""
import collections
import os
import random
import shutil
import signal
import sys
import time

import readers
import watch
import writers


def prepared(options):
    """The writers wanted, each with what an undisturbed run gives and its seconds."""
    base = options.folder + "/base"
    os.makedirs(base)
    os.chdir(base)
    readers.material.root = options.root
    writers.material()
    return [(w, *writers.whole(w, f"{options.folder}/whole-{w.name.replace(' ', '-')}")) for w in writers.WRITERS if options.wanted(w.name)]


def fresh(options, writer=None):
    """An empty folder beside the material's; with what stands there before where a writer is given."""
    folder = options.folder + "/work"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    if writer and not writer.is_folder():
        writers.old_content(writer, folder)
    return folder


def note(lines, line):
    """A row of the table, shown when it is known."""
    lines.append(line)
    print(line, file=sys.stderr, flush=True)


def told(counts):
    return ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))


def kills(options):
    lines, wrong = [f"{'command':18} {'kills':>5}  what was there afterwards"], []
    rng = random.Random(options.seed)
    for writer, wanted, seconds in prepared(options):
        counts, done, span = collections.Counter(), 0, seconds
        while done < options.kills:
            over = rng.random() < 0.3 and not writer.is_folder()
            folder = fresh(options, writer if over else None)
            run = watch.Run([watch.program, *writer.words, *(writer.force if over else ())], folder)
            time.sleep(rng.random() * span)
            if run.gone():
                span *= 0.97
                run.wait()
                continue
            run.send(signal.SIGKILL)
            run.wait()
            if run.status != -signal.SIGKILL:
                continue
            done += 1
            shutil.rmtree(folder + "/.tmp", ignore_errors=True)
            state, why = writers.state(writer, folder, wanted)
            if not why and over and state == "nothing":
                state, why = None, "what stood there is lost"
            if why:
                wrong.append(f"{writer.name}, kill {done}{', --force' if over else ''}: {why}")
            counts[state or "FOUND"] += 1
        note(lines, f"{writer.name:18} {done:5}  {told(counts)}")
    return lines, wrong


# ---- full disks ----


def count_calls(writer, options, library):
    folder = fresh(options)
    count = options.folder + "/count"
    run = watch.run(writer.words, folder, {"LD_PRELOAD": library, "INJECT_PATH": "out", "INJECT_AT": "0", "INJECT_COUNT": count})
    assert run.status == 0, (writer.name, run.said)
    return int(readers.read(count))


def places(calls, most=120):
    """All of them, or so many spread over them with both ends."""
    return range(1, calls + 1) if calls <= most else sorted({1 + round(i * (calls - 1) / (most - 1)) for i in range(most)})


def judge_failed(writer, run, folder, wanted, must_fail, over):
    why = run.wrong((1,) if must_fail else (0, 1))
    if why:
        return None, why
    if run.status and not ("No space" in run.said or "no room" in run.said):
        return None, f"a message that does not name the reason: {run.said[-300:]}"
    if run.status and not any(name.split(".")[0] in run.said for name in writer.outputs):
        return None, f"a message that names no file: {run.said[-300:]}"
    state, why = writers.state(writer, folder, wanted)
    if not why and over and state == "nothing":
        return None, "what stood there is lost"
    if not why and not run.status and state not in ("whole", "resumed"):
        return None, f"status 0, and {state}"
    return state, why


def full_disks(options):
    """ENOSPC at each call that changes a file, from there on and once; then file systems of every size that is too small, for real."""
    lines, wrong = [f"{'command':18} {'calls':>5} {'from there':>10} {'once':>5} {'small disks':>11}  what was there afterwards"], []
    library = watch.preload(watch.program, watch.build + "/tools/inject.so")
    for writer, wanted, _ in prepared(options):
        calls = count_calls(writer, options, library)
        counts, runs = collections.Counter(), collections.Counter()
        for mode in ("full", "once"):
            for at in places(calls):
                over = at % 3 == 0 and not writer.is_folder()
                folder = fresh(options, writer if over else None)
                env = {"LD_PRELOAD": library, "INJECT_PATH": "out", "INJECT_AT": str(at), "INJECT_MODE": mode}
                run = watch.run((*writer.words, *(writer.force if over else ())), folder, env)
                state, why = judge_failed(writer, run, folder, wanted, False, over)
                if why:
                    wrong.append(f"{writer.name}, {mode} at call {at} of {calls}{', --force' if over else ''}: {why}")
                counts[state or "FOUND"] += 1
                runs[mode] += 1
        small = small_disks(options, writer, wanted, counts, wrong)
        note(lines, f"{writer.name:18} {calls:5} {runs['full']:10} {runs['once']:5} {small:11}  {told(counts)}")
    return lines, wrong


MOUNT = 'mount -t tmpfs -o size="$1" none work && { [ -z "$2" ] || mount -t tmpfs -o size="$2" none /tmp; } && cd work && shift 2 && { "$@"; s=$?; ls -A > ../left; cp -r . ../kept; exit $s; }'


def small_disks(options, writer, wanted, counts, wrong):
    """In a mount namespace of its own; 0 where that is not allowed. Sizes from one page up, until there is room."""
    done = 0
    for temporary in (False, True) if "plot" in writer.name else (False,):
        size, page = 4096, 4096
        while size < 1 << 26:
            folder = options.folder + "/small"
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder + "/work")
            if temporary:  # the temporary files of libraries are what has no room
                words = ["256m", str(size)]
            else:
                words = [str(size), ""]
            base = f"{options.folder}/base/"
            command = [w.replace("../base/", base) for w in writer.words]
            run = watch.Run(["unshare", "-m", "sh", "-c", MOUNT, "sh", *words, watch.program, *command], folder).wait()
            if "unshare" in run.said or "mount:" in run.said:
                return done
            done += 1
            kept = folder + "/kept"
            why = run.wrong((0, 1))
            if not why and run.status and not ("No space" in run.said or "no room" in run.said):
                why = f"a message that does not name the reason: {run.said[-300:]}"
            if not why and run.status and not writer.resume and os.listdir(kept):
                why = f"left {os.listdir(kept)}"
            if why:
                wrong.append(f"{writer.name}, {'temporary files' if temporary else 'a disk'} of {size} bytes: {why}")
            counts["FOUND" if why else "nothing" if run.status else "whole"] += 1
            if not run.status:
                break
            size = size + page if size < 16 * page else int(size * 1.15) // page * page
    return done


# ---- two writers ----


def two_writers(options):
    """Two processes write under one name at once. Who says success has its output there; who does not says why."""
    lines, wrong = [f"{'command':18} {'pairs':>5}  who succeeded, and what was there"], []
    rng = random.Random(options.seed)
    for writer, wanted, seconds in prepared(options):
        counts = collections.Counter()
        for number in range(20):
            folder, force = fresh(options), number % 2 == 1
            words = [watch.program, *writer.words, *(writer.force if force else ())]
            first = watch.Run(words, folder, name="said1")
            time.sleep(rng.random() * seconds * 0.8)
            second = watch.Run(words, folder, name="said2")
            first.wait(), second.wait()
            good = [r for r in (first, second) if r.status == 0]
            why = first.wrong((0, 1)) or second.wrong((0, 1))
            for run in (first, second):
                if not why and run.status == 1 and not ("is being written by another process" in run.said or "exists already" in run.said or "expected the file that was written" in run.said):
                    why = f"a message that does not name the reason: {run.said[-300:]}"
            if not why and not good:
                why = f"neither succeeded: {first.said[-300:]} {second.said[-300:]}"
            if not why and not force and len(good) > 1:
                why = "both succeeded without --force"
            if not why:
                state, why = writers.state(writer, folder, wanted)
                if not why and state not in ("whole", "resumed"):
                    why = f"{len(good)} succeeded, and {state}"
            if why:
                wrong.append(f"{writer.name}, pair {number}{', --force' if force else ''}: {why}")
            counts["FOUND" if why else "both, one after the other, whole" if len(good) > 1 else "one, whole"] += 1
        note(lines, f"{writer.name:18} {20:5}  {told(counts)}")
    return lines, wrong


# ---- links ----


def links(options):
    """What stands under the output's name is no plain file, or not the only name of one."""
    lines, wrong = [f"{'command':18} {'cases':>5}  "], []
    for writer, wanted, _ in prepared(options):
        name, done = writer.outputs[0], 0
        for case in LINK_CASES:
            if writer.is_folder() and case is not LINK_CASES[-1]:
                continue
            folder = fresh(options)
            why = case(writer, folder, name, wanted)
            done += 1
            if why:
                wrong.append(f"{writer.name}, {case.__doc__}: {why}")
        note(lines, f"{writer.name:18} {done:5}  {'as the rule has it' if not any(w.startswith(writer.name + ',') for w in wrong) else 'FOUND'}")
    return lines, wrong


def is_whole(writer, path, wanted):
    return os.path.exists(path) and writers.content(path) in wanted[writer.outputs[0]]


def to_a_file(writer, folder, name, wanted):
    """a link to a file, --force"""
    readers.write(f"{folder}/real/{name}", "old")
    os.symlink(f"real/{name}", f"{folder}/{name}")
    run = watch.run((*writer.words, *writer.force), folder)
    if run.wrong((0,)):
        return run.wrong((0,))
    return None if os.path.islink(f"{folder}/{name}") and is_whole(writer, f"{folder}/real/{name}", wanted) else "the link is gone or leads to something else"


def without_force(writer, folder, name, wanted):
    """a link to a file, no --force"""
    readers.write(f"{folder}/real/{name}", "old")
    os.symlink(f"real/{name}", f"{folder}/{name}")
    run = watch.run(writer.words, folder)
    return run.wrong((1,)) or (None if readers.read(f"{folder}/real/{name}") == b"old" else "it was overwritten")


def to_nothing(writer, folder, name, wanted):
    """a link to a name that is free"""
    os.makedirs(folder + "/real")
    os.symlink(f"real/{name}", f"{folder}/{name}")
    run = watch.run(writer.words, folder)
    if run.wrong((0,)):
        return run.wrong((0,))
    return None if os.path.islink(f"{folder}/{name}") and is_whole(writer, f"{folder}/real/{name}", wanted) else "the link is gone or leads to something else"


def dangling(writer, folder, name, wanted):
    """a link into a folder that is not there"""
    os.symlink(f"none/{name}", f"{folder}/{name}")
    run = watch.run((*writer.words, *writer.force), folder)
    return run.wrong((3,)) or (None if os.path.islink(f"{folder}/{name}") else "the link is gone")


def circle(writer, folder, name, wanted):
    """links that lead to each other"""
    os.symlink(name + "2", f"{folder}/{name}")
    os.symlink(name, f"{folder}/{name}2")
    run = watch.run((*writer.words, *writer.force), folder)
    return run.wrong((3,)) or (None if os.path.islink(f"{folder}/{name}") else "the link is gone")


def hard_link(writer, folder, name, wanted):
    """a file that has another name, --force"""
    readers.write(f"{folder}/other", "old")
    os.link(f"{folder}/other", f"{folder}/{name}")
    run = watch.run((*writer.words, *writer.force), folder)
    if run.wrong((0,)):
        return run.wrong((0,))
    return None if readers.read(f"{folder}/other") == b"old" and is_whole(writer, f"{folder}/{name}", wanted) else "the other name has lost its file"


def no_file(writer, folder, name, wanted):
    """a folder, a pipe, a device"""
    for make in (lambda p: os.mkdir(p), lambda p: os.mkfifo(p), lambda p: os.symlink("/dev/null", p)):
        path = f"{folder}/{name}"
        make(path)
        before = os.lstat(path)
        run = watch.run((*writer.words, *writer.force), folder)
        why = run.wrong((3,))
        after = os.lstat(path)
        if why or (before.st_ino, before.st_mode) != (after.st_ino, after.st_mode) or (os.path.isdir(path) and os.listdir(path)):
            return why or "it is another one now"
        os.rmdir(path) if os.path.isdir(path) else os.remove(path)
    return None


def an_input(writer, folder, name, wanted):
    """an input, by a link and by a hard link, --force"""
    if writer.words[0] in ("train",):
        return None
    source = [w for w in writer.words if w.startswith("../base/")][-1]
    path = os.path.realpath(f"{folder}/{source}")
    before = readers.read(path)
    for make in (os.symlink, os.link):
        make(path, f"{folder}/{name}")
        run = watch.run((*writer.words, *writer.force), folder)
        if run.wrong((2,)) or readers.read(path) != before:
            return run.wrong((2,)) or "the input was overwritten"
        os.remove(f"{folder}/{name}")
    return None


def somebodys_folder(writer, folder, name, wanted):
    """a folder or a file of somebody else's"""
    readers.write(f"{folder}/out/model.safetensors" if writer.is_folder() else f"{folder}/{name}", "theirs")
    run = watch.run(writer.words, folder)
    return run.wrong((1, 3)) or (None if readers.read(f"{folder}/out/model.safetensors" if writer.is_folder() else f"{folder}/{name}") == b"theirs" else "it was overwritten")


LINK_CASES = [to_a_file, without_force, to_nothing, dangling, circle, hard_link, no_file, an_input, somebodys_folder]


# ---- signals ----


def signals(options):
    """INT, TERM and HUP at random moments, and a second one: the slowest end, and what was there."""
    lines, wrong = [f"{'command':18} {'signals':>7} {'slowest s':>9}  what was there afterwards"], []
    rng = random.Random(options.seed)
    for writer, wanted, seconds in prepared(options):
        counts, slowest, done, span = collections.Counter(), 0, 0, seconds
        while done < 24:
            number, twice = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[done % 3], done % 4 == 3
            folder = fresh(options)
            run = watch.Run([watch.program, *writer.words], folder, name="said-of-signal")
            time.sleep(rng.random() * span)
            if run.gone():
                span *= 0.97
                run.wait()
                continue
            began = time.monotonic()
            run.send(number)
            if twice:
                time.sleep(0.01)
                run.send(signal.SIGTERM)
            run.wait()
            slowest = max(slowest, time.monotonic() - began)
            done += 1
            why = run.wrong((0, 4, -number, -signal.SIGTERM))
            state = None
            if not why:
                state, why = writers.state(writer, folder, wanted)
            if why:
                wrong.append(f"{writer.name}, signal {number}{' twice' if twice else ''}: {why}")
            counts[state or "FOUND"] += 1
        note(lines, f"{writer.name:18} {done:7} {slowest:9.2f}  {told(counts)}")
    return lines, wrong
