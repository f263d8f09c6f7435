"""What is measured: GEMM and quantisation cases, their sets, and the text forms of the command line.

In: "4096x4096,512x7168", "1,8". Out: tuples of cases. Shapes of a GEMM are N x K, as weights are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# N x K: layer sizes, then those of b12x 0.7.2's benchmark_dense_gemm.py.
SHAPES = (
    (4096, 4096),
    (14336, 4096),
    (4096, 14336),
    (8192, 28672),
    (512, 7168),
    (4608, 4096),
    (3072, 4096),
    (4096, 2048),
    (512, 4096),
    (4096, 256),
)
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 512, 2048, 8192)
QUICK_SHAPES = ((4096, 4096), (14336, 4096), (512, 7168))
QUICK_TOKENS = (1, 8, 32, 128)

# Few tokens, whose activations a GEMM quantises itself.
LINEAR_SHAPES = ((4096, 4096), (14336, 4096), (4096, 14336), (4608, 4096), (512, 7168))
LINEAR_TOKENS = (1, 2, 4, 8)

OUT_DTYPES = ("bfloat16", "float16", "float32")
KINDS = ("plain", "silu_mul", "amax", "mxfp8")


@dataclass(frozen=True)
class GemmCase:
    """A [m, k] times B [n, k]^T in NVFP4."""

    m: int
    n: int
    k: int
    out: str = "bfloat16"

    @property
    def weight_bytes(self) -> int:
        """Values and scales of B: 9 bytes for 16 elements."""
        return self.n * self.k * 9 // 16


@dataclass(frozen=True)
class LinearCase(GemmCase):
    """x [m, k], of the output's type, quantised to NVFP4 and multiplied by B [n, k]^T."""


@dataclass(frozen=True)
class QuantCase:
    """`groups` matrices of [rows, cols] values of `dtype`; silu_mul reads twice as many columns."""

    kind: str
    dtype: str
    rows: int
    cols: int
    groups: int = 1

    @property
    def in_bytes(self) -> int:
        elements = self.groups * self.rows * self.cols * (2 if self.kind == "silu_mul" else 1)
        return elements * (4 if self.dtype == "float32" else 2)

    @property
    def out_bytes(self) -> int:
        if self.kind == "amax":
            return 4
        if self.kind == "mxfp8":
            return self.rows * self.cols * 33 // 32
        scale_bytes = -(-self.rows // 128) * 128 * (-(-self.cols // 64) * 4)
        return self.groups * (self.rows * self.cols // 2 + scale_bytes)

    @property
    def bytes(self) -> int:
        """What has to be read and written."""
        return self.in_bytes + self.out_bytes


QUICK_QUANT = (
    QuantCase("plain", "bfloat16", 1, 4096),
    QuantCase("plain", "bfloat16", 128, 4096),
    QuantCase("plain", "float16", 128, 4096),
    QuantCase("silu_mul", "bfloat16", 128, 4096),
    QuantCase("amax", "bfloat16", 128, 4096),
    QuantCase("mxfp8", "bfloat16", 128, 4096),
)
FULL_QUANT = (
    *(QuantCase("plain", "bfloat16", rows, 4096) for rows in (1, 32, 512, 2048, 8192, 16384)),
    *(QuantCase("plain", "bfloat16", rows, 14336) for rows in (512, 8192)),
    *(QuantCase("plain", "bfloat16", rows, 512) for rows in (8192, 16384)),
    QuantCase("plain", "float16", 8192, 4096),
    QuantCase("plain", "float32", 8192, 4096),
    QuantCase("plain", "bfloat16", 128, 4096, groups=64),
    *(QuantCase("silu_mul", "bfloat16", rows, 4096) for rows in (512, 8192)),
    *(QuantCase("amax", "bfloat16", rows, 4096) for rows in (512, 8192)),
    *(QuantCase("mxfp8", "bfloat16", rows, 4096) for rows in (512, 8192)),
    QuantCase("mxfp8", "bfloat16", 65536, 128),
)


def gemm_cases(
    shapes: Sequence[tuple[int, int]], tokens: Sequence[int], outs: Sequence[str] = ("bfloat16",)
) -> tuple[GemmCase, ...]:
    """All combinations. Raises ValueError for sizes that the GEMM does not take."""
    for n, k in shapes:
        if n % 8 or k % 32:
            raise ValueError(f"shape {n}x{k}: want N x K with N a multiple of 8 and K a multiple of 32")
    return tuple(GemmCase(m, n, k, out) for out in outs for n, k in shapes for m in tokens)


def linear_cases(
    shapes: Sequence[tuple[int, int]], tokens: Sequence[int], outs: Sequence[str] = ("bfloat16",)
) -> tuple[LinearCase, ...]:
    """All combinations. Raises ValueError likewise, and for float32, which no one launch quantises."""
    if "float32" in outs:
        raise ValueError("float32: want bfloat16 or float16, the type of the activations and of the output")
    return tuple(LinearCase(c.m, c.n, c.k, c.out) for c in gemm_cases(shapes, tokens, outs))


def quant_cases(
    kinds: Sequence[str], dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> tuple[QuantCase, ...]:
    """All combinations of kinds, input dtypes and shapes ([groups,] rows, columns).

    Raises ValueError for what no kernel takes.
    """
    cases = []
    for kind in kinds:
        step = 32 if kind == "mxfp8" else 16
        for *groups, rows, cols in shapes:
            if cols % step:
                raise ValueError(f"shape {rows}x{cols}: {kind} wants a multiple of {step} columns")
            if groups and kind in ("amax", "mxfp8"):
                raise ValueError(f"shape {groups[0]}x{rows}x{cols}: {kind} takes one matrix, want ROWSxCOLS")
            cases += [QuantCase(kind, dtype, rows, cols, *groups) for dtype in dtypes]
    return tuple(cases)


def parse_numbers(text: str) -> tuple[int, ...]:
    """ "1,8,32". Raises ValueError with what came and what was wanted."""
    return tuple(_positive(word, text, "positive whole numbers, as in 1,8,32") for word in text.split(","))


def parse_shapes(text: str, sizes: tuple[int, ...], example: str) -> tuple[tuple[int, ...], ...]:
    """ "4096x4096,512x7168". `sizes`: how many numbers a shape may have. Raises ValueError likewise."""
    wanted = f"shapes, as in {example}"
    shapes = tuple(tuple(_positive(part, text, wanted) for part in word.split("x")) for word in text.split(","))
    if not all(len(shape) in sizes for shape in shapes):
        raise ValueError(f"{text!r}: want {wanted}")
    return shapes


def parse_names(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """ "bfloat16,float16", each of them one of `known`. Raises ValueError likewise."""
    names = tuple(text.split(","))
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r}: want some of {','.join(known)}")
    return names


def _positive(word: str, text: str, wanted: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise ValueError(f"{text!r}: {word!r} does not fit, want {wanted}")
    return int(word)
