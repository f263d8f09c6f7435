"""Runs an nvcc command, keeps its log, and fails where ptxas reports what b12x's kernels must not have.

    ptxas_log.py --log FILE -- nvcc ...

In: a command with `-Xptxas -v`. Out: its log in FILE; exit code 1 with one line per finding for register spills, stack
frames and ignored setmaxnreg (ptxas only warns of the last, and the kernel then runs with too few registers).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

_FUNCTION = re.compile(r"Function properties for (\S+)|Compiling entry function '([^']+)' for '([^']+)'")
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_IGNORED = re.compile(r"'?setmaxnreg'? ignored", re.IGNORECASE)


def findings(log: str) -> list[str]:
    """Sentences about everything in a ptxas log that is an error here; empty when the log is clean."""
    found = []
    function, target = "(unknown function)", "(unknown target)"
    for line in log.splitlines():
        if match := _FUNCTION.search(line):
            if match[2]:
                target = match[3]
            function = match[1] or match[2]
        if match := _FRAME.search(line):
            stack, stores, loads = (int(group) for group in match.groups())
            if stores or loads:
                found.append(
                    f"{function} for {target}: spills {stores} bytes of stores, {loads} bytes of loads; want none"
                )
            elif stack:
                found.append(
                    f"{function} for {target}: stack frame of {stack} bytes (an array indexed at run time); want none"
                )
        if _IGNORED.search(line):
            found.append(f"{function} for {target}: {line.strip()}; needs launch bounds and no external call")
    return found


def main(argv: list[str]) -> int:
    """Runs the command after `--`; returns its exit code, or 1 when the log has findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args(argv)

    done = subprocess.run(args.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    args.log.write_text(done.stdout)
    found = findings(done.stdout)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        return done.returncode
    for sentence in found:
        print(f"ptxas: error: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
