"""Seed inputs for the fuzz targets: python3 simulator/fuzz/corpus.py FOLDER.

PTX: the files of simulator/tests/ptx and every PTX text inside the C++ tests. Fatbins: small whole ones, and what fits
of those that a build made, packed ones among them. Tensor maps: recorded ones of simulator/tests/data, and arguments of
recorded calls. Files are named by their content, so a second call adds nothing.
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "simulator/numerics/capture"))

from im2col_map_capture import Call, all_calls  # noqa: E402

MOST = 20_000  # bytes of one input


def fatbin(*entries: tuple[int, int, bytes]) -> bytes:
    """A whole image; an entry is its kind (1 PTX, 2 machine code), its flags and its payload."""
    body = b""
    for kind, flags, payload in entries:
        payload += b"\0" * (-len(payload) % 8)
        head = (kind, 0x101, 64, len(payload), 0, 0, 5, 9, 120, 0, 0, flags, 0, 0)
        body += struct.pack("<HHIQIIHHIIIQQQ", *head) + payload
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def small_fatbins() -> list[bytes]:
    """For several cards, with and without PTX that they run, compressed, and damaged behind the header."""
    cards = ("sm_120f", "sm_90a", "sm_75")
    text = {card: f".version 8.8\n.target {card}\n.address_size 64\n".encode() for card in cards}
    whole = [
        fatbin((1, 0x40, text["sm_120f"]), (2, 0x40, b"\x7fELF" + bytes(60))),
        fatbin((1, 0, text["sm_120f"]), (1, 0, text["sm_90a"]), (1, 0, text["sm_75"])),
        fatbin((2, 0, b"\x7fELF" + bytes(60))),
        fatbin((1, 0x2000, text["sm_90a"])),
        fatbin((1, 0, b"no target")),
        fatbin(),
        *text.values(),
        b".target sm_90\n.version",  # ends where its number should be: once read past the end
    ]
    return whole + [image[: len(image) - 24] for image in whole[:2]]


def arguments(call: Call) -> bytes:
    """A call as numerics/tensor_map.hpp's TensorMapArguments."""

    def five(values: tuple[int, ...], count: int = 5) -> tuple[int, ...]:
        return (*values, *([1] * count))[:count]

    numbers = [0 if call.box else 1, call.kind, call.rank, 0, call.address, *five(call.dims), *five(call.strides, 4)]
    numbers += [*five(call.box), *five(call.steps), call.interleave, call.swizzle, call.promotion, call.fill]
    numbers += [*five(call.lower, 3), *five(call.upper, 3), call.channels, call.pixels]
    return struct.pack("<4I10Q14I6i2I", *numbers)


def main() -> int:
    """Write the three folders."""
    folder = Path(sys.argv[1])
    texts = [path.read_bytes() for path in (ROOT / "simulator/tests/ptx").glob("*.ptx")]
    for path in (ROOT / "simulator/tests").rglob("*.[ch]pp"):
        for body in re.findall(r'R"[^(]*\((.*?)\)[^"]*"', path.read_text(), re.DOTALL):
            head = b"" if ".version" in body else b".version 8.8\n.target sm_120a\n.address_size 64\n"
            texts.append(head + body.encode())
    images = small_fatbins() + [path.read_bytes()[:MOST] for path in ROOT.glob("build*/**/*.fatbin")]
    maps = (ROOT / "simulator/tests/data/tensor_maps.bin").read_bytes()
    pieces = [maps[at + 152 : at + 280] for at in range(0, min(len(maps) - 280, 264 * 200), 264)]
    pieces += [arguments(call) for call in all_calls()[::8]]
    for name, inputs in (("ptx", texts), ("fatbin", images), ("tensor_map", pieces)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for data in inputs:
            if len(data) <= MOST:
                (folder / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
