"""Record a GPU's MUFU and mma.sync answers and the bits of its driver's tensor maps: at most 9 files of 16 MB.

Input: a machine with nvcc, an NVIDIA driver, Python 3.10+ and NumPy. Output in OUT: `mufu_<n>.rec` containers (see
`pack`), `tensor_maps.bin` and `im2col_maps.bin` (see tensor_map_capture.py, im2col_map_capture.py) and the log
`capture.txt`.

    python3 simulator/numerics/capture/capture.py OUT

Read back with install.py.
"""

from __future__ import annotations

import argparse
import lzma
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MAGIC = b"B12XREC1"
PART_BYTES = 15 << 20
MOST_PARTS = 6
WIDTHS = {".u64": 8, ".u32": 4, ".i32": 4, ".d32": 4, ".u16": 2}


def compress(path: Path) -> tuple[str, bytes]:
    """Return (file name, xz of the file); words are split into byte planes so that small differences compress well."""
    raw = path.read_bytes()
    width = WIDTHS[path.suffix]
    if path.suffix in (".i32", ".d32"):  # zigzag: the sign goes to bit 0, and small numbers leave three planes empty
        words = np.frombuffer(raw, np.int32)
        if path.suffix == ".d32":  # neighbours differ little
            words = np.diff(words, prepend=np.int32(0))
        raw = ((words << 1) ^ (words >> 31)).astype(np.uint32).tobytes()
    planes = np.frombuffer(raw, np.uint8).reshape(-1, width).T
    return path.name, lzma.compress(np.ascontiguousarray(planes).tobytes(), preset=1)


def pack(entries: list[tuple[str, bytes]], out: Path) -> list[Path]:
    """Write (name, bytes) entries into at most MOST_PARTS files of PART_BYTES, first fit; print what found no room."""
    parts: list[list[tuple[str, bytes]]] = [[] for _ in range(MOST_PARTS)]
    room = [PART_BYTES] * MOST_PARTS
    for name, data in sorted(entries, key=lambda entry: len(entry[1])):  # small ones must not be lost
        need = len(data) + len(name) + 6
        fits = [i for i in range(MOST_PARTS) if need <= room[i]]
        if not fits:
            print(f"no room for {name}: {len(data)} bytes")
            continue
        parts[fits[0]].append((name, data))
        room[fits[0]] -= need
    paths = []
    for i, part in enumerate(parts):
        if not part:
            continue
        path = out / f"mufu_{i}.rec"
        with path.open("wb") as file:
            file.write(MAGIC)
            for name, data in part:
                file.write(struct.pack("<HI", len(name), len(data)) + name.encode() + data)
        paths.append(path)
    return paths


def capture_answers(out: Path, arch: str) -> None:
    """Build and run mufu_capture and mma_capture, then compress their files on all cores."""
    with tempfile.TemporaryDirectory() as scratch:
        answers = Path(scratch) / "answers"
        answers.mkdir()
        log = ""
        for name in ("mma_capture", "mufu_capture"):
            program = Path(scratch) / name
            start = time.monotonic()
            subprocess.run(
                [
                    "nvcc",
                    "-std=c++20",
                    "-O2",
                    "-fmad=false",
                    "--expt-relaxed-constexpr",
                    "-gencode",
                    f"arch=compute_{arch},code=sm_{arch}",
                    "-o",
                    str(program),
                    str(HERE / f"{name}.cu"),
                ],
                check=True,
            )
            built = time.monotonic()
            log += subprocess.run([str(program), str(answers)], check=True, stdout=subprocess.PIPE, text=True).stdout
            print(f"{name}: built in {built - start:.1f} s, captured in {time.monotonic() - built:.1f} s", flush=True)
        print(log, end="")
        start = time.monotonic()
        with ProcessPoolExecutor(16) as pool:
            entries = list(pool.map(compress, sorted(answers.iterdir())))
        paths = pack(entries, out)
        print(f"compressed in {time.monotonic() - start:.1f} s:", *(f"{p.name} {p.stat().st_size}" for p in paths))
        (out / "capture.txt").write_text(log + "".join(f"{name} {len(data)}\n" for name, data in sorted(entries)))


def main() -> int:
    """Run all captures; the tensor maps first, since they take a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--arch", default="90a")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for kind in ("tensor", "im2col"):
        script, maps = HERE / f"{kind}_map_capture.py", options.out / f"{kind}_maps.bin"
        subprocess.run([sys.executable, str(script), str(maps)], check=True)
    capture_answers(options.out, options.arch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
