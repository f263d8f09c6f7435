"""Build the probes, run them one after the other on this machine's GPU and write every number into one JSON.

    python3 benchmarks/probes/run.py OUT                   builds, checks the SASS, runs, writes OUT/probes.json
    python3 benchmarks/probes/run.py --build-only          builds and checks the SASS; needs no GPU
    python3 benchmarks/probes/run.py --table A.json ..     prints docs/probes.md from such files: all of the first, the
                                                           summary of the others beside it

Needs Python 3.10+, nvcc 13, nvdisasm and (to run) a Hopper GPU. The JSON has the machine, the clocks before and after,
the seconds of each step, what the SASS check found and `rows`: name, median, low, high, repeats, unit. Exit code 1 if
anything failed; the other probes still ran.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import table

HERE = Path(__file__).resolve().parent
# The slowest to compile first.
PROBES = ("icache", "pipes", "mma", "shared", "pull", "dram", "boxes", "latency", "order", "publish", "merge",
          "cluster", "launch", "host")  # fmt: skip
FLAGS = ("-std=c++20", "-O3", "--default-stream", "per-thread", "-gencode=arch=compute_90a,code=sm_90a",
         "--split-compile", "0")  # fmt: skip
MOST_SECONDS = 30  # of one probe; each takes below 5
SMI_FIELDS = (
    "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.draw,power.limit,temperature.gpu"
)

# Instruction of instructions.h -> how its SASS begins, and how many one step has.
SASS = {
    "HMUL2": (("HMUL2", "HFMA2.MMA"), 1),
    "HFMA2_BF16": (("HFMA2.BF16", "HFMA2.MMA.BF16"), 1),
    "F2FP_UNPACK": (("F2FP.F16.E4M3",), 1),
    "F2FP_E4M3": (("F2FP.SATFINITE.E4M3",), 2),
    "F2FP_F16": (("F2FP.F16.F32",), 1),
    "MUFU_EX2": (("MUFU.EX2",), 1),
    "MUFU_RSQ": (("MUFU.RSQ",), 1),
    "MUFU_RCP": (("MUFU.RCP",), 1),
    "LDS_32": (("LDS",), 1),
    "LDS_128": (("LDS.128",), 1),
    "LDSM_X4": (("LDSM.16.M88.4",), 1),
    "LDSM_X4_T": (("LDSM.16.MT88.4",), 1),
    "STS_128": (("STS.128",), 1),
}


def tool(name: str, nvcc: str) -> str | None:
    """Path of a CUDA tool: beside nvcc, on the PATH, or where the toolkit installs it."""
    for folder in (str(Path(nvcc).parent), None, "/usr/local/cuda/bin"):
        if found := shutil.which(name, path=folder):
            return found
    return None


def build(name: str, nvcc: str, folder: Path) -> tuple[str, str]:
    """Compile and link one probe into `folder`, keeping its cubin; (name, error text, empty if it worked)."""
    keep = folder / f"{name}.keep"
    keep.mkdir()
    library = Path(nvcc).resolve().parent.parent / "lib"  # where the wheels of the toolkit have their cudart
    command = [nvcc, *FLAGS, "-L", str(library), "--keep", "--keep-dir", str(keep), "-o", str(folder / name)]
    done = subprocess.run([*command, str(HERE / f"{name}.cu")], capture_output=True, text=True)
    return name, "" if done.returncode == 0 else done.stdout + done.stderr


def count_sass(text: str) -> dict[str, Counter[str]]:
    """Mangled kernel -> mnemonic -> count, from what nvdisasm prints."""
    kernels: dict[str, Counter[str]] = {}
    current: Counter[str] = Counter()
    for line in text.splitlines():
        if section := re.match(r"\s*\.section\s+\.text\.(\w+)", line):
            current = kernels.setdefault(section[1], Counter())
        elif code := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", line):
            current[code[1]] += 1
    return kernels


def wanted(kernel: str) -> list[tuple[tuple[str, ...], int]]:
    """What a kernel has to hold: (beginnings of mnemonics, count), by its mangled name."""
    body = 256 if kernel.startswith("_Z5chain") else 16
    if match := re.match(r"_Z(?:5chain|6access)I(.*)", kernel):
        names, rest = [], match[1]
        while length := re.match(r"\d+", rest):
            end = length.end() + int(length[0])
            names.append(rest[length.end() : end])
            rest = rest[end:]
        return [
            (SASS.get(name, ((name,), 1))[0], SASS.get(name, ((name,), 1))[1] * body // len(names)) for name in names
        ]
    if match := re.match(r"_Z8straightILi(\d+)E", kernel):
        return [(("FFMA",), 64 * int(match[1]))]
    if kernel.startswith("_Z8multiply"):
        return [(("HMMA.16816.F32",), 64)]
    if match := re.match(r"_Z10read_loadsILi(\d+)E", kernel):
        return [(("LDG.E.NA.LTC256B.128",), 2 * int(match[1]) - 1)]
    return []


def check_sass(folder: Path, disassembler: str) -> dict[str, Any]:
    """Count the timed instructions of every kernel: a few more than wanted belong to its frame, fewer were merged."""
    checked, wrong = 0, []
    for cubin in sorted(folder.glob("*.keep/*.cubin")):
        text = subprocess.run([disassembler, "-c", str(cubin)], capture_output=True, text=True).stdout
        for kernel, counts in count_sass(text).items():
            for beginnings, want in wanted(kernel):
                have = sum(n for mnemonic, n in counts.items() if mnemonic.startswith(beginnings))
                checked += 1
                if not want <= have <= want + 24:
                    wrong.append(f"{kernel}: {have} of {'/'.join(beginnings)}, want {want}")
    return {"checked": checked, "wrong": wrong}


def smi() -> dict[str, str]:
    """What nvidia-smi says of the first GPU now."""
    done = subprocess.run(["nvidia-smi", f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader", "-i", "0"],
                          capture_output=True, text=True)  # fmt: skip
    return dict(zip(SMI_FIELDS.split(","), [field.strip() for field in done.stdout.strip().split(",")], strict=False))


def run_probe(path: Path) -> tuple[list[dict[str, Any]], str, float]:
    """(rows, error text, seconds) of one probe; rows printed before an error are kept."""
    begin = time.monotonic()
    try:
        done = subprocess.run([str(path)], capture_output=True, text=True, timeout=MOST_SECONDS)
        said = done.stderr.strip().replace(f"{HERE.parents[1]}/", "")
        output, error = done.stdout, f"exit code {done.returncode}: {said}" if done.returncode else ""
    except subprocess.TimeoutExpired as expired:
        output, error = (expired.stdout or b"").decode(), f"longer than {MOST_SECONDS} s"
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    return rows, error, time.monotonic() - begin


def measure(arguments: argparse.Namespace) -> int:
    """Build, check and (unless --build-only) run; returns the exit code."""
    nvcc = arguments.nvcc or tool("nvcc", "nvcc")
    if nvcc is None:
        sys.exit("no nvcc on the PATH or in /usr/local/cuda/bin; name one by --nvcc")
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": "python3 benchmarks/probes/run.py OUT",
        "nvcc": subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout.strip().splitlines()[-1],
        "flags": " ".join(FLAGS),
        "seconds": {},
        "errors": {},
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begin = time.monotonic()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            built = dict(pool.map(lambda name: build(name, nvcc, folder), PROBES))
        result["seconds"]["build"] = time.monotonic() - begin
        result["errors"] = {name: error for name, error in built.items() if error}
        if not arguments.build_only:
            result["smi_before"] = smi()
            for name in PROBES:
                if not built[name]:
                    rows, error, result["seconds"][name] = run_probe(folder / name)
                    result["rows"] += rows
                    if error:
                        result["errors"][name] = error
            result["smi_after"] = smi()
        disassembler = tool("nvdisasm", nvcc)
        result["sass"] = check_sass(folder, disassembler) if disassembler else {"checked": 0, "wrong": ["no nvdisasm"]}
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "probes.json").write_text(json.dumps(result, indent=1) + "\n")
    if result["rows"]:
        print(table.text(result))
    print("seconds:", {name: round(value, 1) for name, value in result["seconds"].items()})
    print(
        f"SASS: {result['sass']['checked']} counts checked,",
        *(result["sass"]["wrong"] or ["all as wanted"]),
        sep="\n  ",
    )
    for name, error in result["errors"].items():
        print(f"FAILED {name}: {error}")
    return 1 if result["errors"] or result["sass"]["wrong"] else 0


def main() -> int:
    """Command line; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, help="folder for probes.json")
    parser.add_argument("--build-only", action="store_true", help="compile and check the SASS")
    parser.add_argument("--nvcc", help="path of nvcc")
    parser.add_argument("--table", type=Path, nargs="+", metavar="JSON", help="print docs/probes.md from records")
    arguments = parser.parse_args()
    if arguments.table:
        print(table.markdown([json.loads(path.read_text()) for path in arguments.table]), end="")
        return 0
    if arguments.out is None and not arguments.build_only:
        parser.error("name a folder for probes.json, or --build-only, or --table")
    return measure(arguments)


if __name__ == "__main__":
    sys.exit(main())
