"""Runs recorded launches of b12x 0.7.2's kernels on the simulator: what checks found, whether results are right.

    python tools/peer/run.py FOLDER --load              loads every module of the folder
    python tools/peer/run.py FOLDER CASE ..             random data, all checks, hostile copies
    python tools/peer/run.py FOLDER CASE --seeds 100    .. over seeds 1 to 100
    python tools/peer/run.py FOLDER CASE --check none --counters FILE

FOLDER holds `<case>.ptx` and `<case>.json` (README.md). Cases of the dense GEMM and of the MoE for up to 2 tokens run;
all load. --ptx runs an edited text instead of the case's own. Exit code: 3 where something was found, 1 where a result
is wrong, a call failed or a module does not load, else 0.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dense
import moe
from case import Case, folder_of, names, read_case
from device import Simulator, SimulatorError
from problem import Problem, Verdict, arguments, size_of
from repairs import NAMES, repaired

ROOT = Path(__file__).resolve().parents[2]
FOUND, FAILED = 3, 1
_KINDS = {"dense": dense.make, "moe": moe.make}
# What differs between two runs of one defect: blocks, warps, lanes, addresses, counts and the seed.
_CHANGING = re.compile(r"0x[0-9a-f]+|\b\d+\b")


@dataclass(frozen=True)
class Outcome:
    """Of one launch. `verdict` is None where the launch failed; `failure` says how."""

    findings: list[dict]
    verdict: Verdict | None
    failure: str = ""


def problem_of(case: Case, seed: int) -> Problem:
    """Raises ValueError for a kind that has no model here."""
    kind = case.problem["kind"]
    if kind not in _KINDS:
        raise ValueError(f"{case.name}: no model of kind {kind!r}; there is one of {', '.join(_KINDS)}")
    return _KINDS[kind](case, seed)


def launch(simulator: Simulator, case: Case, problem: Problem, verifies: bool = True) -> Outcome:
    """One launch on memory of its own."""
    simulator.clear()
    addresses = {name: simulator.allocate(size_of(buffer)) for name, buffer in problem.buffers.items()}
    failure = ""
    try:
        for name, buffer in problem.buffers.items():
            if not isinstance(buffer, int):
                simulator.upload(addresses[name], buffer)
        function = simulator.load(case.ptx, case.launch.entry, case.launch.dynamic_shared)
        simulator.launch(function, case.launch, arguments(case, problem, addresses))
    except SimulatorError as error:
        failure = str(error)
    findings = simulator.findings()
    if failure or findings or not verifies:
        return Outcome(findings, None, failure)
    result = simulator.download(addresses[problem.result], size_of(problem.buffers[problem.result]))
    for address in addresses.values():
        simulator.free(address)
    return Outcome(findings, problem.verdict(result))


def kind_of(finding: dict) -> str:
    """What a finding is about: the same for every run in which the same two instructions meet in the same way."""
    lines = re.findall(r":(\d+)", finding["text"])
    return f"{finding['kind']} {' '.join(lines)} {_CHANGING.sub('N', finding['text'])}"


def load_all(options: argparse.Namespace) -> int:
    simulator = Simulator(options.library, options.gpu)
    failed = 0
    for name in names(options.folder):
        case = read_case(options.folder, name)
        if refusal := simulator.refusal(case.ptx, case.launch.entry):
            failed += 1
            print(f"{name}: {refusal}")
    print(f"{len(names(options.folder)) - failed} of {len(names(options.folder))} modules load on {options.gpu}")
    return FAILED if failed else 0


def outcomes(options: argparse.Namespace, simulator: Simulator, case: Case) -> Iterator[tuple[int, Outcome]]:
    problem = problem_of(case, options.data_seed)
    for seed in range(options.seed, options.seed + options.seeds):
        simulator.options(options.check, options.asynchronous, seed)
        yield seed, launch(simulator, case, problem, not options.no_verdict)


def edited(options: argparse.Namespace, case: Case) -> Case:
    """The case with the text and grid of the command line."""
    if options.ptx:
        case = replace(case, ptx=options.ptx.read_bytes())
    if options.repair is not None:
        case = replace(case, ptx=repaired(case.ptx, frozenset(NAMES) - frozenset(options.repair.split(","))))
    if options.grid:
        case = replace(case, launch=replace(case.launch, grid=(1, 1, options.grid)))
    return case


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--load", action="store_true", help="load every module and run none")
    parser.add_argument("--library", type=Path, default=ROOT / "build/simulator/libcuda.so.1")
    parser.add_argument("--gpu", default="rtx-pro-6000")
    parser.add_argument("--check", default="all", help="as in `b12x sim run`")
    parser.add_argument("--async", dest="asynchronous", default="hostile", choices=("eager", "lazy", "hostile"))
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; 0 lets warps take turns")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--data-seed", type=int, default=1, help="of the random data")
    parser.add_argument("--grid", type=int, help="blocks, of a kernel that divides its work among any number of them")
    parser.add_argument("--ptx", type=Path, help="text to run instead of the case's own")
    parser.add_argument(
        "--repair",
        nargs="?",
        const=",".join(NAMES),
        metavar="NAMES",
        help="run the text with repairs.py's repairs, all or some with commas between them",
    )
    parser.add_argument("--no-verdict", action="store_true", help="do not look at results")
    parser.add_argument("--known", type=Path, help="findings of this file (--out of an earlier run) are expected")
    parser.add_argument("--first", action="store_true", help="stop at the first finding; print its seed and JSON")
    parser.add_argument("--out", type=Path, help="write findings, a JSON object a line")
    parser.add_argument("--counters", type=Path, help="write the counters of the last launch as JSON")
    options = parser.parse_args()
    if not folder_of(options.folder).is_dir():
        parser.error(f"{options.folder} is not a folder")
    if options.load:
        return load_all(options)
    known = set()
    if options.known:
        known = {kind_of(json.loads(line)) for line in options.known.read_text().splitlines()}
    simulator = Simulator(options.library, options.gpu, counts=options.counters is not None)
    found: dict[str, dict] = {}
    failed = False
    for name in options.cases:
        case = edited(options, read_case(options.folder, name))
        for seed, outcome in outcomes(options, simulator, case):
            new = {kind: f for f in outcome.findings if (kind := kind_of(f)) not in known and kind not in found}
            found |= new
            if options.first and new:
                print(seed, json.dumps(next(iter(new.values()))))
                return FOUND
            verdict = outcome.verdict
            failed |= bool(outcome.failure) or (verdict is not None and not verdict.is_right)
            words = outcome.failure.split("\n")[0] or (verdict.text if verdict else "")
            if not options.first:
                print(f"{name}, seed {seed}: {len(outcome.findings)} findings, {len(new)} new; {words}", flush=True)
            if outcome.failure and options.first:
                print(outcome.failure, file=sys.stderr)
                return FAILED
    if options.out:
        options.out.write_text("".join(json.dumps(finding) + "\n" for finding in found.values()))
    if options.counters:
        options.counters.write_text(json.dumps(simulator.counters()))
    return FOUND if found else FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
