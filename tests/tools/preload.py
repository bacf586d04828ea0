"""LD_PRELOAD for a program that may have the sanitizers, whose own library must come first."""
import re
import subprocess


def preload(program, library):
    found = re.search(r"=> (\S*libasan\S*)", subprocess.run(["ldd", program], capture_output=True, text=True).stdout)
    return f"{found[1]} {library}" if found else library
