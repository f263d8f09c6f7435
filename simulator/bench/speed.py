"""Prints the simulator's speed beside its aims and the last recorded row; with --record appends a row.

In: the program sim_bench, benchmarks/results/simulator-speed.jsonl (a JSON object a line: date, commit, cpu, figures in
events per second of one core). Out: a table. Records of another processor are named as such, not compared silently.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

RECORDS = Path("benchmarks/results/simulator-speed.jsonl")


@dataclass(frozen=True)
class Line:
    """A line of the table; `over`: it is a cost, the figure of that name divided by its own."""

    figure: str
    title: str
    aim: float
    over: str | None = None

    def value(self, figures: dict[str, float]) -> float | None:
        if self.figure not in figures or (self.over is not None and self.over not in figures):
            return None
        return figures[self.over] / figures[self.figure] if self.over else figures[self.figure] / 1e6


LINES = (
    Line("alu", "M warp instructions/s, arithmetic in a loop of 32", 100),
    Line("alu_long", "M warp instructions/s, arithmetic in a loop of 8,000", 100),
    Line("shared", "M warp instructions/s, shared memory", 40),
    Line("mxf4nvf4", "M mma m16n8k64 mxf4nvf4/s", 2),
    Line("counted", "times as long with counters", 3, over="watched"),
    Line("checked", "times as long with all checks", 3, over="watched"),
)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()


def last_record() -> dict | None:
    lines = RECORDS.read_text().splitlines() if RECORDS.exists() else []
    return json.loads(lines[-1]) if lines else None


def table(figures: dict[str, float], before: dict | None) -> list[str]:
    """The lines to print."""
    rows = [f"{'one core':54} {'now':>8} {'aim':>8} {'recorded':>9}"]
    for line in LINES:
        now = line.value(figures)
        if now is None:
            continue
        then = line.value(before["figures"]) if before else None
        change = f" ({now / then - 1:+.0%})" if then else ""
        sign = "<" if line.over else ">"
        rows.append(
            f"{line.title:54} {now:8.2f} {sign}{line.aim:7.1f} {'-' if then is None else f'{then:9.2f}'}{change}"
        )
    if before:
        rows.append(f"recorded {before['date']} at {before['commit']} on {before['cpu']}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="sim_bench")
    parser.add_argument("--record", action="store_true", help=f"append a row to {RECORDS}")
    arguments = parser.parse_args()
    figures = json.loads(subprocess.run([arguments.program], capture_output=True, text=True, check=True).stdout)
    print("\n".join(table(figures, last_record())))
    if arguments.record:
        row = {
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "commit": commit(),
            "cpu": processor(),
            "figures": figures,
        }
        with RECORDS.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
