"""Counters of b12x 0.7.2's dense GEMM beside those of ours, by the same simulator.

    python tools/peer/count.py FOLDER --ours RECORD [--json FILE] [--page docs/design/gemm.md]

FOLDER: an extraction (README.md). RECORD: what `b12x bench gemm --gpu rtx-pro-6000 --json RECORD` wrote. Every dense
case of the folder whose shape the record has becomes a pair of rows. One row of A is what 0.7.2 cannot run; its
benchmark pads to 128 rows, so its launch of 128 stands beside ours of one. With --page the table between that page's
two marks is made anew. Both sides start with an empty L2. Balance is the mean over all SMs of the card, of MMAs, as a
share of the busiest one's. The main loop is the innermost loop with an MMA.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from case import names as names_of
from case import read_case
from device import Simulator
from repairs import NAMES, repaired
from run import ROOT, launch, problem_of

sys.path.insert(0, str(ROOT / "tools/lint"))

from fatbin import read_fatbin

GPU = "rtx-pro-6000"
PADDED = 128  # rows, to which 0.7.2's benchmark pads
MARKS = "<!-- beside 0.7.2: made by tools/peer/count.py -->", "<!-- end of beside 0.7.2 -->"
_LABEL, _BRANCH = re.compile(r"^\s*([$\w]+):"), re.compile(r"\bbra(?:\.uni)?\s+([$\w]+);")
_INSTRUCTION = re.compile(r"^\s*(?:@!?%?\w+\s+)?[a-z][\w.:]*(?:\s[^;]*)?;?\s*(?://.*)?$")
Row = dict[str, object]


def main_loops(ptx: str) -> list[range]:
    """Lines (from 1) of each loop with an MMA that holds no smaller one: from a label to a branch back to it."""
    lines = ptx.split("\n")
    labels = {match[1]: n for n, line in enumerate(lines, 1) if (match := _LABEL.match(line))}
    loops = []
    for n, line in enumerate(lines, 1):
        for target in _BRANCH.findall(line):
            if labels.get(target, n) < n and any("mma.sync" in text for text in lines[labels[target] : n]):
                loops.append(range(labels[target], n + 1))
    return [a for a in loops if not any(a != b and a.start <= b.start and b.stop <= a.stop for b in loops)]


def instructions_in(ptx: str, lines: range) -> int:
    """PTX instructions of these lines. One over several lines counts where it begins."""
    text = ptx.split("\n")[lines.start - 1 : lines.stop - 1]
    return sum(1 for line in text if _INSTRUCTION.match(line) and not line.strip().startswith((".", "//", "{", "}")))


def largest_body(ptx: str) -> int:
    return max((instructions_in(ptx, loop) for loop in main_loops(ptx)), default=0)


def source_lines(ptx: str) -> set[str]:
    """ "file:line" of what the main loops were compiled from."""
    files = dict(re.findall(r'^\s*\.file\s+(\d+)\s+"(?:[^"]*/)?([^"/]+)"', ptx, re.MULTILINE))
    lines = ptx.split("\n")
    inside = "\n".join("\n".join(lines[loop.start - 1 : loop.stop - 1]) for loop in main_loops(ptx))
    return {
        f"{files.get(file)}:{line}" for file, line in re.findall(r"^\s*\.loc\s+(\d+)\s+(\d+)", inside, re.MULTILINE)
    }


def row_of(m: int, n: int, k: int, kernel: str, sms: list[dict], counters: dict, body: int, conflicts: int) -> Row:
    weights, operands = n * k * 9 // 16, (m + n) * k * 9 // 16
    # Either operand can be the side of 16; without padding to more than one MMA, this many do.
    useful = min(-(-m // 16) * -(-n // 8), -(-n // 16) * -(-m // 8)) * -(-k // 64)
    mmas = [sm["tensor_inst"] for sm in sms]
    return {
        "m": m,
        "n": n,
        "k": k,
        "kernel": kernel,
        "blocks": sum(sm["blocks"] for sm in sms),
        "busy_sms": sum(count > 0 for count in mmas),
        "balance": round(sum(mmas) / (max(mmas) * len(sms)), 4),
        "mma": counters["tensor_inst"],
        "useful_mma": useful,
        "dram_read_over_weights": round(counters["dram_read_bytes"] / weights, 4),
        "dram_read_over_operands": round(counters["dram_read_bytes"] / operands, 4),
        "l2_read_over_operands": round(counters["l2_read_sectors"] * 32 / operands, 4),
        "l2_write_sectors": counters["l2_write_sectors"],
        "main_loop_conflicts": conflicts,
        "shared_conflicts": counters["shared_conflicts"],
        "shared_wavefronts": counters["shared_load_wavefronts"] + counters["shared_store_wavefronts"],
        "inst_executed": counters["inst_executed"],
        "loop_body": body,
    }


def their_rows(simulator: Simulator, folder: Path, name: str) -> list[Row]:
    """One, and of 128 rows a second for one row that is padded. Raises SystemExit when the launch fails."""
    case = read_case(folder, name)
    # As ptxas compiles it: one store a warp, where the text has 32 copies of one.
    case = replace(case, ptx=repaired(case.ptx, frozenset(NAMES) - {"store"}))
    outcome = launch(simulator, case, problem_of(case, 1), verifies=False)
    if outcome.failure:
        raise SystemExit(f"{name}: {outcome.failure}")
    (kernel,) = simulator.counters()
    ptx = case.ptx.decode()
    loops = main_loops(ptx)
    conflicts = sum(
        i["counters"].get("shared_conflicts", 0)
        for i in kernel["instructions"]
        if any(i["line"] in loop for loop in loops)
    )
    m, n, k = (case.problem[size] for size in "mnk")
    return [
        row_of(rows, n, k, "0.7.2", kernel["sms"], kernel["counters"], largest_body(ptx), conflicts)
        for rows in ((m, 1) if m == PADDED else (m,))
    ]


def our_rows(record: dict, build: Path) -> dict[tuple[int, int, int], Row]:
    """By shape. `build` has the kernels that the record was made with: its conflicts are told by source line."""
    texts: dict[str, str] = {}
    for path in sorted((build / "kernels").glob("gemm/instances/*.fatbin")):
        for image in read_fatbin(path):
            if image.kind == "ptx" and image.sm == 120:
                texts.update(dict.fromkeys(image.entries(), image.ptx))
    of_loop = {entry: source_lines(ptx) for entry, ptx in texts.items()}
    rows = {}
    for r in record["rows"]:
        m, n, k, count = r["m"], r["n"], r["k"], r["mma_count"]
        others = [{"blocks": 0, "tensor_inst": 0}] * (r["sms"] - 1)
        row = row_of(
            m,
            n,
            k,
            r["kernel"],
            [{"blocks": r["blocks"], "tensor_inst": count}, *others],
            r["counters"],
            largest_body(texts[r["kernel"]]),
            sum(count for line, count in r["conflicts_by_line"].items() if line in of_loop[r["kernel"]]),
        )
        rows[m, n, k] = row | {"busy_sms": r["busy_sms"], "balance": r["balance"]}
    return rows


def table(pairs: list[tuple[Row, Row]]) -> list[str]:
    """Markdown rows: 0.7.2's number, then ours."""
    lines = [
        "| M | N x K | blocks | balance | MMAs over what would do | DRAM reads over weights | L2 reads over operands | "
        "conflicts in the main loop | instructions a loop body |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for theirs, ours in pairs:

        def both(name: str, digits: int = 2, t: Row = theirs, o: Row = ours) -> str:
            return " / ".join(f"{r[name]:.{digits}f}" if digits else f"{r[name]}" for r in (t, o))

        mma = " / ".join(f"{r['mma'] / r['useful_mma']:.2f}" for r in (theirs, ours))  # type: ignore[operator]
        cells = [str(theirs["m"]), f"{theirs['n']} x {theirs['k']}", both("blocks", 0), both("balance"), mma]
        cells += [both("dram_read_over_weights", 3), both("l2_read_over_operands"), both("main_loop_conflicts", 0)]
        lines.append("| " + " | ".join([*cells, both("loop_body", 0)]) + " |")
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ours", type=Path, required=True, metavar="RECORD")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where our kernels were built")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    record = json.loads(options.ours.read_text())
    ours = our_rows(record, options.build)
    simulator = Simulator(options.build / "simulator/libcuda.so.1", GPU, counts=True)
    simulator.options("none", "eager", 0)
    pairs = []
    for name in names_of(options.folder):
        problem = read_case(options.folder, name).problem
        shape = tuple(problem.get(size, 0) for size in "mnk")
        if problem["kind"] != "dense" or shape not in ours or shape[0] == 1:
            continue
        for theirs in their_rows(simulator, options.folder, name):
            pairs.append((theirs, ours[theirs["m"], theirs["n"], theirs["k"]]))  # type: ignore[index]
            print(json.dumps(pairs[-1]), flush=True)
    pairs.sort(key=lambda pair: (-pair[0]["n"] * pair[0]["k"], pair[0]["n"], pair[0]["m"]))  # type: ignore[operator]
    date = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
    if options.json:
        commit = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        ).stdout.strip()
        command = shlex.join(["tools/peer/count.py", "FOLDER", "--ours", str(options.ours)])
        head = {"measured": "counters", "device": f"simulated {GPU}", "date": date, "commit": commit}
        head |= {"command": command, "ours": f"{options.ours.name}, commit {record['commit']}: {record['command']}"}
        rows = [{"theirs": theirs, "ours": our} for theirs, our in pairs]
        options.json.write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n")
    if options.page:
        text = options.page.read_text()
        lines = [MARKS[0], f"{date}, ours by commit {record['commit']}; each cell is 0.7.2 / ours:", "", *table(pairs)]
        section = "\n".join([*lines, MARKS[1]])
        options.page.write_text(re.sub(f"{MARKS[0]}.*?{MARKS[1]}", lambda _: section, text, flags=re.S))


if __name__ == "__main__":
    main()
