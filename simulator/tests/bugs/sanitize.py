"""Runs the planted bugs under compute-sanitizer on a Hopper GPU and writes what it says of each.

In: the folder with run_on_gpu and kernels/*.fatbin. Out: a JSON object with the GPU, the sanitizer and one row a
scenario: the tool, and for bug and fix the number of errors it counted and its first lines. A scenario that names no
tool runs under racecheck and memcheck, to record that nothing is seen; one that hangs a GPU is not run.
Exit code 1: a bug that its tool should see is not reported, or a fix is.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sanitizer", default="compute-sanitizer")
    args = parser.parse_args()

    code, listing = run([str(args.folder / "run_on_gpu"), "list"])
    if code != 0:
        sys.exit(f"{args.folder / 'run_on_gpu'} list: {listing}")
    rows, wrong = [], []
    for line in listing.splitlines():
        name, tool, ends, kinds, what = line.split("\t")
        row: dict[str, object] = {"name": name, "what": what, "simulator": kinds, "expected": tool}
        rows.append(row)
        if ends == "hangs":
            row["note"] = "hangs a GPU: not run"
            continue
        for twin in ("bug", "fix"):
            row[twin] = results = [
                sanitize(args.sanitizer, t, args.folder, name, twin) for t in TOOLS.get(tool, (tool,))
            ]
            seen = any(r["errors"] for r in results)
            if (twin == "fix" and seen) or (twin == "bug" and tool and not seen):
                wrong.append(f"{name} {twin}: {'reported' if seen else 'not seen'}")
        print(name, *(f"{twin}: {[r['errors'] for r in row[twin]]}" for twin in ("bug", "fix")), flush=True)  # type: ignore[attr-defined]
    _, gpu = run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    _, version = run([args.sanitizer, "--version"])
    args.out.write_text(
        json.dumps({"gpu": gpu.strip(), "sanitizer": version.strip().splitlines()[-1], "rows": rows}, indent=1)
    )
    print(f"{len(rows)} scenarios, {len(wrong)} disagreements", *wrong, sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
