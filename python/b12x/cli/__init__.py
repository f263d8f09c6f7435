"""The command `b12x`: one file per subcommand, each with `add_arguments(parser)` and `run(arguments) -> int`.

In: the command line. Out: the exit code. The idea: a mistake of the user or of a file is one sentence on stderr and
exit code 1; only a defect of b12x itself shows a traceback.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

# Subcommand -> what it does. Its module is imported when it is used, so `b12x --help` does not load PyTorch.
COMMANDS = {
    "bench": "time kernels on a GPU, or count what they do on the simulator",
    "explain": "tell which kernel a GEMM gets on a card, and why",
    "generate": "write text with an NVFP4 mixture-of-experts model",
    "quantize": "make an NVFP4 model folder from a BF16 one",
    "sim": "run programs on the simulated GPU, with checks and counters",
}


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only `command` gets its own options."""
    parser = argparse.ArgumentParser(prog="b12x", description="NVFP4 inference kernels for NVIDIA SM120.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=help_text, description=f"{help_text.capitalize()}.")
        if name == command:
            importlib.import_module(f"b12x.cli.{name}").add_arguments(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    argv = list(sys.argv[1:] if argv is None else argv)
    command = argv[0] if argv and argv[0] in COMMANDS else None
    # `argv` is for records that say how to make them again.
    arguments = build_parser(command).parse_args(argv, argparse.Namespace(argv=argv))
    logging.basicConfig(format="b12x: %(message)s", level=logging.INFO)
    try:
        return importlib.import_module(f"b12x.cli.{arguments.command}").run(arguments)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"b12x {arguments.command}: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def one_line(error: BaseException) -> str:
    """The error's message on one line; its kind where there is none."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
