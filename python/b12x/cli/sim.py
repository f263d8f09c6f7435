"""`b12x sim run | trace | disasm`: any Driver API program on the simulated GPU, and listings of PTX as it runs.

In: a command behind `--`, or a PTX or fatbin file. Out: a report on stdout or in a file. Exit code of `run`: 3 where a
check found something, else the command's own; 2 for a wrong command line, 1 for what cannot be run at all.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from b12x.sim.library import ASYNC_MODES, CHECKS, GPUS, Settings, disassemble

_EXAMPLE = """\
examples:
  b12x sim run -- ./program --size 4096
  b12x sim run --check race,sync --seeds 20 --report json --out report.json -- python train.py
  b12x sim trace --kernel my_kernel --block 0,0,0 --warp 0 -- ./program
  b12x sim disasm --kernel my_kernel my_kernel.ptx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLE
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_run(actions.add_parser("run", help="run a program with checks and counters", description=_add_run.__doc__))
    _add_trace(
        actions.add_parser("trace", help="print what a program's kernels execute", description=_add_trace.__doc__)
    )
    _add_disasm(actions.add_parser("disasm", help="list what the simulator runs", description=_add_disasm.__doc__))


def _add_run(parser: argparse.ArgumentParser) -> None:
    """Runs a Driver API program on the simulator. Exit code 3: a check found something; else the program's own."""
    _add_gpu(parser)
    parser.add_argument(
        "--check", type=_checks, default="all", metavar="LIST", help=f"all, none or some of {','.join(CHECKS)}"
    )
    parser.add_argument(
        "--async",
        dest="asynchronous",
        choices=ASYNC_MODES,
        help="when asynchronous copies land (default: hostile when anything is checked, else eager)",
    )
    schedule = parser.add_mutually_exclusive_group()
    schedule.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of the schedule; 0 (default): round robin"
    )
    schedule.add_argument("--seeds", type=_count, metavar="K", help="run K times, with the seeds 1 to K")
    parser.add_argument("--no-counters", dest="counts", action="store_false", help="count nothing: faster")
    parser.add_argument(
        "--cold-l2", action="store_true", help="empty the modelled L2 before each launch, as profilers do"
    )
    parser.add_argument("--report", choices=("text", "json", "html"), default="text", help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report there (default: stdout)")
    _add_command(parser)


def _add_trace(parser: argparse.ArgumentParser) -> None:
    """Prints each executed warp instruction: place, lanes, PTX, and what the lowest executing lane got."""
    _add_gpu(parser)
    parser.add_argument("--kernel", default="", metavar="NAME", help="only this one")
    parser.add_argument("--block", type=_block, metavar="x,y,z", help="only this block")
    parser.add_argument("--warp", type=_index, metavar="N", help="only this warp of its block")
    parser.add_argument("--max", type=_count, default=1000, metavar="N", help="lines (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    _add_command(parser)


def _add_disasm(parser: argparse.ArgumentParser) -> None:
    """Lists kernels as the simulator runs them: PTX, pipe, form in the table, operand slots, source line."""
    _add_gpu(parser)
    parser.add_argument("--kernel", metavar="NAME", help="only this one")
    parser.add_argument("file", type=Path, metavar="FILE", help="PTX text or a fatbin")


def _add_gpu(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gpu", choices=GPUS, help="simulated card (default: B12X_SIM_GPU, or rtx-pro-6000)")


def _add_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the program and its arguments")


def _checks(text: str) -> str:
    unknown = [word for word in text.split(",") if word not in CHECKS]
    if text not in ("all", "none") and unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no check; want all, none or some of {','.join(CHECKS)}")
    return text


def _seed(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number below 2^64")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _index(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _block(text: str) -> str:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a block; want x,y,z as in 0,0,0")
    return text


def run(arguments: argparse.Namespace) -> int:
    return {"run": _run, "trace": _trace, "disasm": _disasm}[arguments.action](arguments)


def _without_dashes(command: list[str]) -> list[str]:
    return command[1:] if command[:1] == ["--"] else command


def _run(arguments: argparse.Namespace) -> int:
    from b12x import progress
    from b12x.sim import page, session, text

    settings = Settings(arguments.gpu, arguments.check, arguments.asynchronous, arguments.counts, arguments.cold_l2)
    seeds = [arguments.seed] if arguments.seeds is None else list(range(1, arguments.seeds + 1))
    command = _without_dashes(arguments.program)
    with progress.bar("seeds", len(seeds)) as done:
        report = session.run(command, settings, seeds, done)
    if arguments.report == "json":
        _write(json.dumps(asdict(report), indent=1) + "\n", arguments.out)
    elif arguments.report == "html":
        _write(page.render(report), arguments.out)
    else:
        _write(text.render(report), arguments.out)
    return report.verdict()


def _write(content: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(content)
    else:
        out.write_text(content)


def _trace(arguments: argparse.Namespace) -> int:
    from b12x.sim import session, tracing

    wanted = tracing.Wanted(arguments.kernel, arguments.block or "", arguments.warp, arguments.max)
    command = _without_dashes(arguments.program)
    exit_code, lines = session.trace(command, arguments.gpu, wanted)
    for line in lines:
        print(json.dumps(line) if arguments.json else tracing.render(line))
    return exit_code


def _disasm(arguments: argparse.Namespace) -> int:
    image = arguments.file.read_bytes()
    _write(disassemble(image, arguments.file.name, arguments.kernel, arguments.gpu), None)
    return 0
