"""Runs the planted bugs under compute-sanitizer on a Hopper GPU and writes what it says of each.

    python3 sanitize.py run build/simulator/tests/bugs --out sanitizer.json       on a machine with the GPU
    python3 sanitize.py table sanitizer.json docs/checker-proof.md                anywhere

`run` takes the folder with run_on_gpu and kernels/*.fatbin and writes a JSON object with the GPU, the sanitizer and one
row a scenario: the tool, and for bug and fix the number of errors it counted and its first lines. A scenario that names
no tool runs under racecheck and memcheck, to record that nothing is seen; one that hangs a GPU is not run. Exit code 1:
a scenario was not reported as scenarios.cpp expects.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

TOOLS = {"": ("racecheck", "memcheck"), "initcheck": ("initcheck",), "synccheck": ("synccheck",)}
SECONDS = 120


def run(command: list[str]) -> tuple[int, str]:
    """Exit code and output; code -1 where it did not end in time."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, f"did not end in {SECONDS} s"
    return done.returncode, done.stdout


def sanitize(sanitizer: str, tool: str, folder: Path, name: str, twin: str) -> dict[str, object]:
    command = [sanitizer, "--tool", tool]
    if tool == "racecheck":
        command += ["--racecheck-report", "all"]
    code, text = run([*command, str(folder / "run_on_gpu"), str(folder / "kernels"), name, twin])
    summary = re.search(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)", text)
    lines = [line.removeprefix("=========").strip() for line in text.splitlines() if line.startswith("=========")]
    return {"tool": tool, "code": code, "errors": int(summary[1]) if summary else None, "text": lines[1:6]}


def run_all(args: argparse.Namespace) -> int:
    code, listing = run([str(args.folder / "run_on_gpu"), "list"])
    if code != 0:
        sys.exit(f"{args.folder / 'run_on_gpu'} list: {listing}")
    rows, wrong = [], []
    for line in listing.splitlines():
        name, tool, gpu, kinds, what = line.split("\t")
        row: dict[str, object] = {"name": name, "what": what, "simulator": kinds, "expected": tool}
        rows.append(row)
        if gpu == "hangs":
            row["note"] = "hangs a GPU: not run"
            continue
        for twin in ("bug", "fix"):
            results = [sanitize(args.sanitizer, t, args.folder, name, twin) for t in TOOLS.get(tool, (tool,))]
            row[twin] = results
            seen = any(r["errors"] for r in results)
            if seen != (tool != "" if twin == "bug" else gpu == "accuses"):
                wrong.append(f"{name} {twin}: {'reported' if seen else 'not seen'}")
            print(name, twin, [r["errors"] for r in results], flush=True)
    _, gpus = run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    _, version = run([args.sanitizer, "--version"])
    record = {
        "gpu": gpus.strip(),
        "sanitizer": version.strip().splitlines()[-1],
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "rows": rows,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{len(rows)} scenarios, {len(wrong)} not as expected", *wrong, sep="\n  ")
    return 1 if wrong else 0


BEGIN, END = "<!-- sanitizer: made by simulator/tests/bugs/sanitize.py -->", "<!-- end of sanitizer -->"


def counts(results: list[dict]) -> str:
    return ", ".join(f"{r['tool']} {'-' if r['errors'] is None else r['errors']}" for r in results)


def table(args: argparse.Namespace) -> int:
    """Replaces the page's section; the page has both marks."""
    record = json.loads(args.record.read_text())
    ran = [row for row in record["rows"] if "bug" in row]
    reported = sum(any(r["errors"] for r in row["bug"]) for row in ran)
    lines = [
        BEGIN,
        f"{record['gpu']}, compute-sanitizer {record['sanitizer']}, {record['date']}: it reports {reported} of the "
        f"{len(ran)} bugs that ran there. Not run, because they hang a GPU: "
        + ", ".join(row["name"] for row in record["rows"] if "bug" not in row)
        + ".",
        "",
        "| bug | the simulator's checker | compute-sanitizer, bug: tool and errors | the same, fix |",
        "|---|---|---|---|",
        *(f"| {row['name']} | {row['simulator']} | {counts(row['bug'])} | {counts(row['fix'])} |" for row in ran),
        END,
    ]
    before, _, rest = args.page.read_text().partition(BEGIN)
    args.page.write_text(before + "\n".join(lines) + rest.partition(END)[2])
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True)
    one = actions.add_parser("run", help="on a machine with the GPU")
    one.add_argument("folder", type=Path)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--sanitizer", default="compute-sanitizer")
    one.set_defaults(action=run_all)
    two = actions.add_parser("table", help="a record as a section of a page")
    two.add_argument("record", type=Path)
    two.add_argument("page", type=Path)
    two.set_defaults(action=table)
    args = parser.parse_args()
    return args.action(args)


if __name__ == "__main__":
    sys.exit(main())
