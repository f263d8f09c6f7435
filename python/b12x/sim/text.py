"""A Report for a terminal: what was found, then what each kernel did."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table

from b12x.sim.session import Report

WIDTH = 120  # a log without a terminal would get 80, too few for a table of kernels


def _times(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


def summary(report: Report) -> str:
    """One line: the verdict."""
    runs = _times(len(report.seeds), "run")
    found = _times(len(report.findings), "finding") if report.findings else "nothing found"
    return f"{found} in {runs} on {report.gpu or 'the simulator'}; the command's exit code was {report.exit_code}"


def table_of(kernels: list[dict]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("kernel", no_wrap=True)
    for heading in ("launches", "warp instr.", "tensor", "shared wavefr.", "conflicts", "L2 KB", "DRAM KB"):
        table.add_column(heading, justify="right")
    for kernel in kernels:
        c = kernel["counters"]
        cells = (
            kernel["launches"],
            c["inst_executed"],
            c["tensor_inst"],
            sum(c[f"shared_{kind}_wavefronts"] for kind in ("load", "store", "atomic")),
            c["shared_conflicts"],
            32 * (c["l2_read_sectors"] + c["l2_write_sectors"]) // 1024,
            (c["dram_read_bytes"] + c["dram_write_bytes"]) // 1024,
        )
        table.add_row(kernel["name"], *(f"{cell:,}" for cell in cells))
    return table


def render(report: Report) -> str:
    """The whole report."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, color_system=None)
    for finding in report.findings:
        seed = f" (seed {finding['seed']})" if len(report.seeds) > 1 or finding["seed"] else ""
        console.print(f"{finding['kind']}{seed}: {finding['text']}\n", markup=False, highlight=False, soft_wrap=True)
    console.print(summary(report), markup=False, highlight=False)
    if report.kernels:
        console.print(table_of(report.kernels))
    return out.getvalue()
