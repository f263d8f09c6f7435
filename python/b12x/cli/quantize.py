"""`b12x quantize SRC DST`: a BF16 model folder to an NVFP4 one, with a progress bar.

In: an HF folder in BF16 and a calibration text. Out: an HF folder in ModelOpt's NVFP4 layout, whole or not at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from b12x.model import quantize_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="HF folder with BF16 weights")
    parser.add_argument("target", type=Path, metavar="DST", help="folder to make; must not exist")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="text that input scales come from (default: SRC/calibration.txt)",
    )


def run(arguments: argparse.Namespace) -> int:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, int] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        sizes = quantize_folder(arguments.source, arguments.target, arguments.calibration, progress)
    megabytes = {name: size / 1e6 for name, size in sizes.items()}
    console.print(
        f"{arguments.target}: {megabytes['target_bytes']:.1f} MB of weights, from {megabytes['source_bytes']:.1f} MB"
    )
    return 0
