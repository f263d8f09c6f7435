"""Whether a program needs NVIDIA's CUDA runtime: it asks for libcudart.so in its ELF dynamic section.

In: a file. Out: yes or no, and the sentence for those who need to change something. A runtime that is linked statically
shows no such entry; the simulator prints its own sentence when such a program asks for the runtime's tables.
"""

from __future__ import annotations

import struct
from pathlib import Path

REFUSAL = (
    "{program} is linked against NVIDIA's CUDA runtime ({library}), which checks that it talks to NVIDIA's own driver; "
    "the simulator leaves that check alone, so use the Driver API (cuLaunchKernel ..) and link without cudart "
    "(nvcc -cudart none)"
)

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ = 0, 1, 5, 10


def needed_libraries(image: bytes) -> list[str]:
    """Names in DT_NEEDED entries of a 64-bit little-endian ELF file; [] for anything else."""
    if len(image) < 64 or image[:6] != b"\x7fELF\x02\x01":
        return []
    try:
        return _needed(image)
    except (struct.error, ValueError, StopIteration):
        return []  # damaged: the loader will say so better


def _needed(image: bytes) -> list[str]:
    (table,) = struct.unpack_from("<Q", image, 32)
    entry_bytes, entries = struct.unpack_from("<HH", image, 54)
    loads, dynamic = [], None
    for n in range(entries):
        kind, _flags, offset, address, _physical, bytes_in_file = struct.unpack_from(
            "<IIQQQQ", image, table + n * entry_bytes
        )
        if kind == _PT_LOAD:
            loads.append((address, offset, bytes_in_file))
        elif kind == _PT_DYNAMIC:
            dynamic = (offset, bytes_in_file)
    if dynamic is None:
        return []
    tags: list[tuple[int, int]] = []
    for position in range(dynamic[0], sum(dynamic), 16):
        tag, value = struct.unpack_from("<QQ", image, position)
        if tag == _DT_NULL:
            break
        tags.append((tag, value))
    values = dict(tags)
    address = values.get(_DT_STRTAB, 0)
    start = next(o + address - a for a, o, n in loads if a <= address < a + n)
    strings = image[start : start + values.get(_DT_STRSZ, 0)]
    names = [value for tag, value in tags if tag == _DT_NEEDED]
    return [strings[name : strings.index(b"\0", name)].decode(errors="replace") for name in names]


def refusal(program: Path) -> str | None:
    """The sentence when the program cannot run on the simulator for its runtime, else None."""
    with program.open("rb") as file:
        image = file.read()
    for library in needed_libraries(image):
        if library.startswith("libcudart.so"):
            return REFUSAL.format(program=program.name, library=library)
    return None
