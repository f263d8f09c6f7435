"""Rows with all that is needed to take them again, as one JSON file.

In: rows, and what they were measured on. Out: {"bench", "measured", "device", "driver", "date", "commit", "command",
"torch", "rows"}. `measured` is "time" (a GPU's) or "counters" (the simulator's): they never stand in one file.
"""

from __future__ import annotations

import datetime
import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Record:
    bench: str  # "gemm", "linear", "quant"
    measured: str  # "time", "counters"
    device: str
    driver: str
    date: str  # UTC, 2026-11-26 or with the time
    commit: str
    command: str
    torch: str
    rows: list[Row]

    @property
    def is_timed(self) -> bool:
        return self.measured == "time"


def make(bench: str, measured: str, device: str, driver: str, commit: str | None, arguments: Sequence[str]) -> Record:
    """A record of now without rows.

    arguments: of the command. commit None: that of the checkout that this file lies in, "unknown" if there is none.
    """
    import torch

    return Record(
        bench=bench,
        measured=measured,
        device=device,
        driver=driver,
        date=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        commit=commit or _line(["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]),
        command=shlex.join(["b12x", *arguments]),
        torch=torch.__version__,
        rows=[],
    )


def gpu_driver() -> str:
    """Version of the GPU's driver, "unknown" without nvidia-smi."""
    return _line(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]).split()[0]


def _line(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() or "unknown"
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write(record: Record, path: Path) -> None:
    path.write_text(json.dumps(asdict(record), indent=1) + "\n")


def read(path: Path) -> Record:
    """Raises ValueError for a file that is no record."""
    try:
        content = json.loads(path.read_text())
        record = Record(**content)
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{path}: is no record of `b12x bench`: {error}") from error
    if record.measured not in ("time", "counters") or not record.rows:
        raise ValueError(f"{path}: measured is {record.measured!r} with {len(record.rows)} rows, want time or counters")
    return record
