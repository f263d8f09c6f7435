"""Inputs of a case and the calls that are measured, the same for a GPU ("cuda") and the simulator ("cpu").

In: a case, a device. Out: calls without arguments. Data is random; what depends on it is nothing that is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

import b12x.gemm
import b12x.quant
from b12x._native import function
from b12x.bench.cases import GemmCase, LinearCase, QuantCase
from b12x.quant.layout import scale_shape, unswizzle_block_scale
from b12x.quant.reference import (
    dequantize_nvfp4_reference,
    global_scale_of,
    quantize_mxfp8_reference,
    quantize_nvfp4_reference,
)

ALPHA = 2.0**-6
SCALE = 2.0**-8  # global, of activations
MOST_FP4_ERROR = 0.15  # of normal values: rounding to e2m1 alone gives a tenth
CHECKED_ROWS = 64  # of a result: the whole of a large one would take longer than the benchmark


@dataclass(frozen=True)
class Operand:
    """NVFP4: codes of any bits, scales from 2^-2 to 15 * 2^-3."""

    packed: torch.Tensor
    scales: torch.Tensor

    @staticmethod
    def random(rows: int, k: int, device: str) -> Operand:
        return Operand(
            torch.randint(0, 256, (rows, k // 2), dtype=torch.uint8, device=device),
            torch.randint(0x28, 0x40, scale_shape(rows, k), dtype=torch.uint8, device=device),
        )

    def values(self) -> torch.Tensor:
        rows, k = self.packed.shape[0], 2 * self.packed.shape[1]
        return dequantize_nvfp4_reference(self.packed, unswizzle_block_scale(self.scales, rows, k // 16))


class Gemm:
    """The operands of a case, its output, and the call."""

    def __init__(self, case: GemmCase, device: str) -> None:
        self.a, self.b = Operand.random(case.m, case.k, device), Operand.random(case.n, case.k, device)
        self.alpha = torch.full((1,), ALPHA, device=device)
        self.out = torch.empty(case.m, case.n, dtype=getattr(torch, case.out), device=device)

    def __call__(self) -> None:
        b12x.gemm.nvfp4_gemm(self.a.packed, self.a.scales, self.b.packed, self.b.scales, self.alpha, out=self.out)

    def relative_error(self) -> float:
        """Of some rows of `out`, against FP64: the norm of the difference over that of the result."""
        m = self.out.shape[0]
        rows = torch.linspace(0, m - 1, min(m, CHECKED_ROWS), device=self.out.device).round().long()
        want = self.a.values()[rows].double() @ self.b.values().double().T * ALPHA
        return ((self.out[rows].double() - want).norm() / want.norm()).item()


class Linear(Gemm):
    """Activations in 16 bits, quantised with SCALE: in the GEMM where that can be, or apart by `two_launches`."""

    def __init__(self, case: LinearCase, device: str) -> None:
        super().__init__(case, device)
        self.x = torch.randn(case.m, case.k, device=device).to(self.out.dtype)
        self.scale = torch.full((1,), SCALE, device=device)
        self.a = Operand(*b12x.quant.quantize_nvfp4(self.x, self.scale)[:2])  # what `relative_error` multiplies

    def __call__(self) -> None:
        b12x.gemm.nvfp4_linear(self.x, self.b.packed, self.b.scales, self.scale, self.alpha, out=self.out)

    def two_launches(self) -> None:
        packed, scales, _ = b12x.quant.quantize_nvfp4(self.x, self.scale)
        b12x.gemm.nvfp4_gemm(packed, scales, self.b.packed, self.b.scales, self.alpha, out=self.out)


class Quant:
    """One input of a case; a call returns the outputs that it has allocated."""

    def __init__(self, case: QuantCase, device: str) -> None:
        self.case = case
        lead = (case.groups,) if case.groups > 1 else ()
        cols = case.cols * (2 if case.kind == "silu_mul" else 1)
        self.x = torch.randn(*lead, case.rows, cols, device=device).to(getattr(torch, case.dtype))
        self.scale = torch.full((1,), SCALE, device=device)

    def __call__(self) -> tuple[torch.Tensor, ...]:
        if self.case.kind == "mxfp8":
            return b12x.quant.quantize_mxfp8(self.x)
        if self.case.kind == "silu_mul":
            return b12x.quant.silu_mul_quantize_nvfp4(self.x, self.scale)
        if self.case.kind == "amax":
            scale = torch.empty_like(self.scale)
            function("global_scale")(self.x, scale)
            return (scale,)
        return b12x.quant.quantize_nvfp4(self.x, self.scale)

    def is_right(self) -> bool:
        """Whether the first rows have the bytes of b12x.quant.reference; of silu_mul, values near what PyTorch has."""
        got = [output.cpu() for output in self()]
        if self.case.kind == "amax":
            return torch.equal(got[0][0], global_scale_of(self.x.cpu()))
        rows = min(CHECKED_ROWS, self.case.rows)
        x = self.x.flatten(0, -2)[:rows].cpu()
        if self.case.kind == "silu_mul":
            gate, up = x.float().chunk(2, dim=1)
            want = torch.nn.functional.silu(gate) * up
            first = got[1] if self.case.groups == 1 else got[1][0]
            scales = unswizzle_block_scale(first, self.case.rows, self.case.cols // 16)[:rows]
            values = dequantize_nvfp4_reference(got[0].flatten(0, -2)[:rows], scales, self.scale.cpu()[0])
            return ((values - want).norm() / want.norm()).item() < MOST_FP4_ERROR
        if self.case.kind == "mxfp8":
            want = quantize_mxfp8_reference(x)
            return all(torch.equal(g[: len(x)], w) for g, w in zip(got, want, strict=True))
        packed, _, _ = quantize_nvfp4_reference(x, self.scale.cpu()[0])
        return torch.equal(got[0].flatten(0, -2)[: len(x)], packed)


def calls_of(case: QuantCase, device: str, count: int) -> list[Callable[[], object]]:
    """`count` calls, each with an input of its own."""
    return [Quant(case, device) for _ in range(count)]
