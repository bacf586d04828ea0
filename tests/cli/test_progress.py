"""The progress line on a terminal: drawn again in place, no wider than the terminal, gone at the end; nothing of it where stderr is none."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

program, t = os.environ["NORMSCOPE"], os.environ["TMP"]
model, data = "datasets/vit-fmnist-layernorm", "fashion-mnist-1000"
slow = dict(os.environ, OMP_NUM_THREADS="1")  # lasts the some tenths of a second after which the line is drawn


def on_terminal(columns, *arguments):
    """What is written to a terminal of so many columns, as text, and the exit status."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower, env=slow)
    os.close(follower)
    seen = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # its last writer has gone
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    return seen.decode(), process.wait()


def screen(text, columns):
    """Lines as a terminal shows them in the end, and the longest that it ever showed; it wraps as xterm does."""
    lines, at, widest = [""], 0, 0
    for token in re.findall(r"\x1b\[K|\r\n|\r|[^\x1b]", text):
        if token == "\x1b[K":
            lines[-1] = lines[-1][:at]
        elif token == "\r\n":
            lines.append("")
            at = 0
        elif token == "\r":
            at = 0
        else:
            if at == columns:
                lines.append("")
                at = 0
            lines[-1] = lines[-1][:at] + token + lines[-1][at + 1 :]
            at += 1
            widest = max(widest, len(lines[-1]))
    return lines, widest


dump = ["dump", model, data, "-o", f"{t}/run.h5", "-f", "--mode", "sketch"]
train = ["train", "--data", data, "--validation", "600", "--epochs", "2", "--depth", "3", "-b", "4", "-f", "-o", f"{t}/run"]
LINE = r"([a-z]*): \d+ of (\d+) (samples|images)(, [\d.e+]+ \w+/s)?(, \d+:\d\d left)?(, loss [\d.]+, accuracy [\d.]+ %)?"
for columns, job, parts in ((80, dump, 5), (40, dump, 1), (26, dump, 0), (12, dump, -1), (100, train, 6)):
    text, status = on_terminal(columns, *job)
    drawn = text.split("\r\x1b[K")
    assert status == 0 and len(drawn) > (3 if columns == 80 else 2) and drawn[0] == drawn[-1] == "", (columns, status, text)
    lines, widest = screen(text, columns)
    assert lines == [""] and widest < columns, (columns, lines, widest)
    assert any(drawn) == (parts >= 0), drawn  # too narrow for anything
    for line in filter(None, drawn):
        found = re.fullmatch(LINE, line)
        if parts:
            assert found and found[1] == job[0] and all(found[k] for k in range(2, parts + 1)), (columns, line)
        else:  # the end of the name
            assert found and job[0].endswith(found[1]) and not found[4], (columns, line)
for job in (dump, train):
    done = subprocess.run([program, *job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=slow)
    assert done.returncode == 0 and done.stderr == b"" and b"\r" not in done.stdout and b"\x1b" not in done.stdout, done
