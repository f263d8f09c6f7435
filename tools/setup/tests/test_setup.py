"""What set-up and build say on machines that lack something: one sentence that names it, exit code not 0."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script of tools/setup with these variables on top of ours."""
    command = [str(ROOT / "tools" / "setup" / script), *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def fake(folder: Path, name: str, body: str) -> str:
    """An executable shell script; returns its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def stamps() -> list[float]:
    """When the two tool folders were finished."""
    return [(ROOT / stamp).stat().st_mtime for stamp in (".venv/.stamp-tools", ".cuda/.stamp-cuda")]


def test_second_run_changes_nothing():
    before = stamps()
    done = run("setup.sh")
    assert done.returncode == 0, done.stderr
    assert "->" not in done.stdout
    assert stamps() == before


@pytest.mark.parametrize(
    ("variable", "program", "words"),
    [
        ("CXX", "b12x-no-such-compiler", "no C++ compiler: 'b12x-no-such-compiler' was not found; install g++ 12"),
        ("CXX", "echo 11.4", "is version 11, b12x needs g++ 12 or newer"),
        ("PYTHON", "b12x-no-such-python", "no Python: 'b12x-no-such-python' was not found; install Python 3.10"),
        ("PYTHON", 'echo "Python 3.9.2"; exit 1', "is Python 3.9.2, b12x needs Python 3.10 or newer"),
    ],
)
def test_missing_or_old_program(tmp_path: Path, variable: str, program: str, words: str):
    value = program if program.startswith("b12x") else fake(tmp_path, "program", program)
    before = stamps()
    done = run("setup.sh", **{variable: value})
    assert done.returncode != 0
    assert words in done.stderr
    assert done.stderr.count("\n") == 1, "one sentence"
    assert stamps() == before


def test_nvcc_that_is_none():
    done = run("build.sh", "/nowhere/nvcc", "1")
    assert done.returncode != 0
    assert done.stderr == (
        "build: error: B12X_NVCC is '/nowhere/nvcc', which is no executable file; unset it for the pinned nvcc.\n"
    )
