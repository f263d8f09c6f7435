"""Unpack the records that capture.py made, and install what the tests replay.

    python3 simulator/numerics/capture/install.py RECORDS FOLDER [--tests simulator/tests/numerics/data]

RECORDS holds mufu_<n>.rec; FOLDER receives the raw files that mufu_capture and mma_capture wrote (names and formats:
the comments at the top of those programs; fit_mufu.py reads them). The tests' folder receives mufu_h200.u64 (4096
sums of each form of MUFU_FORMS), half_h200.u64 (16 sums of 4096 answers of each of HALF_FORMS) and mma_h200.u64
(7 x 256 sums of each of MMA_FORMS); a sum is that of `mix` in mufu_inputs.hpp.
"""

from __future__ import annotations

import argparse
import lzma
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MAGIC = b"B12XREC1"
MUFU_FORMS = (
    "rcp_ftz",
    "rcp",
    "rsqrt_ftz",
    "rsqrt",
    "sqrt_ftz",
    "sqrt",
    "ex2_ftz",
    "ex2",
    "lg2_ftz",
    "lg2",
    "sin_ftz",
    "sin",
    "cos_ftz",
    "cos",
    "tanh",
)
HALF_FORMS = ("ex2_f16", "ex2_bf16", "tanh_f16", "tanh_bf16")
MMA_FORMS = (
    "f16_k16",
    "bf16_k16",
    "f16_k16_half",
    "f16_k8",
    "bf16_k8",
    "f16_k8_half",
    "tf32_k8",
    "tf32_k4",
    "s8_k32",
    "e4m3_k32",
    "e5m2_k32",
)
TYPES = {".u64": np.uint64, ".u32": np.uint32, ".i32": np.uint32, ".d32": np.uint32, ".u16": np.uint16}


def restore(name: str, data: bytes) -> np.ndarray:
    """Undo capture.compress: one flat array of the file's words."""
    kind = TYPES[Path(name).suffix]
    planes = np.frombuffer(lzma.decompress(data), np.uint8).reshape(np.dtype(kind).itemsize, -1)
    words = np.ascontiguousarray(planes.T).reshape(-1).view(kind)
    if Path(name).suffix in (".i32", ".d32"):
        words = ((words >> 1) ^ (0 - (words & 1)).astype(np.uint32)).view(np.int32)
    if Path(name).suffix == ".d32":
        words = np.cumsum(words.astype(np.int64)).astype(np.uint32)
    return words


def records(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, words) of every entry in every container of a folder."""
    for path in sorted(folder.glob("mufu_*.rec")):
        blob = path.read_bytes()
        if blob[:8] != MAGIC:
            raise ValueError(f"{path.name}: starts with {blob[:8]!r}, want {MAGIC!r}")
        at = 8
        while at < len(blob):
            name_bytes, data_bytes = struct.unpack_from("<HI", blob, at)
            at += 6
            name = blob[at : at + name_bytes].decode()
            at += name_bytes
            yield name, restore(name, blob[at : at + data_bytes])
            at += data_bytes


def half_sums(answers: np.ndarray) -> np.ndarray:
    """16 sums of mix(input, answer) over 4096 inputs each (mufu_inputs.hpp), for 65536 answers."""
    with np.errstate(over="ignore"):
        z = (np.arange(65536, dtype=np.uint64) << np.uint64(32) | answers) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return (z ^ z >> np.uint64(31)).reshape(16, 4096).sum(1, dtype=np.uint64)


def main() -> int:
    """Unpack everything; install the tests' part when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tests", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, words in records(options.records):
        (options.folder / name).write_bytes(words.tobytes())
        print(f"{name}: {words.size} words")
    if options.tests is not None:
        options.tests.mkdir(parents=True, exist_ok=True)
        for target, prefix, forms in (("mufu_h200.u64", "hash_", MUFU_FORMS), ("mma_h200.u64", "mma_hash_", MMA_FORMS)):
            parts = [(options.folder / f"{prefix}{form}.u64").read_bytes() for form in forms]
            (options.tests / target).write_bytes(b"".join(parts))
        halves = [half_sums(np.fromfile(options.folder / f"half_{form}.u16", np.uint16)) for form in HALF_FORMS]
        (options.tests / "half_h200.u64").write_bytes(np.concatenate(halves).tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
