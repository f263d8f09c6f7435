"""clang-format and ruff over the repository: `--write` rewrites, otherwise both only tell what is wrong."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import tree

_BIN = Path(sys.executable).parent
# Laid out by hand or by a generator.
_NOT_FORMATTED = (".inc", ".def")


def clang_format(write: bool) -> int:
    """Formats every C++ and CUDA file, or names those that are not formatted. Returns 0 when none is left."""
    paths = [p for p in tree.files() if p.endswith(tree.CXX_SUFFIXES) and not p.endswith(_NOT_FORMATTED)]
    if not paths:
        return 0
    mode = ["-i"] if write else ["--dry-run", "-Werror"]
    command = [_BIN / "clang-format", "--style=file", *mode, *paths]
    done = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, check=False)
    for path in sorted(
        set(re.findall(r"^(\S+?):\d+:\d+: error: code should be clang-formatted", done.stderr, re.MULTILINE))
    ):
        print(f"clang-format: {path} is not formatted", file=sys.stderr)
    return done.returncode


def ruff(write: bool) -> int:
    """Lints and formats (or checks) every Python file. Returns non-zero when something is wrong."""
    lint = [_BIN / "ruff", "check", "--quiet", *(["--fix"] if write else []), "."]
    form = [_BIN / "ruff", "format", "--quiet", *([] if write else ["--check", "--output-format=concise"]), "."]
    return max(subprocess.run(command, cwd=tree.ROOT, check=False).returncode for command in (lint, form))


def main(argv: list[str]) -> int:
    """Both tools; 1 when either has something to say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="rewrite the files in place")
    write = parser.parse_args(argv).write
    return 1 if clang_format(write) + ruff(write) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
