"""Asks NVIDIA's assembler whether every PTX text of the scalar tests is legal.

Input: the program that packs the cases, ptxas, a target. All entries of the pack go through ptxas in a few files.
Output: one line per refused case; the exit code is 1 when there is one. So the instruction table cannot admit an opcode
that the ISA does not have.
"""

from __future__ import annotations

import argparse
import re
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHUNK = 400  # entries per ptxas run: a file of about 1 MB


def read_cases(path: Path) -> list[tuple[str, str]]:
    """Returns (id, PTX text) of each case in a pack."""
    data = path.read_bytes()
    at = 0

    def number() -> int:
        nonlocal at
        at += 4
        return struct.unpack_from("<I", data, at - 4)[0]

    def text() -> str:
        nonlocal at
        size = number()
        at += size
        return data[at - size : at].decode()

    cases = []
    for _ in range(number()):
        name, ptx = text(), text()
        in_words, _, threads = number(), number(), number()
        at += 8 * in_words * threads
        cases.append((name, ptx))
    return cases


def refused(cases: list[tuple[str, str]], ptxas: str, target: str) -> list[str]:
    """Returns "id: message" for the cases that ptxas does not take."""
    header = f".version 9.0\n.target {target}\n.address_size 64\n"
    body, owners = "", []
    for index, (name, ptx) in enumerate(cases):
        entry = ptx.split(".address_size 64\n", 1)[1].replace(".entry k(", f".entry k{index}(")
        body += entry
        owners += [name] * entry.count("\n")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.ptx"
        file.write_text(header + body)
        run = subprocess.run(
            [ptxas, "-arch", target, "-O0", "-o", "/dev/null", str(file)], capture_output=True, text=True, check=False
        )
    if run.returncode == 0:
        return []
    messages = {}
    for line, message in re.findall(r"line (\d+); error\s*: (.*)", run.stdout + run.stderr):
        messages.setdefault(owners[int(line) - 1 - header.count("\n")], message)
    return [f"{name}: {message}" for name, message in messages.items()] or [run.stdout + run.stderr]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases_tool", help="the program sim_scalar_cases")
    parser.add_argument("ptxas")
    parser.add_argument("--target", default="sm_120f")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder) / "cases.bin"
        subprocess.run([arguments.cases_tool, "pack", str(pack)], check=True, stdout=subprocess.DEVNULL)
        cases = read_cases(pack)
    chunks = [cases[n : n + CHUNK] for n in range(0, len(cases), CHUNK)]
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda chunk: refused(chunk, arguments.ptxas, arguments.target), chunks)
        complaints = [complaint for part in parts for complaint in part]
    for complaint in complaints:
        print(complaint)
    print(f"{len(cases)} cases, {len(complaints)} refused by ptxas for {arguments.target}")
    return 1 if complaints or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
