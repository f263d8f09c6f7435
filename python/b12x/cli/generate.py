"""`b12x generate`: streams text from a model folder, then says which kernels ran.

In: a folder, a prompt, a sampling rule. Out: text and a table, or one JSON object. The driver of B12X_DRIVER decides
where it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from b12x import runtime
from b12x.model import ModelError, TextStream, TextTokenizer, generate_ids, load_model

# In a checkout the models lie beside the python folder.
BUNDLED_MODEL = Path(__file__).resolve().parents[3] / "models" / "kjv-moe-nvfp4"
DEFAULT_TEMPERATURE = 0.7
TABLE_WIDTH = 110  # the longest kernel name and the device side by side; a log without a terminal would get 80


@dataclass(frozen=True)
class KernelRow:
    """One kernel's work for the text; share is its part of all kernels' time (0 where the device tells no time)."""

    name: str
    calls: int
    instructions: int
    share: float


@dataclass(frozen=True)
class Result:
    """What `--json` prints: text is the continuation without the prompt, tokens how many were generated."""

    text: str
    tokens: int
    seconds: float
    device: str
    kernels: list[KernelRow]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="HF folder (default: the bundled model)")
    parser.add_argument("--prompt", default="In the beginning", help="text to continue (default: %(default)r)")
    parser.add_argument("--max-new-tokens", type=_positive, default=96, metavar="N", help="default: %(default)s")
    sampling = parser.add_mutually_exclusive_group()
    sampling.add_argument("--greedy", action="store_true", help="always take the likeliest token")
    sampling.add_argument(
        "--temperature", type=_temperature, default=DEFAULT_TEMPERATURE, metavar="T", help="default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sampling (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text and table")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number; --greedy takes the likeliest token")
    return value


def kernel_rows(stats: list[dict]) -> list[KernelRow]:
    """Statistics of the runtime as table rows, the most expensive first."""
    total = sum(row["seconds"] for row in stats)
    rows = [
        KernelRow(row["name"], row["calls"], row["instructions"], row["seconds"] / total if total else 0.0)
        for row in stats
        if row["calls"]
    ]
    return sorted(rows, key=lambda row: (-row.share, row.name))


def table_of(result: Result) -> Table:
    title = f"{result.tokens} tokens in {result.seconds:.1f} s on {result.device}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("kernel", no_wrap=True)
    for heading in ("calls", "simulated instructions", "share of time"):
        table.add_column(heading, justify="right")
    table.add_column("device", no_wrap=True)
    for row in result.kernels:
        instructions = f"{row.instructions:,}" if row.instructions else "-"
        share = f"{row.share:.1%}" if row.share else "-"
        table.add_row(row.name, f"{row.calls:,}", instructions, share, result.device)
    return table


def run(arguments: argparse.Namespace) -> int:
    if arguments.model == BUNDLED_MODEL and not BUNDLED_MODEL.is_dir():
        raise ModelError(f"no bundled model at {BUNDLED_MODEL}; name a model folder with --model")
    device = runtime.select_driver()
    if device == "cpu":
        torch.set_num_threads(1)  # one row at a time: PyTorch's threads would take the cores from the simulator's
    model = load_model(arguments.model, "kernels", device)
    tokenizer = TextTokenizer(arguments.model, model.config.vocab_size)
    prompt = tokenizer.encode(arguments.prompt)
    stream, pieces, count = TextStream(tokenizer), [], 0

    def show(piece: str) -> None:
        pieces.append(piece)
        if not arguments.json:
            sys.stdout.write(piece)
            sys.stdout.flush()

    temperature = 0.0 if arguments.greedy else arguments.temperature
    ids = generate_ids(model, prompt, arguments.max_new_tokens, temperature, arguments.seed)
    runtime.announce(device, 0)  # before any text: the first kernel would say it in the middle of a line
    if not arguments.json:
        sys.stdout.write(arguments.prompt)
        sys.stdout.flush()
    runtime.reset_kernel_stats(device)
    begin = time.perf_counter()
    for token in ids:
        count += 1
        show(stream.push(token))
    show(stream.finish())
    seconds = time.perf_counter() - begin
    kernels = kernel_rows(runtime.kernel_stats(device))
    result = Result("".join(pieces), count, round(seconds, 3), runtime.device_name(device), kernels)
    if arguments.json:
        print(json.dumps(asdict(result)))
    else:
        print("\n")
        console = Console()
        console.width = max(console.width, TABLE_WIDTH)
        console.print(table_of(result))
    return 0
