"""Holds the simulator's counters against NVIDIA's profiler, kernel by kernel, for the program kernels.cpp.

    python3 ncu_compare.py measure --program build/benchmarks/counter_kernels --out ncu.json     on a GPU, with ncu
    .venv/bin/python benchmarks/counters/ncu_compare.py compare ncu.json [--table docs/counters.md]    anywhere

`measure` needs Python alone and the permission to read performance counters. Both sides start each launch with an empty
L2. Only what ptxas keeps one to one from PTX is judged (memory, tensor instructions, copies); the rest is printed to be
looked at. docs/counters.md says what each counter means. A kernel that has changed since it was measured is named and
left out. Exit code of `compare`: 1 when a judged counter of a kernel is more than --tolerance away.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from kernel_code import checksums


@dataclass(frozen=True)
class Pair:
    """A counter of ours and the metrics of ncu that it should equal; their sum where there are several."""

    ours: str
    metrics: tuple[str, ...]
    is_judged: bool = True
    least: int = 0  # kernels in which both are below it are not judged: fixed costs of a launch would weigh more
    only_where_ours: bool = False  # judged in kernels in which the simulator counts any


_LSU = "l1tex__{}_pipe_lsu_mem_global_op_{}.sum"
PAIRS = (
    Pair("shared_load_wavefronts", ("l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum",)),
    # The second counts a store anew that waited for other traffic: on one launch 17,394 to 17,732, the first 16,512.
    Pair(
        "shared_store_wavefronts",
        (
            "smsp__sass_l1tex_data_pipe_lsu_wavefronts_mem_shared_op_st.sum",
            "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum",
        ),
    ),
    Pair("shared_conflicts", ("l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",), is_judged=False),
    Pair("global_load_requests", (_LSU.format("t_requests", "ld"),)),
    Pair("global_load_sectors", (_LSU.format("t_sectors", "ld"),)),
    Pair("global_store_requests", (_LSU.format("t_requests", "st"),)),
    Pair("global_store_sectors", (_LSU.format("t_sectors", "st"),)),
    Pair("global_atomic_sectors", (_LSU.format("t_sectors", "atom"), _LSU.format("t_sectors", "red")), least=64),
    # ptxas loads some constants with HFMA2.MMA, which Hopper runs on the tensor pipe: it counts in kernels without mma.
    Pair(
        "tensor_inst",
        ("smsp__inst_executed_pipe_tensor.sum", "sm__inst_executed_pipe_tensor.sum"),
        only_where_ours=True,
    ),
    Pair("l2_read_sectors", ("lts__t_sectors_srcunit_tex_op_read.sum",), is_judged=False),
    Pair("l2_write_sectors", ("lts__t_sectors_srcunit_tex_op_write.sum",), is_judged=False),
    Pair("dram_read_bytes", ("dram__bytes_read.sum",), least=1 << 20),
    Pair("dram_write_bytes", ("dram__bytes_write.sum",), is_judged=False),
    Pair("inst_executed", ("smsp__inst_executed.sum",), is_judged=False),
    Pair("thread_inst_executed_pred_on", ("smsp__thread_inst_executed_pred_on.sum",), is_judged=False),
)
# Several names of one thing: the first that ncu knows is asked for.
ALTERNATIVES = {"shared_store_wavefronts", "tensor_inst"}

_UNITS = {"byte": 1, "Kbyte": 10**3, "Mbyte": 10**6, "Gbyte": 10**9}


def known_metrics(ncu: str) -> set[str]:
    """Base names that this ncu has on this GPU."""
    listing = subprocess.run([ncu, "--query-metrics"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listing.splitlines() if "__" in line}


def chosen_metrics(pair: Pair, known: set[str]) -> list[str]:
    """Those of the pair's metrics that are to be measured."""
    there = [metric for metric in pair.metrics if metric.removesuffix(".sum") in known]
    return there[:1] if pair.ours in ALTERNATIVES else there


