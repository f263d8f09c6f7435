"""Record what a driver's cuTensorMapEncodeIm2col answers, and its cuTensorMapEncodeTiled for interleaved tensors.

    python3 im2col_map_capture.py FILE [--library libcuda.so.1]

FILE is "B12XTMA2", u32 count, then `count` records of unsigned LEB128 numbers: function (0 tiled, 1 im2col), type,
rank, interleave, swizzle, l2 promotion, fill, result, address; dims, strides and element strides of `shown` =
min(rank, 5) dimensions (strides one less); then of tiled calls the box, of im2col calls channels per pixel, pixels per
column and the lower and the upper corner (`shown` - 2 numbers each, zigzag); last, of accepted calls, a mask of the
map's 32-bit words that are not zero, and these words. The same file judges our own encoder.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import struct
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tensor_map_capture import ELEMENT_BYTES, Driver, with_item

CORNER_BITS = {3: 16, 4: 8, 5: 5}  # of one corner's coordinate, by rank
MAP_BYTES = 128


@dataclass(frozen=True)
class Call:
    """Arguments of one call; sizes in elements, strides in bytes. With a box it is a tiled one."""

    kind: int = 6
    rank: int = 4
    address: int = 0x7F0000000000
    dims: tuple[int, ...] = (64, 32, 24, 8)
    strides: tuple[int, ...] = (128, 4096, 98304)
    steps: tuple[int, ...] = (1, 1, 1, 1)
    lower: tuple[int, ...] = (0, 0)
    upper: tuple[int, ...] = (0, 0)
    channels: int = 32
    pixels: int = 64
    box: tuple[int, ...] = ()
    interleave: int = 0
    swizzle: int = 0
    promotion: int = 0
    fill: int = 0


BASES = [
    Call(rank=3, dims=(64, 32, 8), strides=(128, 4096), steps=(1, 1, 1), lower=(0,), upper=(0,)),
    Call(),
    Call(
        rank=5,
        dims=(64, 32, 24, 16, 8),
        strides=(128, 4096, 98304, 1572864),
        steps=(1,) * 5,
        lower=(0, 0, 0),
        upper=(0, 0, 0),
    ),
]


def corners(base: Call) -> list[Call]:
    """Every bit of the corners and the values round their limits, then boxes about as large as the tensor."""
    calls = []
    limit = 1 << (CORNER_BITS[base.rank] - 1)
    large = replace(base, dims=(64, *[1 << 20] * (base.rank - 1)))
    values = {1 << bit for bit in range(CORNER_BITS[base.rank])} | {3, limit - 1, limit + 1, 1 << 20}
    for i in range(base.rank - 2):
        for value in sorted(values | {-v for v in values} | {-limit - 1}):
            calls.append(replace(large, lower=with_item(base.lower, i, value)))
            calls.append(replace(large, upper=with_item(base.upper, i, value)))
        for interleave in (0, 1):
            narrow = replace(base, interleave=interleave, dims=(8, 5, 6, 7, 9)[: base.rank])
            for lower, upper in [(0, 3 - d) for d in range(4, 14)] + [(4, d - 5) for d in range(-3, 6)]:
                calls.append(
                    replace(narrow, lower=with_item(base.lower, i, lower), upper=with_item(base.upper, i, upper))
                )
    return calls


def single_fields(base: Call) -> list[Call]:
    """Every field through its range, one at a time."""
    calls = [base, *corners(base)]
    calls += [replace(base, address=1 << bit) for bit in range(3, 60, 2)]
    for i in range(base.rank):
        for value in (0, 1, 3, 1 << 8, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, 1 << 32, (1 << 32) + 1):
            calls.append(replace(base, dims=with_item(base.dims, i, value)))
        calls += [replace(base, steps=with_item(base.steps, i, value)) for value in range(10)]
    for i in range(base.rank - 1):
        values = (0, 8, 16, 24, 48, 1 << 12, 1 << 20, 1 << 28, 1 << 35, 1 << 36, 1 << 39, (1 << 40) - 16, 1 << 40)
        calls += [replace(base, strides=with_item(base.strides, i, value)) for value in values]
    for value in (0, 1, 2, 4, 7, 8, 12, 16, 24, 40, 64, 128, 192, 248, 256, 257, 264):
        for kind in (0, 6, 7, 8):
            calls.append(replace(base, channels=value, kind=kind, pixels=4))
        calls += [replace(base, channels=value, pixels=4, interleave=mode, swizzle=1) for mode in (1, 2)]
    for value in (0, 1, 2, 3, 5, 8, 100, 227, 255, 256, 257, 453, 454, 456, 457, 511, 512, 1023, 1024, 1025):
        for channels in (8, 32, 256):
            calls.append(replace(base, pixels=value, channels=channels))
    for kind in range(17):
        for swizzle in range(5):
            calls.append(replace(base, kind=kind, channels=16, swizzle=swizzle))
        calls += [replace(base, kind=kind, channels=16, interleave=mode, swizzle=1) for mode in (1, 2)]
        calls.append(replace(base, kind=kind, channels=16, fill=1))
    for value in range(5):
        calls += [replace(base, promotion=value), replace(base, fill=value), replace(base, interleave=value)]
        calls += [replace(base, interleave=mode, swizzle=value) for mode in (1, 2)]
    for offset in (1, 8, 16, 32):
        calls += [replace(base, address=base.address + offset, interleave=mode, swizzle=1) for mode in (0, 1, 2)]
    return calls


def random_call(rng: random.Random, is_tiled: bool) -> Call:
    """A call that obeys every rule but, at times, that of the box or of shared memory."""
    rank, kind = rng.choice((3, 4, 5)), rng.randrange(13)
    size = ELEMENT_BYTES[kind]
    interleave = rng.choice((1, 2)) if is_tiled else rng.choice((0, 0, 0, 1, 2))
    swizzle = rng.randrange(4)
    granule = 32 if interleave == 2 else 16
    span = 16 << swizzle if swizzle != 0 and interleave == 0 else 256 * size
    inner = 16 * rng.randint(1, max(1, min(256 * size, span) // 16)) // size
    limit = 1 << (CORNER_BITS[rank] - 1)
    dims = tuple(rng.choice([1, rng.randint(1, 64), rng.randint(1, 1 << 16)]) for _ in range(rank))
    corner = [
        [rng.choice([0, rng.randint(-2, 2), rng.randint(-limit, limit - 1)]) for _ in range(rank - 2)] for _ in range(2)
    ]
    return Call(
        kind=kind,
        rank=rank,
        address=granule * rng.randrange(1, 1 << 44) % (1 << 57),
        dims=dims,
        strides=tuple(granule * rng.choice([rng.randint(1, 4096), rng.randint(1, 1 << 30)]) for _ in range(rank - 1)),
        steps=tuple(rng.choice([1, 1, rng.randint(1, 8)]) for _ in range(rank)),
        lower=tuple(corner[0]),
        upper=tuple(corner[1]),
        channels=inner,
        pixels=rng.choice([1, rng.randint(1, 64), rng.randint(1, 1024)]),
        box=tuple([inner] + [rng.choice([1, rng.randint(1, 8)]) for _ in range(rank - 1)]) if is_tiled else (),
        interleave=interleave,
        swizzle=swizzle,
        promotion=rng.randrange(4),
        fill=rng.randrange(2) if kind >= 6 else 0,
    )


def spoilt(rng: random.Random, call: Call) -> Call:
    """The call with one field at or past its limit."""
    i, limit = rng.randrange(call.rank - 2), 1 << (CORNER_BITS[call.rank] - 1)
    choices: list[dict[str, object]] = [
        {"channels": rng.choice([0, 257, rng.randint(1, 300)])},
        {"pixels": rng.choice([0, 1024, 1025, rng.randint(512, 1100)])},
        {"dims": with_item(call.dims, i + 1, rng.choice([0, 1 << 31, (1 << 31) + 1, 1 << 32, (1 << 32) + 1]))},
        {"strides": with_item(call.strides, i, rng.choice([0, 8, 16, 24, 32, 48, 1 << 40, (1 << 40) - 16]))},
        {"swizzle": rng.randrange(5)},
        {"interleave": rng.randrange(4)},
        {"steps": with_item(call.steps, i, rng.choice([0, 8, 9]))},
        {"lower": with_item(call.lower, i, rng.choice([-limit - 1, -limit, limit - 1, limit]))},
        {"upper": with_item(call.upper, i, rng.choice([-limit - 1, -limit, limit - 1, limit]))},
        {"fill": rng.randrange(3)},
        {"address": call.address + rng.choice([1, 8, 16])},
        {"kind": rng.randrange(14)},
    ]
    if call.box:
        box = with_item(call.box, rng.randrange(call.rank), rng.choice([0, 1, 2, 3, 12, 24, 200, 256, 257]))
        choices += [{"box": box}] * 6
    return replace(call, **rng.choice(choices))


def all_calls() -> list[Call]:
    """What FILE holds."""
    rng = random.Random(90)
    calls = [call for base in BASES for call in single_fields(base)]
    calls += [replace(BASES[2], rank=rank) for rank in (0, 1, 2, 6, 7)]
    for is_tiled, count in ((False, 800), (True, 200)):
        valid = [random_call(rng, is_tiled) for _ in range(count)]
        calls += valid + [spoilt(rng, call) for call in valid]
    return list(dict.fromkeys(calls))


def encode(driver: Driver, call: Call) -> tuple[int, bytes]:
    """Return (CUresult, the map's 128 bytes)."""
    place = (ctypes.addressof(driver.buffer) + 63) // 64 * 64
    ctypes.memset(place, 0, MAP_BYTES)

    def array(kind: type, values: tuple[int, ...]) -> ctypes.Array:
        return (kind * 8)(*values, *([1] * (8 - len(values))))

    front = [
        ctypes.c_void_p(place),
        ctypes.c_int(call.kind),
        ctypes.c_uint32(call.rank),
        ctypes.c_void_p(call.address),
        array(ctypes.c_uint64, call.dims),
        array(ctypes.c_uint64, call.strides),
    ]
    back = [
        array(ctypes.c_uint32, call.steps),
        *[ctypes.c_int(v) for v in (call.interleave, call.swizzle, call.promotion, call.fill)],
    ]
    if call.box:
        result = driver.cuda.cuTensorMapEncodeTiled(*front, array(ctypes.c_uint32, call.box), *back)
    else:
        result = driver.cuda.cuTensorMapEncodeIm2col(
            *front,
            array(ctypes.c_int, call.lower),
            array(ctypes.c_int, call.upper),
            ctypes.c_uint32(call.channels),
            ctypes.c_uint32(call.pixels),
            *back,
        )
    return result, ctypes.string_at(place, MAP_BYTES)


def record(call: Call, result: int, data: bytes) -> bytes:
    """Pack one answer."""
    numbers = [0 if call.box else 1, call.kind, call.rank, call.interleave, call.swizzle, call.promotion, call.fill]
    numbers += [result, call.address]
    shown = min(call.rank, 5)
    for values, count in ((call.dims, shown), (call.strides, shown - 1), (call.steps, shown)):
        numbers += values[: max(count, 0)]
    if call.box:
        numbers += call.box
    else:
        numbers += [call.channels, call.pixels]
        for corner in (call.lower, call.upper):
            numbers += [2 * v if v >= 0 else -2 * v - 1 for v in corner[: max(shown - 2, 0)]]
    if result == 0:
        words = struct.unpack("<32I", data)
        numbers += [sum(1 << k for k, word in enumerate(words) if word != 0), *[word for word in words if word != 0]]
    packed = bytearray()
    for number in numbers:
        while number >= 0x80:
            packed.append(number & 0x7F | 0x80)
            number >>= 7
        packed.append(number)
    return bytes(packed)


def main() -> int:
    """Encode all calls, write FILE, print the counts of results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--library", default="libcuda.so.1")
    options = parser.parse_args()
    driver = Driver(options.library)
    calls = all_calls()
    answers = [encode(driver, call) for call in calls]
    for name, is_tiled in (("cuTensorMapEncodeIm2col", False), ("cuTensorMapEncodeTiled", True)):
        counts = Counter(answer[0] for call, answer in zip(calls, answers, strict=True) if bool(call.box) == is_tiled)
        print(f"{name}: results {dict(counts)}")
    rows = [record(call, *answer) for call, answer in zip(calls, answers, strict=True)]
    options.file.write_bytes(b"B12XTMA2" + struct.pack("<I", len(rows)) + b"".join(rows))
    print(f"{options.file.name}: {len(rows)} records, {options.file.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
