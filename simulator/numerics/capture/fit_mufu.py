"""Find the special function unit's interpolation tables in recorded answers.

    python3 simulator/numerics/capture/fit_mufu.py FOLDER simulator/numerics/mufu_tables.inc

FOLDER holds what install.py unpacked. Every function is a quadratic over equal segments, in integers:
    sum = constant + c1 * x + c2 * square(x),  answer = sum >> shift,  constant = c0 << step | bias
where x is the argument's bits below the segment index and square() drops the low partial products (Oberman and Siu,
"A High-Performance Area-Efficient Multifunction Interpolator", ARITH-17). For given c1 and c2 each recorded answer
bounds the constant from both sides; the room between the bounds is concave in c1 and in c2, so two nested ternary
searches find the pair, and the constant follows. A table is accepted only if every recorded answer is met.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Array = np.ndarray
HERE = Path(__file__).resolve().parent
HIDDEN = 0x800000
FRACTION = 0x7FFFFF


def square(x: Array) -> Array:
    """The unit's square of a 17-bit x, in units of 2^19: partial product rows lose what falls below 2^18."""
    total = np.zeros_like(x)
    for bit in range(17):
        total += np.where(x >> bit & 1 != 0, x >> (18 - bit), 0)
    return total >> 1


@dataclass
class Points:
    """Recorded arguments: segment, x, and the bounds low <= sum <= high that the answer puts on the sum."""

    segment: Array
    x: Array
    low: Array
    high: Array


@dataclass
class Shape:
    """How a table's numbers combine: sum = (c0 << step) + bias + c1 * x + (c2 * square(x << widen) << raise_c2)."""

    name: str
    step: int
    bias: int
    widen: int = 0
    raise_c2: int = 0
    multiple: int = 1  # c1 and c2 are multiples of this (where the record alone would leave a choice)


def best(score: Callable[[int], float], low: int, high: int) -> int:
    """The argument of the largest value of a concave function of an integer."""
    while high - low > 3:
        left, right = low + (high - low) // 3, high - (high - low) // 3
        if score(left) < score(right):
            low = left
        else:
            high = right
    return max(range(low, high + 1), key=score)


