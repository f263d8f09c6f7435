"""Unpack the records that capture.py made: container files in, raw arrays out.

    python3 simulator/numerics/capture/install.py RECORDS FOLDER

RECORDS holds mufu_<n>.rec (and tensor_maps.bin); FOLDER receives the raw files that mufu_capture and mma_capture
wrote (names and formats: the comments at the top of those programs).
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


def main() -> int:
    """Unpack everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, words in records(options.records):
        (options.folder / name).write_bytes(words.tobytes())
        print(f"{name}: {words.size} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
