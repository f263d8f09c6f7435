"""Seed inputs for the fuzz targets: python3 simulator/fuzz/corpus.py FOLDER.

PTX: the files of simulator/tests/ptx and every PTX text inside the C++ tests. Fatbins: those that a build made. Tensor
maps: the recorded ones of simulator/tests/data. Files are named by their content, so a second call adds nothing.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 20_000  # bytes of one input


def main() -> int:
    """Write the three folders."""
    folder = Path(sys.argv[1])
    texts = [path.read_bytes() for path in (ROOT / "simulator/tests/ptx").glob("*.ptx")]
    for path in (ROOT / "simulator/tests").rglob("*.[ch]pp"):
        for body in re.findall(r'R"[^(]*\((.*?)\)[^"]*"', path.read_text(), re.DOTALL):
            head = b"" if ".version" in body else b".version 8.8\n.target sm_120a\n.address_size 64\n"
            texts.append(head + body.encode())
    images = [path.read_bytes()[:MOST] for path in ROOT.glob("build*/kernels/**/*.fatbin")]
    maps = (ROOT / "simulator/tests/data/tensor_maps.bin").read_bytes()
    pieces = [maps[at : at + 264] for at in range(0, min(len(maps), 264 * 400), 264)]
    for name, inputs in (("ptx", texts), ("fatbin", images), ("tensor_map", pieces)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for data in inputs:
            if len(data) <= MOST:
                (folder / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