def fit_segment(points: Points, shape: Shape) -> tuple[int, int, int]:
    """Return (c0, c1, c2) that meet every point of one segment; raise ValueError when none do."""
    x = points.x
    sq = square(x << shape.widen) << shape.raise_c2
    step = max(1, len(x) // 4096)
    few = [np.ascontiguousarray(values[::step]) for values in (x, sq, points.low, points.high)]
    x_few, sq_few = few[0].astype(float), few[1].astype(float)
    middle = (few[2] + few[3]) / 2.0
    c1_guess, c2_guess = np.linalg.lstsq(np.stack([np.ones(len(x_few)), x_few, sq_few], 1), middle, rcond=None)[0][1:]
    m = shape.multiple

    def room(c1: int, c2: int, arrays: list[Array]) -> int:
        rest = (c1 * m) * arrays[0] + (c2 * m) * arrays[1]
        return int((arrays[3] - rest).min() - (arrays[2] - rest).max())

    def c1_of(c2: int) -> int:  # from the thinned record
        guess = round(np.polyfit(x_few, middle - c2 * m * sq_few, 1)[0] / m)
        return best(lambda c1: room(c1, c2, few), guess - 40, guess + 40)

    centre = round(c2_guess / m)
    c2_few = max(range(centre - 6, centre + 7), key=lambda c2: room(c1_of(c2), c2, few))
    pairs = [(c1_of(c2) + move, c2) for c2 in range(c2_few - 2, c2_few + 3) for move in range(-3, 4)]
    whole = [x, sq, points.low, points.high]
    hopeful = [pair for pair in pairs if room(*pair, few) >= 0]
    for c1, c2 in sorted(hopeful, key=lambda pair: -room(*pair, whole))[:3]:
        rest = c1 * m * x + c2 * m * sq + shape.bias
        least, most = int((points.low - rest).max()), int((points.high - rest).min())
        c0 = -(-least >> shape.step)
        if c0 << shape.step <= most:
            return c0, c1 * m, c2 * m
    raise ValueError(f"{shape.name}: no table meets the record (c1 about {c1_guess:.2f}, c2 about {c2_guess:.2f})")


def fit(points: Points, shape: Shape, segments: int) -> list[tuple[int, int, int]]:
    """Fit every segment."""
    rows = []
    order = np.argsort(points.segment, kind="stable")
    edges = np.searchsorted(points.segment[order], np.arange(segments + 1))
    for s in range(segments):
        mine = order[edges[s] : edges[s + 1]]
        part = Points(points.segment[mine], points.x[mine], points.low[mine], points.high[mine])
        rows.append(fit_segment(part, shape))
    print(f"{shape.name}: {segments} segments meet {len(points.x)} answers")
    return rows


def significand_points(answers: Array, shift: int, bits: int, start: int = 0) -> Points:
    """Answers of one binade of arguments in order; sum >> shift is the 24-bit significand (2^24 after a carry)."""
    significand = (answers & FRACTION) | HIDDEN
    first = answers[0] >> 23 if answers[0] < answers[-1] else answers[-1] >> 23
    significand = np.where((answers >> 23) > first, 1 << 24, significand)
    index = np.arange(len(answers), dtype=np.int64)
    return Points(
        (index >> bits) + start, index & ((1 << bits) - 1), significand << shift, (significand + 1 << shift) - 1
    )


def float_bounds(answers: Array, scale: int) -> tuple[Array, Array]:
    """Bounds of a sum in units of 2^-scale whose leading 24 bits, cut, are the positive answers."""
    shift = (answers >> 23) - 150 + scale
    significand = (answers & FRACTION) | HIDDEN
    low = np.where(shift >= 0, significand << np.maximum(shift, 0), significand >> np.maximum(-shift, 0))
    high = np.where(shift >= 0, (significand + 1 << np.maximum(shift, 0)) - 1, low)
    return low, high


class Record:
    """The unpacked files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(
            [
                "g++",
                "-std=c++20",
                "-O2",
                "-ffp-contract=off",
                "-o",
                str(folder / "restore_answers"),
                str(HERE / "restore_answers.cpp"),
            ],
            check=True,
        )

    def answers(self, form: str, first: int) -> Array:
        """2^23 answers from input `first` on."""
        name = f"{form}_{first:08x}"
        out = self.folder / f"answers_{name}.u32"
        if not out.exists():
            subprocess.run(
                [
                    str(self.folder / "restore_answers"),
                    form,
                    f"{first:08x}",
                    str(self.folder / f"delta_{name}.i32"),
                    str(out),
                ],
                check=True,
            )
        return np.fromfile(out, np.uint32).astype(np.int64)

    def words(self, name: str) -> Array:
        """A plain file of words."""
        return np.fromfile(self.folder / name, np.uint32).astype(np.int64)


def join(parts: list[Points]) -> Points:
    """Concatenate."""
    return Points(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("segment", "x", "low", "high")))


def sine_points(record: Record) -> Points:
    """Every fraction of a quarter turn, from sin and cos of several binades; sums are in units of 2^-37."""
    low = np.zeros(1 << 23, np.int64)
    high = np.full(1 << 23, 1 << 38, np.int64)
    for form in ("sin", "cos"):
        for first in (0x3E800000, 0x3F800000, 0x40000000, 0x40800000):
            answers = record.answers(f"{form}_ftz", first) & 0x7FFFFFFF
            x = (np.arange(1 << 23, dtype=np.uint32) + np.uint32(first)).view(np.float32).astype(np.float64)
            turns = x * float(np.uint32(0x3E22F983).view(np.float32))
            turns = (turns.view(np.uint64) & ~np.uint64((1 << 29) - 1)).view(np.float64)  # the product is cut to f32
            position = np.floor(turns * 2.0**25).astype(np.int64)
            quarter = (position >> 23) + (form == "cos")
            fraction = np.where(quarter & 1 != 0, FRACTION ^ position & FRACTION, position & FRACTION)
            use = answers != 0
            least, most = float_bounds(answers[use], 37)
            np.maximum.at(low, fraction[use], least)
            np.minimum.at(high, fraction[use], most)
    seen = np.nonzero(high < 1 << 38)[0]
    return Points(seen >> 17, seen & 0x1FFFF, low[seen], high[seen])


def sample_points(record: Record, exponent: int) -> tuple[Array, Array]:
    """Mantissas and tanh answers of one exponent in sample_tanh.u32 (inputs: mufu_inputs.hpp) and tanh_runs.u32."""
    wanted = np.arange(256, dtype=np.uint64)
    answers, mantissas = [], []
    table = record.words("sample_tanh.u32")
    for head in (exponent, exponent | 256):
        with np.errstate(over="ignore"):
            z = (np.uint64(head << 32) | wanted) + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        mantissa = ((z ^ z >> np.uint64(31)) & np.uint64(FRACTION)).astype(np.int64)
        mantissa[:16] = np.arange(16)
        mantissa[240:] = FRACTION - 15 + np.arange(16)
        mantissas.append(mantissa)
        answers.append(table[head * 256 : head * 256 + 256] & 0x7FFFFFFF)
    runs = record.words("tanh_runs.u32").reshape(-1, 2)
    runs = runs[runs[:, 0] >> 23 == exponent]
    return np.concatenate([*mantissas, runs[:, 0] & FRACTION]), np.concatenate([*answers, runs[:, 1]])


def fit_tanh(record: Record) -> list[tuple[int, int, int]]:
    """Octaves [2^-8, 8) in 1, 1, 1, 2, 2, 4, 4, 4, 8, 16, 8 segments of 17-bit x; sums in units of 2^-40 (2^-48)."""
    rows = []
    dense = {124: 0x3E000000, 126: 0x3F000000, 127: 0x3F800000, 128: 0x40000000}
    for exponent, log2_segments in zip(range(119, 130), (0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 3), strict=True):
        if exponent in dense:
            mantissa = np.arange(1 << 23, dtype=np.int64)
            answers = record.words(f"range_tanh_{dense[exponent]:08x}.d32")
        else:
            mantissa, answers = sample_points(record, exponent)
        scale = 48 if exponent < 124 else 40
        low, high = float_bounds(answers, scale)
        drop = 6 - log2_segments
        points = Points(mantissa >> (17 + drop), mantissa >> drop & 0x1FFFF, low, high)
        multiple = 8 if exponent in (124, 125, 126, 127) else 2
        rows += fit(points, Shape(f"tanh 2^{exponent - 127}", 15, 0, multiple=multiple), 1 << log2_segments)
    return rows


def main() -> int:
    """Fit all tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    record = Record(options.folder)
    tables: dict[str, list[tuple[int, int, int]]] = {}
    tables["kRcpTable"] = fit(
        significand_points(record.answers("rcp_ftz", 0x3F800000), 15, 16), Shape("rcp", 13, 0x47E7, widen=1), 128
    )
    roots = [
        significand_points(record.answers("rsqrt_ftz", 0x3F800000)[1:], 16, 17),
        significand_points(record.answers("rsqrt_ftz", 0x40000000), 16, 17, 64),
    ]
    roots[0].x += 1  # 1.0 itself is answered without the table
    roots[0].segment, roots[0].x = roots[0].segment + (roots[0].x >> 17), roots[0].x & 0x1FFFF
    tables["kRsqrtTable"] = fit(join(roots), Shape("rsqrt", 14, 0x7FFF, raise_c2=2), 128)
    tables["kSqrtTable"] = fit(
        join(
            [
                significand_points(record.answers("sqrt_ftz", 0x3F800000), 17, 17),
                significand_points(record.answers("sqrt_ftz", 0x40000000), 17, 17, 64),
            ]
        ),
        Shape("sqrt", 15, 0xFFFF, raise_c2=1),
        128,
    )
    tables["kEx2Table"] = fit(
        significand_points(record.answers("ex2_ftz", 0x3F800000), 15, 17), Shape("ex2", 13, 0x77E2), 64
    )
    logs = significand_points(record.answers("lg2_ftz", 0x40000000), 15, 17)
    logs.low, logs.high = logs.low - (HIDDEN << 15), logs.high - (HIDDEN << 15)
    tables["kLg2Table"] = fit(logs, Shape("lg2", 12, 0x3345, raise_c2=1), 64)
    tables["kSinTable"] = fit(sine_points(record), Shape("sin", 11, 0), 64)
    tables["kTanhTable"] = fit_tanh(record)
    lines = [
        "// Made by capture/fit_mufu.py from answers recorded on an NVIDIA H200 (driver 13000, 2026-11-23).",
        "// Rows are {c0, c1, c2} of one segment; mufu.cpp has the formula.",
    ]
    for name, rows in tables.items():
        lines.append(f"constexpr Row {name}[{len(rows)}] = {{")
        for i in range(0, len(rows), 4):
            lines.append("    " + " ".join(f"{{{c0}, {c1}, {c2}}}," for c0, c1, c2 in rows[i : i + 4]))
        lines.append("};")
    options.output.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
