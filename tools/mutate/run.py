"""Runs mutants of the built kernels under all checks of the simulator and says which were reported.

  run.py --sample      each operator once a kernel family, and the unaltered kernels over 5 seeds (in `make test`)
  run.py --all         every mutant over up to 20 seeds, the unaltered kernels over 100 (label long)
  run.py --list        names of the mutants
Options: --entry REGEX, --operator REGEX narrow the choice; --table FILE writes the result as a Markdown section.
--peer FOLDER takes small launches of b12x 0.7.2's kernels instead, extracted as tools/peer/README.md says and repaired
where they are reported unaltered.

Exit code 1: a survivor that survivors.py does not explain, fewer than 95 % of the mutants that are no equivalents
reported, or a report on an unaltered kernel.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/lint"), str(ROOT / "tools/mutate"), str(ROOT / "tools/peer")]

from case import read_case  # noqa: E402
from fatbin import read_fatbin  # noqa: E402
from mutants import Mutant, mutants  # noqa: E402
from repairs import repaired  # noqa: E402
from survivors import rule_for  # noqa: E402
from table import write_table  # noqa: E402

SEEDS = 20
PASS_MARK = 0.95
EQUIVALENT_SEEDS = 3  # of mutants that a rule calls equivalents: they are not counted
SECONDS_A_SEED = 15  # that a launch may take; a mutant that does not end counts as a survivor
PROGRESS = Console(stderr=True)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: the seed and the finding that reported it, or neither."""

    mutant: Mutant
    seed: int | None
    finding: dict[str, object]
    note: str = ""


