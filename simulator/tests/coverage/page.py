"""The page of all PTX forms, out of what the tests launched: page.py ROWS_PROGRAM FOLDER PAGE [--write] TEST...

FOLDER has a file for each TEST: the rows of the instruction table that its kernels contain, and which of them a
recorded answer of a GPU judged (../forms.hpp). Exit code 1 when a row has no test, or when the page is not what is
printed here; --write writes it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

HEAD = """# PTX forms

Every row of the simulator's instruction table (`simulator/ops/`), the section of the PTX ISA 9.0 that it follows, the
tests that launch it, and what judges its results. Written by `simulator/tests/coverage/page.py` from what the tests
launched; ctest `sim_ptx_coverage` fails when a row has no test or when this page is out of date (`ninja -C build
ptx_coverage_page` writes it).

A pattern stands for all opcodes that it spells: alternatives in brackets, an empty one is allowed. Operands: `r32` a
register of 32 bits (16, 64 ..), `p` a predicate, `v4r32` four registers in braces, `[a]` an address, `[t,r32]` a tensor
and its coordinates, `l` a label, `?` optional. What no row spells is refused when a module is loaded, with its line:
among others the tensor copies of sm_100a alone (`tile::scatter4`, `im2col::w::128`) and those of wide im2col maps
(`im2col::w`), `multimem`, `wgmma`, `tcgen05`, `wmma`, video instructions, and calls of functions.

Judges: **formula**, an independent reference formula over corner and random values; **values**, expected values in the
test, from the manual's text or arithmetic; **tiles**, tiles that an H200 multiplied, and for block-scaled forms
MMA-Sim's answers (not silicon); **H100**, answers recorded from one, replayed bit for bit. No silicon judged the sparse
kinds of the SM120 family (`mma.sp` with `.kind`): they are taken to sum as the dense ones do, and the values are bounds
around FP64 sums, equal where those are exact.
"""
JUDGES = {"sim_ops_scalar": "formula", "sim_mma": "values, tiles"}


def read_tests(folder: Path, tests: list[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Tests by row, and the rows that a recorded answer judged."""
    by_row: dict[str, list[str]] = {}
    recorded = set()
    for test in tests:
        noted = folder / f"{test}.txt"  # none from a program that launches otherwise
        for line in noted.read_text().splitlines() if noted.exists() else []:
            kind, row = line.split("\t", 1)
            if kind == "recorded":
                recorded.add(row)
            if test not in by_row.setdefault(row, []):
                by_row[row].append(test)
    return by_row, recorded


def line_of(isa: str, row: str, tests: list[str], is_recorded: bool) -> str:
    """One row of the page."""
    pattern, operands = row.split("\t")
    if "sim_ops_scalar" in tests:
        tests = ["sim_ops_scalar"]  # the others use the row to judge another
    judges = sorted({j for t in tests if t != "sim_hopper_launches" for j in JUDGES.get(t, "values").split(", ")})
    if is_recorded:
        judges.append("H100")
    named = ", ".join(t.removeprefix("sim_") for t in tests if t != "sim_hopper_launches")
    cells = [f"`{pattern}`", f"`{operands}`" if operands else "", isa.split()[0], named, ", ".join(judges)]
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows_program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = subprocess.run([options.rows_program], check=True, capture_output=True, text=True).stdout.splitlines()
    by_row, recorded = read_tests(options.folder, options.tests)
    missing = []
    lines = []
    by_section = sorted(
        (tuple(map(int, re.findall(r"\d+", isa))), isa, row) for isa, row in (r.split("\t", 1) for r in rows)
    )
    for _, isa, row in by_section:
        tests = by_row.get(row, [])
        if not tests:
            missing.append(row)
        lines.append(line_of(isa, row, tests, row in recorded))
    count = f"\n{len(rows)} rows, {len(recorded)} of them judged by recorded answers of an H100.\n"
    text = (
        HEAD + count + "\n| form | operands | ISA | tests | judges |\n|---|---|---|---|---|\n" + "\n".join(lines) + "\n"
    )
    for row in missing:
        print("no test launches:", row.replace("\t", "   "))
    if options.write:
        options.page.write_text(text)
    elif options.page.read_text() != text:
        print(f"{options.page} is out of date; ninja -C build ptx_coverage_page writes it")
        missing.append("page")
    print(count.strip())
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