def parse_csv(text: str) -> list[dict[str, str]]:
    """ncu's rows, a metric of a launch each; what the program itself printed is skipped."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise SystemExit("ncu_compare: ncu printed no table; its output ends with:\n" + "\n".join(lines[-5:]))
    return list(csv.DictReader(io.StringIO("\n".join(line for line in lines[start:] if line.startswith('"')))))


def value_of(row: dict[str, str]) -> float:
    return float(row["Metric Value"].replace(",", "")) * _UNITS.get(row["Metric Unit"], 1)


def library_of(program: Path) -> Path:
    """The library with the kernels that the program finds relative to itself."""
    return program.resolve().parent.parent / "src" / "libb12x.so"


def measure(arguments: argparse.Namespace) -> int:
    ncu = shutil.which("ncu")
    if ncu is None:
        raise SystemExit("ncu_compare: no ncu in PATH; it comes with Nsight Compute")
    known = known_metrics(ncu)
    metrics = [metric for pair in PAIRS for metric in chosen_metrics(pair, known)]
    command = [ncu, "--csv", "--metrics", ",".join(metrics), "--clock-control", "none", "--cache-control", "all"]
    command += [str(arguments.program), "gpu"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"ncu_compare: ncu failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    launches: dict[str, set[str]] = defaultdict(set)
    for row in parse_csv(result.stdout):
        kernel = row["Kernel Name"].split("(")[0]
        sums[kernel][row["Metric Name"]] += value_of(row)
        launches[kernel].add(row["ID"])
    code = checksums(library_of(arguments.program))
    card = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True
    ).stdout.strip()
    record = {
        "gpu": card,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "ncu": subprocess.run([ncu, "--version"], capture_output=True, text=True).stdout.split("\n")[-2].strip(),
        "command": " ".join(command),
        "kernels": {
            name: {"code": code[name], "launches": len(launches[name]), "metrics": dict(sums[name])}
            for name in sorted(sums)
        },
    }
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{arguments.out}: {len(sums)} kernels on {card}")
    return 0


def simulate(program: Path, gpu: str) -> dict[str, dict]:
    """Kernel name -> its entry in the simulator's report."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        command = [sys.executable, "-c", "import sys; from b12x.cli import main; sys.exit(main())", "sim", "run"]
        command += ["--gpu", gpu, "--check", "none", "--cold-l2", "--report", "json", "--out", str(out)]
        subprocess.run([*command, "--", str(program), "gpu"], check=True, stdout=subprocess.DEVNULL)
        return {kernel["name"]: kernel for kernel in json.loads(out.read_text())["kernels"]}


@dataclass(frozen=True)
class Row:
    kernel: str
    counter: str
    simulated: float
    measured: float
    is_judged: bool

    @property
    def error(self) -> float:
        if self.measured == 0:
            return 0.0 if self.simulated == 0 else float("inf")
        return self.simulated / self.measured - 1


def stale(record: dict, simulated: dict[str, dict], code: dict[str, str]) -> dict[str, str]:
    """Kernels of either side that cannot be compared, with the reason."""
    recorded = record["kernels"]
    reasons = {name: "is in the record and not launched any more" for name in recorded if name not in simulated}
    reasons |= {name: "is not in the record" for name in simulated if name not in recorded}
    for name in recorded.keys() & simulated.keys():
        if recorded[name]["code"] != code.get(name):
            reasons[name] = "has changed since it was measured"
    return reasons


