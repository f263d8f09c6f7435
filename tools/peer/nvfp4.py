"""NVFP4 operands in NumPy, and what their product is: exactly as the tensor core adds, and in float64.

In: random generators and bytes. Out: values and float32 sums. The tensor core's m16n8k64 is the model of
tests/reference/gemm.hpp: four groups of 16 products are exact, they and the accumulator are aligned to the largest
exponent and cut at 35 fractional bits, their sum is rounded towards zero to float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK, CHUNK = 16, 64
_HALVES = np.array([0, 1, 2, 3, 4, 6, 8, 12], np.float32)
_HALVES = np.concatenate((_HALVES, -_HALVES))  # e2m1 in units of 1/2
_FRACTION, _ZERO_EXPONENT = 35, -139
_E4M3 = np.array(
    [m * 2.0**-9 if e == 0 else (8 + m) * 2.0 ** (e - 10) for e in range(16) for m in range(8)][:127], np.float32
)
_E2M1 = _HALVES[:8] / 2


def align(x: int, to: int) -> int:
    return -(-x // to) * to


def swizzle(scales: np.ndarray) -> np.ndarray:
    """Row-major scale bytes [rows, blocks] -> the 128x4 order, flat, padded with zeros."""
    rows, blocks = align(scales.shape[0], 128), align(scales.shape[1], 4)
    padded = np.zeros((rows, blocks), np.uint8)
    padded[: scales.shape[0], : scales.shape[1]] = scales
    return padded.reshape(rows // 128, 4, 32, blocks // 4, 4).transpose(0, 3, 2, 1, 4).reshape(-1)


@dataclass(frozen=True)
class Operand:
    """packed uint8 [rows, k / 2], low nibble = even column; scales uint8 [rows, k / 16], row-major e4m3."""

    packed: np.ndarray
    scales: np.ndarray

    @property
    def codes(self) -> np.ndarray:
        return np.stack((self.packed & 15, self.packed >> 4), -1).reshape(self.packed.shape[0], -1)

    def values(self) -> np.ndarray:
        """float64 [rows, k]."""
        return (_HALVES[self.codes] / 2).astype(np.float64) * np.repeat(_E4M3[self.scales], BLOCK, 1)

    def rows(self, chosen: np.ndarray | slice) -> Operand:
        return Operand(self.packed[chosen], self.scales[chosen])


def random_operand(random: np.random.Generator, rows: int, k: int, low: int = 0x08, high: int = 0x60) -> Operand:
    """Any codes, and scales from [low, high): far enough apart that sums lose bits, as a real accumulator does."""
    return Operand(
        random.integers(0, 256, (rows, k // 2), np.uint8), random.integers(low, high, (rows, k // BLOCK), np.uint8)
    )


def _encode(magnitude: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Index of the nearest code, ties to the even index, saturating."""
    ties = (codes[:-1] + codes[1:]) / 2
    code = np.searchsorted(ties, magnitude, side="left")
    is_tie = (code < len(ties)) & (magnitude == ties[np.minimum(code, len(ties) - 1)])
    return (code + (is_tie & (code % 2 == 1))).astype(np.uint8)


def quantize(x: np.ndarray, global_scale: float) -> Operand:
    """Of float32 [rows, k] as 0.7.2's fast path does it: by reciprocals, each rounded, so that ties fall as there.

    x ~ code * scale * global_scale. A subnormal scale is inverted as if it had a leading 1, which is 0.7.2's defect.
    """
    reciprocal, sixth = np.float32(1) / np.float32(global_scale), np.float32(1) / np.float32(6)
    blocks = x.astype(np.float32).reshape(x.shape[0], -1, BLOCK)
    scales = _encode(np.minimum(reciprocal * (np.abs(blocks).max(-1) * sixth), np.float32(448)), _E4M3)
    taken_for = np.where(scales < 8, (8 + scales) * np.float32(2.0**-10), _E4M3[scales])
    inverse = np.where(scales == 0, np.float32(0), np.float32(1) / taken_for) * reciprocal
    quotient = blocks * inverse[..., None]
    code = (_encode(np.abs(quotient), _E2M1) | (quotient < 0).astype(np.uint8) << 3).reshape(x.shape)
    return Operand(code[:, 0::2] | code[:, 1::2] << 4, scales)


def _scale_parts(scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Significand in eighths, and exponent."""
    field, fraction = (scales >> 3 & 15).astype(np.int64), (scales & 7).astype(np.int64)
    return np.where(field == 0, fraction, fraction | 8), np.maximum(field, 1) - 7


def _shift(significand: np.ndarray, by: np.ndarray) -> np.ndarray:
    """significand * 2^by, what is below a unit cut off towards zero."""
    magnitude = np.abs(significand)
    moved = np.where(by >= 0, magnitude << np.clip(by, 0, 62), magnitude >> np.clip(-by, 0, 62))
    return np.where(significand < 0, -moved, moved)


def _to_f32(total: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """total * 2^-unit, rounded towards zero to float32; totals have at most 52 bits."""
    magnitude = np.abs(total)
    width = np.frexp(magnitude.astype(np.float64))[1]
    drop = np.clip(np.maximum(width - 1 - unit, -126) - 23 + unit, 0, 62)
    kept = (magnitude >> drop << drop).astype(np.float64)
    return np.copysign(np.ldexp(kept, -unit), total).astype(np.float32)


def exact_product(a: Operand, b: Operand) -> np.ndarray:
    """float32 [rows of a, rows of b]: one accumulator an output, chunks of 64 k ascending from +0. Finite scales."""
    k = 2 * a.packed.shape[1]
    halves_a, halves_b = _HALVES[a.codes], _HALVES[b.codes]
    (sig_a, exp_a), (sig_b, exp_b) = _scale_parts(a.scales), _scale_parts(b.scales)
    sums = np.zeros((a.packed.shape[0], b.packed.shape[0]), np.float32)
    for chunk in range(k // CHUNK):
        fraction, exponent = np.frexp(sums)
        significands = [np.ldexp(fraction, 24).astype(np.int64)]
        exponents = [np.where(sums == 0, _ZERO_EXPONENT, exponent.astype(np.int64) - 1)]
        points = [23]
        for group in range(chunk * 4, chunk * 4 + 4):
            columns = slice(group * BLOCK, (group + 1) * BLOCK)
            dots = (halves_a[:, columns] @ halves_b[:, columns].T).astype(np.int64)  # at most 16 * 144: exact
            scale = sig_a[:, group, None] * sig_b[None, :, group]
            significands.append(dots * scale)
            exponents.append(np.where(scale == 0, _ZERO_EXPONENT, exp_a[:, group, None] + exp_b[None, :, group]))
            points.append(8)
        largest = np.maximum.reduce(exponents)
        total = sum(
            _shift(s, e - largest + _FRACTION - point)
            for s, e, point in zip(significands, exponents, points, strict=True)
        )
        sums = _to_f32(total, _FRACTION - largest)
    return sums


def to_bf16(x: np.ndarray) -> np.ndarray:
    """uint16 bits of float32, rounded to nearest even. Finite."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)
