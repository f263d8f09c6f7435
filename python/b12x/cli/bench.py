"""`b12x bench gemm | linear | quant`: how fast the kernels are on a GPU, or what they do on the simulator.

In: shapes, types, a driver. Out: a table, and on request a record (JSON) and a plot. A GPU is timed, beside what else
one would run there; the simulator has no clock that means anything, so its rows are counters.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from b12x import progress, runtime
from b12x.bench import cases, plot, record, table
from b12x.sim.library import GPUS

_EXAMPLE = """\
examples:
  b12x bench gemm                                   a GPU's full set, or the simulator's quick one
  b12x bench gemm --gpu rtx-5090 --shapes 4096x4096,512x7168 --tokens 1,32,128
  b12x bench gemm --json rows.json --plot time.svg
  b12x bench gemm --from rows.json --plot time.svg  draws what was recorded
  b12x bench linear --tokens 1,8                    what it gains to quantise activations in the GEMM
  b12x bench quant --kinds plain,mxfp8 --shapes 512x4096,64x128x4096 --dtypes bfloat16,float16
"""


def _parsed(parse: Callable[..., Any], *arguments: Any) -> Callable[[str], Any]:
    """`parse(text, *arguments)` for argparse, with the words of its ValueError."""

    def of(text: str) -> Any:
        try:
            return parse(text, *arguments)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLE
    benches = parser.add_subparsers(dest="bench", required=True, metavar="BENCH")
    gemm = benches.add_parser("gemm", help="NVFP4 GEMM beside cuBLAS BF16 and reading the weights")
    linear = benches.add_parser("linear", help="a GEMM that quantises its activations, beside two launches and cuBLAS")
    for product in (gemm, linear):
        product.add_argument(
            "--shapes",
            type=_parsed(cases.parse_shapes, (2,), "4096x4096,512x7168"),
            metavar="NxK,..",
            help="of B, as weights are stored",
        )
        product.add_argument("--tokens", type=_parsed(cases.parse_numbers), metavar="M,..", help="rows of A")
        product.add_argument(
            "--dtypes",
            type=_parsed(cases.parse_names, cases.OUT_DTYPES),
            default=("bfloat16",),
            metavar="TYPE,..",
            help=f"of the output, some of {','.join(cases.OUT_DTYPES)} (default: bfloat16)",
        )
    quant = benches.add_parser("quant", help="quantisation kernels beside a device copy of as many bytes")
    quant.add_argument(
        "--shapes",
        type=_parsed(cases.parse_shapes, (2, 3), "512x4096,64x128x4096"),
        metavar="ROWSxCOLS,..",
        help="of the input, GROUPSxROWSxCOLS for groups",
    )
    quant.add_argument(
        "--kinds",
        type=_parsed(cases.parse_names, cases.KINDS),
        metavar="KIND,..",
        help=f"some of {','.join(cases.KINDS)}",
    )
    quant.add_argument(
        "--dtypes",
        type=_parsed(cases.parse_names, cases.OUT_DTYPES),
        metavar="TYPE,..",
        help=f"of the input, some of {','.join(cases.OUT_DTYPES)}",
    )
    for bench in (gemm, linear, quant):
        size = bench.add_mutually_exclusive_group()
        size.add_argument("--quick", action="store_true", help="the small set (default on the simulator)")
        size.add_argument("--full", action="store_true", help="the whole set (default on a GPU)")
        size.add_argument("--from", dest="source", type=Path, metavar="FILE", help="measure nothing, show this record")
        bench.add_argument("--gpu", choices=GPUS, help="count on this simulated card")
        bench.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
        bench.add_argument("--plot", type=Path, metavar="FILE", help="draw the record there: .svg or .png")
        bench.add_argument("--commit", metavar="TEXT", help="what to record as commit (default: git describe)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.plot is not None:
        plot.check_path(arguments.plot)
    for path in filter(None, (arguments.json, arguments.plot)):
        if not path.parent.is_dir():
            raise ValueError(f"{path}: there is no folder {path.parent}")
    measured = _recorded(arguments) if arguments.source is not None else _measured(arguments)
    if foot := table.foot(measured):
        print(foot)
    if arguments.json is not None and arguments.source is not None:
        record.write(measured, arguments.json)
    if arguments.plot is not None:
        plot.write(measured, arguments.plot)
    return 0


def _recorded(arguments: argparse.Namespace) -> record.Record:
    measured = record.read(arguments.source)
    if measured.bench != arguments.bench:
        raise ValueError(f"--from {arguments.source}: holds rows of `bench {measured.bench}`, want {arguments.bench}")
    print(table.head(measured))
    for row in measured.rows:
        print(table.line(measured, row))
    return measured


def _measured(arguments: argparse.Namespace) -> record.Record:
    is_gpu = arguments.gpu is None and runtime.select_driver() == "cuda"
    chosen = _cases_of(arguments, is_quick=arguments.quick or not (arguments.full or is_gpu))
    if is_gpu:
        device, driver, rows = runtime.device_name("cuda"), record.gpu_driver(), _timed(arguments.bench, chosen)
    else:
        from b12x.bench import counted

        gpu = arguments.gpu or GPUS[0]
        device, driver, rows = f"simulated {gpu}", "simulator", counted.rows(arguments.bench, chosen, gpu)
    empty = record.make(
        arguments.bench, "time" if is_gpu else "counters", device, driver, arguments.commit, arguments.argv
    )
    print(table.head(empty), flush=True)
    found = []
    with progress.bar(f"bench {arguments.bench}", len(chosen)) as step:
        for row in rows:
            print(table.line(empty, row), flush=True)
            found.append(row)
            if arguments.json is not None:  # row by row: what is measured stays, whatever happens to the next one
                record.write(dataclasses.replace(empty, rows=found), arguments.json)
            step()
    return dataclasses.replace(empty, rows=found)


def _timed(bench: str, chosen: Sequence[Any]) -> Iterator[record.Row]:
    from b12x.bench import timed

    row_of = {"gemm": timed.gemm_row, "linear": timed.linear_row, "quant": timed.quant_row}
    yield from map(row_of[bench], chosen)


def _cases_of(arguments: argparse.Namespace, is_quick: bool) -> tuple[Any, ...]:
    if arguments.bench == "gemm":
        shapes = arguments.shapes or (cases.QUICK_SHAPES if is_quick else cases.SHAPES)
        tokens = arguments.tokens or (cases.QUICK_TOKENS if is_quick else cases.TOKENS)
        return cases.gemm_cases(shapes, tokens, arguments.dtypes)
    if arguments.bench == "linear":
        shapes = arguments.shapes or (cases.QUICK_SHAPES if is_quick else cases.LINEAR_SHAPES)
        return cases.linear_cases(
            shapes, arguments.tokens or cases.LINEAR_TOKENS[:: 2 if is_quick else 1], arguments.dtypes
        )
    standard = cases.QUICK_QUANT if is_quick else cases.FULL_QUANT
    if arguments.shapes is None:
        return tuple(
            case
            for case in standard
            if case.kind in (arguments.kinds or cases.KINDS) and case.dtype in (arguments.dtypes or cases.OUT_DTYPES)
        )
    return cases.quant_cases(arguments.kinds or ("plain",), arguments.dtypes or ("bfloat16",), arguments.shapes)