def rows_of(record: dict, simulated: dict[str, dict], left_out: Collection[str] = ()) -> list[Row]:
    """Every counter of every kernel not left out. Raises SystemExit where the launches differ."""
    rows = []
    for name, kernel in record["kernels"].items():
        if name in left_out:
            continue
        if simulated[name]["launches"] != kernel["launches"]:
            raise SystemExit(
                f"ncu_compare: {name} was launched {kernel['launches']} times on the GPU and "
                f"{simulated[name]['launches']} times on the simulator: not the same program"
            )
        for pair in PAIRS:
            there = [kernel["metrics"][metric] for metric in pair.metrics if metric in kernel["metrics"]]
            if not there:
                continue
            ours, theirs = float(simulated[name]["counters"][pair.ours]), sum(there)
            if ours == theirs == 0:
                continue
            is_judged = pair.is_judged and max(ours, theirs) >= pair.least and (ours > 0 or not pair.only_where_ours)
            rows.append(Row(name, pair.ours, ours, theirs, is_judged))
    return rows


BEGIN, END = "<!-- ncu: made by benchmarks/counters/ncu_compare.py -->", "<!-- end of ncu -->"


def table(record: dict, rows: list[Row], left_out: dict[str, str], summary: str) -> str:
    """The page's section: a kernel a row, a judged counter a column, in them how far apart the two are."""
    counters = [pair.ours for pair in PAIRS if any(row.is_judged and row.counter == pair.ours for row in rows)]
    cells = {(row.kernel, row.counter): f"{row.error:+.1%}" if row.error else "=" for row in rows if row.is_judged}
    lines = [BEGIN, f"{record['gpu']}, ncu {record['ncu'].split()[1]}, {record['date']}: {summary}.", ""]
    lines += ["| kernel | " + " | ".join(counters) + " |", "| --- |" + " ---: |" * len(counters)]
    for kernel in dict.fromkeys(row.kernel for row in rows):
        values = " | ".join(cells.get((kernel, counter), "") for counter in counters)
        lines.append(f"| {kernel.removeprefix('b12x_')} | {values} |")
    if left_out:
        lines += ["", *(f"- left out: `{name}` {reason}" for name, reason in sorted(left_out.items()))]
    return "\n".join([*lines, END])


def compare(arguments: argparse.Namespace) -> int:
    record = json.loads(arguments.record.read_text())
    simulated = simulate(arguments.program, arguments.gpu)
    left_out = stale(record, simulated, checksums(library_of(arguments.program)))
    rows = rows_of(record, simulated, left_out)
    print(f"simulated {arguments.gpu} against {record['gpu']}, {record['ncu']}, {record['date']}\n")
    print("| kernel | counter | simulated | measured | difference |\n| --- | --- | ---: | ---: | ---: |")
    for row in rows:
        note = "" if row.is_judged else " (not judged)"
        print(f"| {row.kernel} | {row.counter}{note} | {row.simulated:,.0f} | {row.measured:,.0f} | {row.error:+.1%} |")
    print()
    for name, reason in sorted(left_out.items()):
        print(f"left out: {name} {reason}")
    judged = [row for row in rows if row.is_judged]
    wrong = [row for row in judged if abs(row.error) > arguments.tolerance]
    summary = (
        f"{len(judged) - len(wrong)} of {len(judged)} judged counters of {len({row.kernel for row in judged})} kernels "
        f"lie within {arguments.tolerance:.0%}"
    )
    print(summary)
    if arguments.table:
        section = table(record, rows, left_out, summary)
        before, _, rest = arguments.table.read_text().partition(BEGIN)
        arguments.table.write_text(before + section + rest.partition(END)[2])
    return 1 if wrong or not judged else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True)
    program = Path("build/benchmarks/counter_kernels")
    one = actions.add_parser("measure", help="on a machine with a GPU and ncu")
    one.add_argument("--program", type=Path, default=program)
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(run=measure)
    two = actions.add_parser("compare", help="a record against the simulator")
    two.add_argument("record", type=Path)
    two.add_argument("--program", type=Path, default=program)
    two.add_argument("--gpu", default="h200")
    two.add_argument("--tolerance", type=float, default=0.05)
    two.add_argument("--table", type=Path, help="a page whose section of differences is written anew")
    two.set_defaults(run=compare)
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
