"""A record as text: a line a row, the same on a terminal and in a log. Rows can be printed one by one.

In: a record or a row. Out: lines. The head says whether numbers were timed or counted.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from b12x.bench.record import Record, Row


@dataclass(frozen=True)
class Column:
    heading: str
    width: int
    text: Callable[[Row], str]


def _shape(row: Row) -> str:
    return "x".join(str(row[name]) for name in ("groups", "rows", "cols") if name != "groups" or row[name] > 1)


def _pair(row: Row, name: str, form: str) -> str:
    return f"{row[name.format('cold')]:{form}} {row[name.format('warm')]:{form}}"


_GEMM_NAMES = (
    Column("m", 5, lambda row: str(row["m"])),
    Column("n x k", 12, lambda row: f"{row['n']}x{row['k']}"),
    Column("out", 8, lambda row: row["out"]),
)
_SPREAD = (  # of the work over the card
    Column("blocks", 6, lambda row: str(row["blocks"])),
    Column("SMs busy", 8, lambda row: f"{row['busy_sms']}/{row['sms']}"),
    Column("balance", 7, lambda row: f"{row['balance']:.3f}"),
)
_GEMM_COUNTERS = (
    *_GEMM_NAMES,
    *_SPREAD,
    Column("MMAs", 11, lambda row: f"{row['mma_count']:,}"),
    Column("useful", 7, lambda row: f"{row['useful_mma_count'] / row['mma_count']:.3f}"),
    Column("DRAM read/operands", 18, lambda row: f"{row['dram_read_ratio']:.3f}"),
    Column("L2 read/operands", 16, lambda row: f"{row['l2_read_bytes'] / row['operand_bytes']:.3f}"),
    Column("conflicts", 11, lambda row: f"{row['shared_conflicts']:,}"),
    Column("instructions", 13, lambda row: f"{row['inst_executed']:,}"),
)
_QUANT_NAMES = (
    Column("kind", 8, lambda row: row["kind"]),
    Column("dtype", 8, lambda row: row["dtype"]),
    Column("shape", 12, _shape),
)
COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("gemm", "time"): (
        *_GEMM_NAMES,
        Column("b12x us cold/warm", 19, lambda row: _pair(row, "b12x_{}_us", "9.2f")),
        Column("cuBLAS us cold/warm", 19, lambda row: _pair(row, "cublas_bf16_{}_us", "9.2f")),
        Column("read us cold/warm", 19, lambda row: _pair(row, "read_{}_us", "9.2f")),
        Column("cuBLAS / b12x", 13, lambda row: _pair(row, "{}_ratio", "6.2f")),
        Column("error", 7, lambda row: f"{row['relative_error']:.1e}"),
    ),
    ("linear", "time"): (
        *_GEMM_NAMES,
        Column("b12x us cold/warm", 19, lambda row: _pair(row, "b12x_{}_us", "9.2f")),
        Column("two launches", 19, lambda row: _pair(row, "two_launches_{}_us", "9.2f")),
        Column("cuBLAS us cold/warm", 19, lambda row: _pair(row, "cublas_bf16_{}_us", "9.2f")),
        Column("two / b12x", 13, lambda row: _pair(row, "{}_two_ratio", "6.2f")),
        Column("cuBLAS / b12x", 13, lambda row: _pair(row, "{}_ratio", "6.2f")),
        Column("error", 7, lambda row: f"{row['relative_error']:.1e}"),
    ),
    ("quant", "time"): (
        *_QUANT_NAMES,
        Column("b12x us cold/warm", 19, lambda row: _pair(row, "b12x_{}_us", "9.2f")),
        Column("copy us cold/warm", 19, lambda row: _pair(row, "copy_{}_us", "9.2f")),
        Column("b12x GB/s cold/warm", 19, lambda row: _pair(row, "b12x_{}_gb_s", "9.0f")),
        Column("copy GB/s cold/warm", 19, lambda row: _pair(row, "copy_{}_gb_s", "9.0f")),
        Column("copy / b12x", 13, lambda row: _pair(row, "{}_ratio", "6.3f")),
    ),
    ("gemm", "counters"): _GEMM_COUNTERS,
    ("linear", "counters"): _GEMM_COUNTERS,
    ("quant", "counters"): (
        *_QUANT_NAMES,
        *_SPREAD,
        Column("DRAM read/input", 15, lambda row: f"{row['dram_read_ratio']:.3f}"),
        Column("L2 written/output", 17, lambda row: f"{row['l2_write_bytes'] / row['out_bytes']:.3f}"),
        Column("conflicts", 9, lambda row: f"{row['shared_conflicts']:,}"),
        Column("instructions", 13, lambda row: f"{row['inst_executed']:,}"),
        Column("a 32 x 16 block", 15, lambda row: f"{row['inst_per_block']:.1f}"),
    ),
}


def head(record: Record) -> str:
    """What was measured on what, and the headings."""
    how = (
        "times on a GPU: medians, cold and warm L2"
        if record.is_timed
        else "counted on the simulator; nothing here is a time"
    )
    columns = COLUMNS[record.bench, record.measured]
    headings = "  ".join(f"{column.heading:>{column.width}}" for column in columns)
    where = f"{record.bench} on {record.device}, driver {record.driver}, {record.date}, commit {record.commit}"
    return f"{where}: {how}\n{headings}"


def line(record: Record, row: Row) -> str:
    return "  ".join(f"{column.text(row):>{column.width}}" for column in COLUMNS[record.bench, record.measured])


def foot(record: Record) -> str:
    """What the rows of a timed GEMM come to where the matrix is all that counts; empty for other records."""
    if (record.bench, record.measured) != ("gemm", "time"):
        return ""
    lines = []
    for cache in ("cold", "warm"):
        chosen = [row[f"{cache}_ratio"] for row in record.rows if row["m"] <= 32 and row["n"] * row["k"] >= 16 << 20]
        if chosen:
            mean = statistics.geometric_mean(chosen)
            lines.append(f"m <= 32, n k >= 16 M, {cache}: geometric mean {mean:.3f}, least {min(chosen):.3f}")
    return "\n".join(lines)
