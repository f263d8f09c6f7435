"""A record as a picture: a panel a shape, log-log, one line a quantity. SVG or PNG by the file's name.

In: a record, a path. Out: the file. Times: solid lines cold, dashed lines warm. Counters: bytes and what bounds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from b12x.bench.record import Record, Row

SUFFIXES = (".svg", ".png")
_COLUMNS = 5
_OURS, _PEER, _FLOOR, _OTHER = "#d1495b", "#30638e", "#7f7f7f", "#edae49"


@dataclass(frozen=True)
class Line:
    label: str
    field: str
    colour: str
    style: str = "-"


@dataclass(frozen=True)
class Kind:
    """What a record's panels show."""

    title: str
    x: str
    x_label: str
    y_label: str
    panel: str  # the title of a row's panel
    lines: tuple[Line, ...]


def _cold_and_warm(label: str, field: str, colour: str) -> tuple[Line, Line]:
    return (
        Line(f"{label}, cold", field.format("cold"), colour),
        Line(f"{label}, warm", field.format("warm"), colour, "--"),
    )


_GEMM_COUNTERS = Kind(
    "bytes that a GEMM reads against tokens, counted on the simulator",
    "m",
    "M, tokens",
    "bytes",
    "{n} x {k}",
    (
        Line("asked of L2", "l2_read_bytes", _OTHER),
        Line("from DRAM, cold", "dram_read_cold_bytes", _OURS),
        Line("from DRAM, warm", "dram_read_warm_bytes", _OURS, "--"),
        Line("both operands once", "operand_bytes", _FLOOR, ":"),
    ),
)

KINDS: dict[tuple[str, str], Kind] = {
    ("gemm", "time"): Kind(
        "time of a GEMM against tokens",
        "m",
        "M, tokens",
        "µs",
        "{n} x {k}",
        (
            *_cold_and_warm("b12x NVFP4", "b12x_{}_us", _OURS),
            *_cold_and_warm("cuBLAS BF16", "cublas_bf16_{}_us", _PEER),
            *_cold_and_warm("reading the weights", "read_{}_us", _FLOOR),
        ),
    ),
    ("quant", "time"): Kind(
        "bytes a second of quantisation against rows",
        "rows",
        "rows",
        "GB/s",
        "{kind} {dtype}, {cols} columns",
        (
            *_cold_and_warm("b12x", "b12x_{}_gb_s", _OURS),
            *_cold_and_warm("device copy", "copy_{}_gb_s", _PEER),
        ),
    ),
    ("linear", "time"): Kind(
        "time of quantising and multiplying against tokens",
        "m",
        "M, tokens",
        "µs",
        "{n} x {k}",
        (
            *_cold_and_warm("one launch", "b12x_{}_us", _OURS),
            *_cold_and_warm("two launches", "two_launches_{}_us", _OTHER),
            *_cold_and_warm("cuBLAS BF16", "cublas_bf16_{}_us", _PEER),
        ),
    ),
    ("gemm", "counters"): _GEMM_COUNTERS,
    ("linear", "counters"): _GEMM_COUNTERS,
    ("quant", "counters"): Kind(
        "bytes that quantisation moves against rows, counted on the simulator",
        "rows",
        "rows",
        "bytes",
        "{kind} {dtype}, {cols} columns",
        (
            Line("asked of L2", "l2_read_bytes", _OTHER),
            Line("from DRAM, cold", "dram_read_cold_bytes", _OURS),
            Line("written", "l2_write_bytes", _PEER),
            Line("input and output once", "bytes", _FLOOR, ":"),
        ),
    ),
}


def check_path(path: Path) -> None:
    """Raises ValueError for a name that says neither SVG nor PNG, or where matplotlib is missing."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"--plot {path}: want a name that ends with {' or '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "--plot needs matplotlib: pip install matplotlib; --json and --from draw rows later"
        ) from error


def panels_of(record: Record) -> dict[str, list[Row]]:
    """The rows of each panel, by x; where x occurs twice in a panel (another output type, groups) the first counts."""
    kind = KINDS[record.bench, record.measured]
    panels: dict[str, dict[int, Row]] = {}
    for row in record.rows:
        panels.setdefault(kind.panel.format(**row), {}).setdefault(row[kind.x], row)
    return {title: [rows[x] for x in sorted(rows)] for title, rows in panels.items()}


def write(record: Record, path: Path) -> None:
    """Draws the record."""
    check_path(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator

    kind, panels = KINDS[record.bench, record.measured], panels_of(record)
    columns = min(_COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    # Text as text and no date inside: the same record gives the same SVG.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "b12x", "font.size": 8}):
        figure = Figure(figsize=(max(3.2 * columns, 7), 2.6 * lines + 1.1), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        for axis, (title, rows) in zip(axes, panels.items(), strict=False):
            axis.set_title(title)
            for line in kind.lines:
                points = [(row[kind.x], row[line.field]) for row in rows if row[line.field] > 0]
                if points:
                    axis.plot(*zip(*points, strict=True), line.style, color=line.colour, marker=".", markersize=3)
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_xticks([row[kind.x] for row in rows], [str(row[kind.x]) for row in rows], rotation=60)
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.minorticks_off()
            axis.grid(alpha=0.3)
            axis.set_xlabel(kind.x_label)
            axis.set_ylabel(kind.y_label)
        handles = [axes[0].plot([], [], line.style, color=line.colour, label=line.label)[0] for line in kind.lines]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        figure.suptitle(f"{kind.title}: {record.device}, {record.date}, commit {record.commit}")
        figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
