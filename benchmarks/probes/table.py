"""docs/probes.md from a recorded probes.json: the numbers, what was assumed before, and what each one decides.

In: the dictionary of probes.json. Out: Markdown. A number that a record lacks appears as a dash, so that records of
failed runs print too. What the numbers decided is in decisions.py, beside the tables that it speaks of.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

import decisions

Row = dict[str, Any]
WIDTH = 120


class Numbers:
    """Rows of a record by name."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.rows: dict[str, Row] = {row["name"]: row for row in result["rows"]}

    def __call__(self, name: str) -> float | None:
        """Median of a row, None if it is not there."""
        row = self.rows.get(name)
        return None if row is None else row["value"]

    def names(self, pattern: str) -> list[str]:
        """Names that fully match, in the order of the record."""
        return [name for name in self.rows if re.fullmatch(pattern, name)]

    def best(self, pattern: str, most: bool = False) -> Row | None:
        """The row of the least (or the greatest) median among the names that fully match."""
        rows = [self.rows[name] for name in self.names(pattern)]
        return (max if most else min)(rows, key=lambda row: row["value"], default=None)

    def ghz(self) -> float:
        """Median SM clock over all probes."""
        clocks = sorted(self.rows[name]["value"] for name in self.names(r"clock\..*"))
        return clocks[len(clocks) // 2] if clocks else float("nan")


def show(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits, without exponent; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text else text


def least(row: Row) -> str:
    """The least value of a row whose repeats disagree."""
    return f" (least {show(row['low'])})" if row["low"] < 0.9 * row["value"] else ""


def grid(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    rows = [head, ["---"] * len(head), *(list(line) for line in lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def facts(machines: dict[str, Numbers]) -> str:
    """quantity, its value on each machine, unit, assumed, what it decides."""

    def value(fact: decisions.Fact, numbers: Numbers) -> str:
        values = [numbers(name) for name in fact.names]
        return show(fact.combine(*values) if all(v is not None for v in values) else None)

    lines = [
        [fact.quantity, *(value(fact, numbers) for numbers in machines.values()), fact.unit, fact.assumed, fact.decides]
        for fact in decisions.FACTS
    ]
    return grid(["quantity", *machines, "unit", "assumed before", "what it decides"], lines)


def pipes(numbers: Numbers) -> str:
    """Interval and latency of each instruction."""
    lines = []
    for name in numbers.names(r"pipes\.interval\..*"):
        op = name.split(".")[2]
        each = 2 if op == "F2FP_E4M3" else 1
        lines.append([
            op.replace("_", " "),
            show((numbers(name) or 0) / each) + least(numbers.rows[name]),
            show((numbers(f"pipes.latency.{op}") or 0) / each),
            decisions.ASSUMED_INTERVALS.get(op, "–"),
        ])  # fmt: skip
    return grid(["instruction", "interval, clk", "latency, clk", "interval assumed before"], lines)


def pairs(numbers: Numbers) -> str:
    """Pairs: the time of A and B together, beside what one pipe and what two pipes would take."""
    lines = []
    for name in numbers.names(r"pipes\.pair\..*"):
        a, b = name.split(".", 2)[2].split("+")
        both, alone = numbers(name) or 0, [numbers(f"pipes.interval.{op}") or 0 for op in (a, b)]
        one, two = sum(alone), max(*alone, 2.0)  # two instructions need two issue slots
        verdict = "as one pipe" if both >= 0.97 * one else "as two" if both <= 1.15 * two else "overlap in part"
        lines.append([f"{a} + {b}".replace("_", " "), show(both), show(one), show(two), verdict])
    return grid(["pair", "A and B, clk", "if one pipe", "if two", "verdict"], lines)


def matrix(numbers: Numbers, corner: str, rows: Iterable[Any], columns: Iterable[Any], name: str) -> str:
    """A table of names built from a row and a column key by `name`, with fields {r} and {c}."""
    columns = list(columns)
    lines = [[str(r), *(show(numbers(name.format(r=r, c=c))) for c in columns)] for r in rows]
    return grid([corner, *map(str, columns)], lines)


def pull(numbers: Numbers) -> str:
    """Bytes per clk of one SM by what is in flight."""
    lines = [
        [name[9:], show(numbers(name)), show(numbers(name.replace(".one.", ".all."))),
         show(numbers(name.replace(".one.", ".all_rate.")))]
        for name in numbers.names(r"pull\.one\..*")
    ]  # fmt: skip
    return grid(["in flight", "one SM alone, B/clk", "each of 132, B/clk", "132 SMs, TB/s"], lines)


def floor(numbers: Numbers) -> str:
    """Best read-only kernel for each size, cold and warm."""
    lines = []
    for mb in [2**i for i in range(12)]:
        line = [f"{mb} MB"]
        for state in ("cold", "warm"):
            for family in ("loads", "bulk"):
                best = numbers.best(rf"dram\.{state}\.{mb}\.{family}\..*")
                line.append("–" if best is None else f"{show(best['value'], 4)} ({best['name'].split('.', 4)[4]})")
            best = numbers.best(rf"dram\.{state}\.{mb}\..*")
            line.append("–" if best is None else show(mb * 1.048576 / best["value"]))
        lines.append(line)
    head = ["size"]
    for state in ("cold", "warm"):
        head += [f"{state}, loads, µs", f"{state}, bulk, µs", f"best {state}, TB/s"]
    return grid(head, lines)


def boxes(machines: dict[str, Numbers]) -> list[str]:
    """A stream of boxes by their shape and the ring's depth, of the first machine that has it."""
    for gpu, numbers in machines.items():
        if numbers.names(r"boxes\..*"):
            shapes, depths = ("128x128", "64x256", "32x512", "16x1024"), (3, 4, 6, 8, 12)
            return [
                matrix(numbers, f"{gpu}, {what}, {matrix_of}; rows x bytes of a box", shapes, depths,
                       f"boxes.{key}.{matrix_of}.{{r}}.{{c}}")
                for key, what in (("us", "µs"), ("lead", "slowest block over fastest"))
                for matrix_of in ("4096x2048", "4096x7168", "8192x14336")
            ]  # fmt: skip
    return []


def launches(numbers: Numbers) -> str:
    """One line for each way to launch."""
    lines = []
    for name in numbers.names(r"launch\.one\..*"):
        how = name.split(".", 2)[2]
        line = [how.replace(".", ", ") + " blocks"]
        line += [
            show(numbers(f"launch.chain.{mode}.{how}.{kind}"))
            for mode in ("eager", "graph")
            for kind in ("empty", "work")
        ]
        line += [show(numbers(f"launch.{kind}.{how}")) for kind in ("one", "cold", "graph_one")]
        lines.append(line)
    head = ["µs", "chain, eager, empty", "chain, eager, 4000 clk", "chain, graph, empty", "chain, graph, 4000 clk",
            "one, eager", "one, cold", "one, graph"]  # fmt: skip
    return grid(head, lines)


def sections(machines: dict[str, Numbers]) -> list[tuple[str, str, list[str]]]:
    """(key of decisions.TEXT, heading, tables). The summary has every machine, what follows the first alone."""
    numbers = next(iter(machines.values()))
    sizes, splits = (1, 4, 16, 64, 128, 256), (4, 8, 16, 32, 64, 128)
    ops = ("LDS_32", "LDS_128", "LDSM_X4", "LDSM_X4_T", "STS_128")
    return [
        ("summary", "What the numbers decide", [facts(machines)]),
        ("pipes", "Instructions: intervals, latencies, pipes", [pipes(numbers), pairs(numbers)]),
        ("mma", "mma.sync m16n8k16, f16 to f32", [
            matrix(numbers, "interval, clk; chains a warp", range(1, 9), range(1, 5), "mma.interval.c{r}.w{c}"),
            matrix(numbers, "TFLOP/s of the GPU; chains a warp", range(1, 9), range(1, 5), "mma.rate.c{r}.w{c}"),
        ]),
        ("shared", "Shared memory", [
            matrix(numbers, "SM cycles an instruction", ops, (1, 2, 4), "shared.interval.{r}.w{c}"),
            matrix(numbers, "latency", ops[:4], ("clk",), "shared.latency.{r}"),
        ]),
        ("pull", "What SMs pull from L2", [pull(numbers)]),
        ("latency", "Latencies of memory and order", [
            grid(["access", "clk", "ns"], [
                [name, show(numbers(name)), show((numbers(name) or 0) / numbers.ghz())]
                for name in numbers.names(r"latency\..*|order\..*")]),
        ]),
        ("floor", "The best read-only kernel", [floor(numbers)]),
        ("boxes", "A stream of boxes", boxes(machines)),
        ("publish", "Publishing, barriers, merges", [
            matrix(numbers, "one block tells another, partner", ("1", "2", "16", "66", "131"), ("clk",),
                   "publish.hop.{r}"),
            matrix(numbers, "barrier of N blocks, clk; bytes each", ("0", "8192"), (2, *splits),
                   "publish.barrier.{c}.{r}"),
            matrix(numbers, "merge of S partials, µs of the launch; S", ("none", "last", "slices",
                   "slices_cooperative", "cluster"), splits, "merge.{r}.{c}"),
        ]),
        ("cluster", "Clusters", [
            matrix(numbers, "clk (rate: B/clk/SM); size", ("barrier", "barrier_relaxed", "read", "rate"),
                   (2, 4, 8, 16), "cluster.{r}.{c}"),
        ]),
        ("launch", "Launches", [
            launches(numbers),
            matrix(numbers, "host clock, µs", ("plain.1", "plain.132", "cooperative.1", "cooperative.132"),
                   ("call", "round_trip"), "host.{c}.{r}"),
        ]),
        ("icache", "Cold instruction fetch", [
            matrix(numbers, f"{blocks} SM, clk a pass; KB of code", ("cold", "evicted", "again", "second"), sizes,
                   f"icache.{{r}}.{{c}}.{blocks}") for blocks in (1, 132)
        ]),
    ]  # fmt: skip


def text(result: dict[str, Any]) -> str:
    """Short table for a terminal."""
    return facts({"value": Numbers(result)})


def origin(result: dict[str, Any]) -> str:
    """Where, when and how a record was made, as a sentence's subject and predicate."""
    nvcc = re.findall(r"[\d.]+\d", result["nvcc"])
    before, after, sass = result.get("smi_before", {}), result.get("smi_after", {}), result["sass"]
    return (
        f"one {before.get('name', '?')} (driver {before.get('driver_version', '?')}) on {result['date'][:10]} by"
        f" `{result['command']}`, compiled by nvcc {nvcc[0] if nvcc else '?'}: SM clock during the probes"
        f" {show(Numbers(result).ghz(), 4)} GHz (clock64 against globaltimer, before and after each),"
        f" {before.get('clocks.sm', '?')} idle before and {after.get('clocks.sm', '?')} after;"
        f" {sass['checked']} counts of the SASS checked, {len(sass['wrong'])} differ from the source"
    )


def markdown(results: list[dict[str, Any]]) -> str:
    """docs/probes.md: of the first record everything, of the others their column of the summary."""
    parts = [
        "# Probes: what the machine does\n",
        textwrap.fill(
            f"Measured on {origin(results[0])}. Values are medians; least, greatest and number of repeats are in the"
            " record. " + "".join(f"A column of the summary is of {origin(result)}." for result in results[1:]),
            WIDTH,
        )
        + "\n",
        "Generated by `benchmarks/probes/run.py --table` from the records in `benchmarks/results/`; change\n"
        "`benchmarks/probes/decisions.py`, not this page.\n",
    ]
    for result in results:
        for error in result["errors"]:
            parts.append(
                f"The probe {error} ended early on {gpu(result)}: {result['errors'][error]}."
                " What it had measured is here.\n"
            )
    for key, heading, tables in sections({gpu(result): Numbers(result) for result in results}):
        parts += [f"## {heading}\n", *tables]
        if note := decisions.TEXT.get(key):
            parts.append(note.strip() + "\n")
    return "\n".join(parts)


def gpu(result: dict[str, Any]) -> str:
    """Short name of the GPU that a record is of: H200."""
    found = re.search(r"[A-Z]+\d+", result.get("smi_before", {}).get("name", "").replace("NVIDIA", ""))
    return found[0] if found else "value"
