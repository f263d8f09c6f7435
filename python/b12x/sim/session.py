"""One command on the simulator, for one seed or several: starts it, collects what the simulator wrote, sums it up.

In: a command and Settings. Out: a Report, which is also the JSON that `b12x sim run --report json` prints.
The simulator appends a JSON object per finding to one file, and at the end of each process its counters to another.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from b12x.sim import cudart
from b12x.sim.library import Settings, environment
from b12x.sim.tracing import Wanted

FOUND = 3  # exit code of `b12x sim run` when a check found something
_FINDING_FIELDS = ("kind", "file", "line", "block", "warp", "lanes", "buffer", "seed", "text")


@dataclass(frozen=True)
class Report:
    """What a run gave. `kernels`: counters of the first seed's run (docs/counters.md defines them)."""

    command: list[str]
    gpu: str
    seeds: list[int]
    exit_code: int  # the command's own: the first that is not 0
    findings: list[dict]
    kernels: list[dict]

    def verdict(self) -> int:
        """The exit code of `b12x sim run`."""
        return FOUND if self.findings else self.exit_code


def program_of(command: Sequence[str]) -> Path:
    """The file that the command starts. Raises ValueError when there is none, or it cannot run on the simulator."""
    if not command:
        raise ValueError("no command; write it behind `--`, as in `b12x sim run -- ./program arguments`")
    found = shutil.which(command[0])
    if found is None:
        raise ValueError(f"{command[0]!r} is not a program; give a path, or a name that PATH knows")
    program = Path(found)
    if (sentence := cudart.refusal(program)) is not None:
        raise ValueError(sentence)
    return program


def read_lines(path: Path) -> list[dict]:
    """The JSON objects of a file, one a line; [] when nothing was written."""
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def exit_code_of(returncode: int) -> int:
    """As a shell reports it: 128 + the signal for a program that a signal ended."""
    return 128 - returncode if returncode < 0 else returncode


def trace(command: Sequence[str], gpu: str | None, wanted: Wanted) -> tuple[int, list[dict]]:
    """The command's exit code and the instructions it executed. Raises ValueError when the kernel never ran."""
    program_of(command)
    settings = Settings(gpu, check="none", counts=bool(wanted.kernel))
    with tempfile.TemporaryDirectory(prefix="b12x-sim-") as folder:
        traced, counted = Path(folder) / "trace", Path(folder) / "counters"
        files = {"B12X_SIM_TRACE": traced, "B12X_SIM_COUNTERS_FILE": counted}
        result = subprocess.run(list(command), env=environment(settings, 0, files) | wanted.variables(), check=False)
        lines = read_lines(traced)
        names = sorted({kernel["name"] for process in read_lines(counted) for kernel in process["kernels"]})
    if wanted.kernel and wanted.kernel not in names:
        raise ValueError(f"no kernel {wanted.kernel!r} ran; these did: {', '.join(names) or 'none'}")
    return exit_code_of(result.returncode), lines


def run(
    command: Sequence[str], settings: Settings, seeds: Sequence[int], done: Callable[[], None] = lambda: None
) -> Report:
    """Runs the command once per seed; `done` is called after each."""
    program_of(command)
    exit_code, findings, processes = 0, [], []
    for position, seed in enumerate(seeds):
        with tempfile.TemporaryDirectory(prefix="b12x-sim-") as folder:
            found, counted = Path(folder) / "findings", Path(folder) / "counters"
            files = {"B12X_SIM_FINDINGS": found, "B12X_SIM_COUNTERS_FILE": counted}
            result = subprocess.run(list(command), env=environment(settings, seed, files), check=False)
            exit_code = exit_code or exit_code_of(result.returncode)
            findings += [{name: line.get(name) for name in _FINDING_FIELDS} for line in read_lines(found)]
            if position == 0:
                processes = read_lines(counted)
        done()
    gpu = processes[0]["gpu"] if processes else settings.gpu or ""
    kernels = [kernel for process in processes for kernel in process["kernels"]]
    return Report(list(command), gpu, list(seeds), exit_code, findings, kernels)
