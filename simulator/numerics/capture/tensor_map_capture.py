"""Record what a driver's cuTensorMapEncodeTiled answers: argument sets in, (CUresult, 128 bytes) out.

    python3 tensor_map_capture.py FILE [--library libcuda.so.1]

FILE is "B12XTMAP", u32 version 1, u32 count, then `count` records of RECORD (264 bytes, little endian): section (0 one
field varied from a base map, 1 random valid, 2 meant to be refused), type, rank, interleave, swizzle, l2 promotion,
fill, misalignment of the map object; result; address; 5 dims; 4 strides; 5 box sides; 5 element strides; the map (its
bytes are 0xAA before the call). The same file judges our own encoder.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

RECORD = struct.Struct("<8Bi4xQ5Q4Q5I5I128s")
ELEMENT_BYTES = [1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4]  # the types that every TMA has; 13..15 are 4 and 6 bit packs
FLOAT_TYPES = [6, 7, 8, 9, 10, 11, 12]
SWIZZLE_SPAN = [1 << 30, 32, 64, 128, 128, 128, 128]


@dataclass(frozen=True)
class Map:
    """Arguments of one call; sizes in elements, strides in bytes."""

    kind: int = 9
    rank: int = 2
    address: int = 0x7F0000000000
    dims: tuple[int, ...] = (4096, 512)
    strides: tuple[int, ...] = (8192,)
    box: tuple[int, ...] = (64, 64)
    steps: tuple[int, ...] = (1, 1)
    interleave: int = 0
    swizzle: int = 0
    promotion: int = 0
    fill: int = 0
    misalign: int = field(default=0)


def with_item(values: tuple[int, ...], index: int, value: int) -> tuple[int, ...]:
    """`values` with one item exchanged."""
    return (*values[:index], value, *values[index + 1 :])


BASE5 = Map(
    rank=5,
    dims=(256, 64, 32, 16, 8),
    strides=(512, 32768, 1 << 20, 1 << 24),
    box=(64, 4, 4, 2, 2),
    steps=(1, 1, 1, 1, 1),
)


def single_fields() -> list[Map]:
    """Every field through its range, one at a time, from a rank-2 and a rank-5 base."""
    maps = [Map(), BASE5]
    for base in (Map(), BASE5):
        for bit in range(4, 64):
            maps.append(replace(base, address=1 << bit))
        for i in range(base.rank):
            maps += [replace(base, dims=with_item(base.dims, i, 1 << bit)) for bit in range(33)]
            maps += [replace(base, dims=with_item(base.dims, i, value)) for value in (3, 7, (1 << 32) - 1)]
            maps += [replace(base, box=with_item(base.box, i, value)) for value in (8, 16, 24, 32, 128, 248, 256)]
            maps += [replace(base, steps=with_item(base.steps, i, value)) for value in range(1, 9)]
        for i in range(1, base.rank):
            maps += [replace(base, box=with_item(base.box, i, 1 << bit)) for bit in range(9)]
            maps += [replace(base, strides=with_item(base.strides, i - 1, 1 << bit)) for bit in range(4, 41)]
            maps += [
                replace(base, strides=with_item(base.strides, i - 1, value))
                for value in (48, 112, (1 << 40) - 16, (1 << 36) - 16, 1 << 35, (1 << 35) + 16)
            ]
        for value in range(16):
            small = tuple(base.box[1:])
            maps.append(replace(base, kind=value, box=(16, *small), dims=(128, *base.dims[1:])))
            maps.append(replace(base, kind=value, box=(128, *small), dims=(256, *base.dims[1:])))
        for value in range(4):
            maps.append(replace(base, promotion=value))
        for value in range(8):
            maps.append(replace(base, swizzle=value, box=(16, *base.box[1:])))
            maps.append(replace(base, swizzle=value, box=(8, *base.box[1:])))
        for kind in range(16):
            maps.append(replace(base, fill=1, kind=kind, box=(16, *base.box[1:])))
    for rank in range(1, 6):
        maps.append(
            replace(
                BASE5,
                rank=rank,
                dims=BASE5.dims[:rank],
                strides=BASE5.strides[: rank - 1],
                box=BASE5.box[:rank],
                steps=BASE5.steps[:rank],
            )
        )
    for interleave in (1, 2):
        for swizzle in range(4):
            maps.append(replace(BASE5, interleave=interleave, swizzle=swizzle))
    return maps


def random_valid(rng: random.Random) -> Map:
    """A map that obeys every documented rule, interleave none."""
    kind = rng.randrange(13)
    size = ELEMENT_BYTES[kind]
    rank = rng.randint(1, 5)
    swizzle = rng.choice([0, 1, 2, 3, 3, 3])
    span = min(SWIZZLE_SPAN[swizzle], 256 * size)
    inner = 16 * rng.randint(1, span // 16) // size
    box = [min(inner, 256)]
    dims = [rng.choice([rng.randint(1, 8192), rng.randint(1, 1 << 20)])]
    strides: list[int] = []
    stride = (dims[0] * size + 15) // 16 * 16 + 16 * rng.choice([0, 0, 0, rng.randint(0, 64)])
    for _ in range(1, rank):
        box.append(rng.choice([1, rng.randint(1, 16), rng.randint(1, 256)]))
        dims.append(rng.choice([1, rng.randint(1, 64), rng.randint(1, 1 << 16)]))
        if stride >= 1 << 40:
            stride = 16 * rng.randint(1, (1 << 36) - 1)
        strides.append(stride)
        stride *= dims[-1]
    steps = tuple(rng.choice([1, 1, 1, rng.randint(1, 8)]) for _ in range(rank))
    return Map(
        kind,
        rank,
        16 * rng.randrange(1, 1 << 43),
        tuple(dims),
        tuple(strides),
        tuple(box),
        steps,
        0,
        swizzle,
        rng.randrange(4),
        rng.randrange(2) if kind in FLOAT_TYPES else 0,
    )


def invalid(rng: random.Random) -> list[Map]:
    """Each documented rule broken, on several bases, and the edges just inside the rule."""
    maps: list[Map] = []
    for base in (Map(), BASE5, replace(BASE5, kind=7, swizzle=3, box=(32, 4, 4, 2, 2))):
        rank = base.rank
        maps += [replace(base, address=base.address + offset) for offset in (1, 2, 4, 8, 15)]
        maps += [replace(base, address=0)]
        maps += [replace(base, rank=value) for value in (0, 6, 7)]
        maps += [replace(base, misalign=value) for value in (8, 16, 32)]
        for i in range(rank):
            maps += [replace(base, dims=with_item(base.dims, i, value)) for value in (0, (1 << 32) + 1, 1 << 40)]
            maps += [replace(base, box=with_item(base.box, i, value)) for value in (0, 257, 264, 512)]
            maps += [replace(base, steps=with_item(base.steps, i, value)) for value in (0, 9, 16)]
        for i in range(rank - 1):
            maps += [
                replace(base, strides=with_item(base.strides, i, value))
                for value in (0, 8, 24, base.strides[i] + 8, 1 << 40, (1 << 40) + 16, 1 << 41)
            ]
        maps += [replace(base, box=with_item(base.box, 0, value)) for value in (1, 2, 3, 7, 9, 12, 20)]
        maps += [
            replace(base, swizzle=swizzle, box=with_item(base.box, 0, value))
            for swizzle in (1, 2, 3, 4, 5, 6)
            for value in (16, 24, 32, 40, 64, 72, 128)
        ]
        maps += [
            replace(base, swizzle=7),
            replace(base, promotion=4),
            replace(base, fill=2),
            replace(base, kind=16),
            replace(base, kind=31),
            replace(base, interleave=3),
        ]
        maps += [replace(base, fill=1, kind=kind, swizzle=0) for kind in (0, 1, 2, 3, 4, 5)]
        maps += [replace(base, interleave=1, rank=value) for value in (1, 2)]
        maps += [replace(base, interleave=2, swizzle=swizzle) for swizzle in (0, 1, 2, 3)]
    # A stride smaller than the row it steps over, and strides that fall instead of rise.
    maps += [replace(Map(), strides=(value,)) for value in (16, 32, 4096, 8176)]
    maps += [replace(BASE5, strides=tuple(rng.sample(BASE5.strides, 4))) for _ in range(4)]
    return maps


class Driver:
    """cuTensorMapEncodeTiled of one library, with a current context."""

    def __init__(self, library: str) -> None:
        self.cuda = ctypes.CDLL(library)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.check("cuInit", self.cuda.cuInit(0))
        self.check("cuDeviceGet", self.cuda.cuDeviceGet(ctypes.byref(device), 0))
        self.check("cuDevicePrimaryCtxRetain", self.cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        self.check("cuCtxSetCurrent", self.cuda.cuCtxSetCurrent(context))
        self.buffer = ctypes.create_string_buffer(512)

    @staticmethod
    def check(name: str, result: int) -> None:
        """Raise when a set-up call fails."""
        if result != 0:
            raise RuntimeError(f"{name} returned {result}")

    def encode(self, m: Map) -> tuple[int, bytes]:
        """Return (CUresult, the 128 bytes at the map's place)."""
        place = (ctypes.addressof(self.buffer) + 63) // 64 * 64 + m.misalign
        ctypes.memset(place, 0xAA, 128)

        def array(kind: type, values: tuple[int, ...]) -> ctypes.Array:
            return (kind * 8)(*values, *([1] * (8 - len(values))))

        result = self.cuda.cuTensorMapEncodeTiled(
            ctypes.c_void_p(place),
            ctypes.c_int(m.kind),
            ctypes.c_uint32(m.rank),
            ctypes.c_void_p(m.address),
            array(ctypes.c_uint64, m.dims),
            array(ctypes.c_uint64, m.strides),
            array(ctypes.c_uint32, m.box),
            array(ctypes.c_uint32, m.steps),
            ctypes.c_int(m.interleave),
            ctypes.c_int(m.swizzle),
            ctypes.c_int(m.promotion),
            ctypes.c_int(m.fill),
        )
        return result, ctypes.string_at(place, 128)


def record(section: int, m: Map, result: int, data: bytes) -> bytes:
    """Pack one answer."""

    def fill(values: tuple[int, ...], count: int) -> tuple[int, ...]:
        return (*values, *([1] * (count - len(values))))

    return RECORD.pack(
        section,
        m.kind,
        m.rank,
        m.interleave,
        m.swizzle,
        m.promotion,
        m.fill,
        m.misalign,
        result,
        m.address,
        *fill(m.dims, 5),
        *fill(m.strides, 4),
        *fill(m.box, 5),
        *fill(m.steps, 5),
        data,
    )


def main() -> int:
    """Encode all sections, write FILE, print the counts of results by section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--library", default="libcuda.so.1")
    options = parser.parse_args()
    driver = Driver(options.library)
    rng = random.Random(120)
    sections = [single_fields(), [random_valid(rng) for _ in range(1200)], invalid(rng)]
    rows = []
    for section, maps in enumerate(sections):
        counts: Counter[int] = Counter()
        for m in maps:
            result, data = driver.encode(m)
            counts[result] += 1
            rows.append(record(section, m, result, data))
        print(f"tensor maps, section {section}: {len(maps)} calls, results {dict(counts)}")
    options.file.write_bytes(b"B12XTMAP" + struct.pack("<II", 1, len(rows)) + b"".join(rows))
    print(f"{options.file.name}: {len(rows)} records, {options.file.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