class Launcher:
    """Launches kernel entries under all checks."""

    def __init__(self, build: Path) -> None:
        self.program = build / "tests/mutation/launch_checked"
        self.simulator = build / "simulator/libcuda.so.1"

    def command(self, entry: str, first_seed: int, seeds: int, ptx: Path | None) -> list[str]:
        command = [str(self.program), str(self.simulator), entry, str(first_seed), str(seeds)]
        return command + ([str(ptx)] if ptx else [])

    def run(self, entry: str, first_seed: int, seeds: int, ptx: Path | None) -> tuple[int, str, str]:
        try:
            done = subprocess.run(
                self.command(entry, first_seed, seeds, ptx),
                capture_output=True,
                text=True,
                timeout=SECONDS_A_SEED * seeds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 0, "", f"did not end in {SECONDS_A_SEED * seeds} s"
        return done.returncode, done.stdout, done.stderr.strip()


# Small launches of the peer's kernels, with options of tools/peer/run.py. Fewer blocks than tiles: each takes several.
PEER_CASES = {"dense_m2_n256_k384": ("--grid", "1"), "moe_m2_small": ("--grid", "2")}


class PeerLauncher(Launcher):
    """Launches recorded cases of the package that this one replaces."""

    def __init__(self, build: Path, folder: Path) -> None:
        super().__init__(build)
        self.folder = folder

    def command(self, entry: str, first_seed: int, seeds: int, ptx: Path | None) -> list[str]:
        command = [sys.executable, str(ROOT / "tools/peer/run.py"), str(self.folder), entry, *PEER_CASES[entry]]
        command += ["--library", str(self.simulator), "--seed", str(first_seed), "--seeds", str(seeds)]
        command += ["--first", "--no-verdict"]
        return command + (["--ptx", str(ptx)] if ptx else ["--repair"])


def built_kernels(build: Path) -> dict[str, str]:
    """Entry -> PTX text of every kernel instance that the build embeds, for SM120."""
    kernels = {}
    for path in sorted((build / "kernels").glob("*/instances/*.fatbin")):
        for image in read_fatbin(path):
            if image.kind == "ptx" and image.sm == 120:
                kernels.update(dict.fromkeys(image.entries(), image.ptx))
    return kernels


def test_mutant(launcher: Launcher, mutant: Mutant, folder: Path) -> Outcome:
    rule = rule_for(mutant)
    seeds = EQUIVALENT_SEEDS if rule is not None and rule.verdict == "equivalent" else SEEDS
    with tempfile.NamedTemporaryFile("w", suffix=".ptx", dir=folder) as file:
        file.write(mutant.text)
        file.flush()
        code, out, err = launcher.run(mutant.entry, 1, seeds, Path(file.name))
    if code == 3:
        seed, finding = out.split(" ", 1)
        return Outcome(mutant, int(seed), json.loads(finding))
    if code not in (0, 3):
        # Refused when it was loaded, or a call failed without a finding: no checker has reported it.
        return Outcome(mutant, None, {}, err.splitlines()[-1] if err else f"exit code {code}")
    return Outcome(mutant, None, {}, err.splitlines()[-1] if err else "")


def sample(chosen: list[Mutant]) -> list[Mutant]:
    """Each operator and opcode once a kernel family (entries that differ in their dtype alone), no equivalents."""
    seen = set()
    result = []
    for mutant in chosen:
        key = (mutant.entry.rsplit("_", 1)[0], mutant.operator, mutant.instruction.split(" ")[0])
        rule = rule_for(mutant)
        if key not in seen and (rule is None or rule.verdict != "equivalent"):
            seen.add(key)
            result.append(mutant)
    return result


def false_positives(launcher: Launcher, entries: list[str], seeds: int, jobs: int) -> list[str]:
    """A line per unaltered kernel that was reported or could not be launched."""
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(
            track(
                pool.map(lambda entry: launcher.run(entry, 1, seeds, None), entries),
                "unaltered kernels",
                len(entries),
                console=PROGRESS,
            )
        )
    lines = []
    for entry, (code, out, err) in zip(entries, runs, strict=True):
        if code != 0 or err.startswith("did not end"):
            lines.append(f"{entry}: {out.strip() or err}")
    return lines


def judge(outcomes: list[Outcome]) -> tuple[int, int, list[str]]:
    """Reported, non-equivalent, and a line per survivor that nobody explains."""
    killed = sum(o.seed is not None for o in outcomes)
    survivors = [(o, rule_for(o.mutant)) for o in outcomes if o.seed is None]
    equivalent = sum(rule is not None and rule.verdict == "equivalent" for _, rule in survivors)
    unexplained = [
        f"{o.mutant.name}  {o.mutant.instruction}  {o.mutant.place}  {o.note}" for o, rule in survivors if rule is None
    ]
    return killed, len(outcomes) - equivalent, unexplained


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    for name in ("sample", "all", "list"):
        mode.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--entry", default="")
    parser.add_argument("--operator", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--peer", type=Path, metavar="FOLDER")
    args = parser.parse_args()

    if args.peer:
        everything = {name: repaired(read_case(args.peer, name).ptx).decode() for name in PEER_CASES}
    else:
        everything = built_kernels(args.build)
    kernels = {entry: ptx for entry, ptx in everything.items() if re.search(args.entry, entry)}
    chosen = [m for entry, ptx in kernels.items() for m in mutants(entry, ptx) if re.search(args.operator, m.operator)]
    if args.sample:
        chosen = sample(chosen)
    if args.list:
        print("\n".join(f"{m.name}  {m.instruction}" for m in chosen))
        print(f"{len(chosen)} mutants of {len(kernels)} kernels")
        return 0

    start = time.monotonic()
    launcher = PeerLauncher(args.build, args.peer) if args.peer else Launcher(args.build)
    seeds = 5 if args.sample else 100
    accused = false_positives(launcher, sorted(kernels), seeds, args.jobs)
    print(f"{len(kernels)} unaltered kernels over {seeds} seeds: {len(accused)} reported", *accused, sep="\n  ")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.jobs) as pool:
        tested = pool.map(lambda m: test_mutant(launcher, m, Path(folder)), chosen)
        outcomes = list(track(tested, "mutants", len(chosen), console=PROGRESS))
    killed, counted, unexplained = judge(outcomes)
    print(f"{killed} of {counted} mutants reported, {len(outcomes) - counted} more are equivalents")
    print(f"{len(unexplained)} survivors that nobody explains", *unexplained, sep="\n  ")
    print(f"{time.monotonic() - start:.0f} s")
    if args.table:
        unaltered = {"kernels": len(kernels), "seeds": seeds, "accused": accused}
        write_table(args.table, ROOT, outcomes, unaltered, "peer mutation" if args.peer else "mutation")
    return 1 if accused or unexplained or killed < PASS_MARK * counted else 0


if __name__ == "__main__":
    sys.exit(main())
