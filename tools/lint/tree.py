"""The files that the lints look at: those of the repository, as git sees them, without what .gitignore leaves out."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CXX_SUFFIXES = (".h", ".hpp", ".cuh", ".cpp", ".cu", ".inc", ".def")
HEADER_SUFFIXES = (".h", ".hpp", ".cuh", ".inc", ".def")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where (path from the root, 1-based line, 0 for the whole file) and what to do."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}"


def files() -> list[str]:
    """Paths from the root, sorted, of all files that are tracked or would be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(path for path in done.stdout.split("\0") if path and (ROOT / path).is_file())


def read(path: str) -> str | None:
    """The text of a file, None if it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
