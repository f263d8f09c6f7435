"""NVFP4 on the host, in plain PyTorch: the formula that the kernels are held to, bit for bit.

In: a 2-D float tensor and (optionally) its global scale. Out: packed e2m1 nibbles and row-major e4m3 block scales.
The idea: every step is one IEEE float32 operation, in the order of the formula, so the result has exactly one value.
This file imports PyTorch alone: the training script loads it by path on machines that have no b12x.

Formula, per block of 16 values along the last axis:
  gs = amax / 2688 over the finite values (1 for an all-zero tensor); 2688 = 6 * 448, largest e2m1 times largest e4m3
  sf = e4m3(min(448, blockmax / (6 * gs))),  S = its value
  q  = e2m1(x / max(S * gs, 1e-30)), round to nearest even, saturating; what rounds to zero is +0
  x ~ q * S * gs
A block that holds a NaN gets the scale byte 0x7F (NaN) and zero nibbles.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 16
E2M1_MAX = 6.0
E4M3_MAX = 448.0
E4M3_NAN = 0x7F
E2M1_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
# Smallest divisor: a block scale that underflowed to 0 must not divide by zero.
MIN_STEP = 1e-30


def global_scale_of(x: Tensor) -> Tensor:
    """Global scale of a tensor: float32 scalar tensor amax/2688, over finite values; 1 if there is nothing to scale."""
    magnitude = x.detach().float().abs()
    amax = torch.where(magnitude.isfinite(), magnitude, 0.0).amax() if x.numel() else magnitude.new_zeros(())
    return torch.where(amax > 0, amax / (E2M1_MAX * E4M3_MAX), 1.0)


def block_scales_of(x: Tensor, global_scale: Tensor) -> Tensor:
    """Block scales [..., cols/16] as float8_e4m3fn, of float32 x [..., cols] under a global scale."""
    block_max = x.unflatten(-1, (-1, BLOCK)).abs().amax(-1)  # NaN if the block holds one
    scales = (block_max / (E2M1_MAX * global_scale)).clamp(max=E4M3_MAX)
    return scales.to(torch.float8_e4m3fn)


def round_e2m1(y: Tensor) -> Tensor:
    """Nearest e2m1 value of float32 y, ties to even, saturating at 6: grid steps are 0.5 below 2, 1 below 4, then 2."""
    magnitude = y.abs().clamp(max=E2M1_MAX)
    step = torch.where(magnitude < 2.0, 0.5, torch.where(magnitude < 4.0, 1.0, 2.0))
    return torch.copysign(torch.round(magnitude / step) * step, y)


def fake_quantize(x: Tensor, global_scale: Tensor | None = None) -> Tensor:
    """x after a trip through NVFP4, in float32; shape kept, the last axis a multiple of 16. Finite input only."""
    x = x.float()
    gs = global_scale_of(x) if global_scale is None else global_scale
    step = block_scales_of(x, gs).float().unsqueeze(-1) * gs
    blocks = x.unflatten(-1, (-1, BLOCK))
    return (round_e2m1(blocks / step.clamp(min=MIN_STEP)) * step).flatten(-2)


def quantize_nvfp4_reference(x: Tensor, global_scale: float | Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Quantises x [rows, cols] (float32, bfloat16 or float16; cols % 16 == 0).

    Returns (packed uint8 [rows, cols/2], low nibble = even column; block scales uint8 [rows, cols/16], row-major e4m3
    bits; global scale, float32 scalar tensor). Raises ValueError for another shape.
    """
    if x.dim() != 2 or x.shape[1] % BLOCK:
        raise ValueError(f"quantize_nvfp4: x has shape {list(x.shape)}, want [rows, cols] with cols a multiple of 16")
    x = x.float()
    gs = global_scale_of(x) if global_scale is None else torch.as_tensor(global_scale, dtype=torch.float32)
    has_nan = x.unflatten(-1, (-1, BLOCK)).isnan().any(-1)
    scales = block_scales_of(x, gs)
    step = scales.float().repeat_interleave(BLOCK, dim=-1) * gs
    q = round_e2m1(x / step.clamp(min=MIN_STEP))
    packed = pack_e2m1(torch.where(has_nan.repeat_interleave(BLOCK, dim=-1), 0.0, q))
    scale_bytes = torch.where(has_nan, E4M3_NAN, scales.view(torch.uint8))
    return packed, scale_bytes, gs


def pack_e2m1(values: Tensor) -> Tensor:
    """uint8 [.., cols/2] of float32 values [.., cols] that e2m1 has; zeros of either sign become 0."""
    code = torch.bucketize(values.abs(), torch.tensor(E2M1_VALUES, device=values.device)).to(torch.uint8)
    code = torch.where((values < 0) & (code > 0), code | 8, code)
    return code[..., 0::2] | (code[..., 1::2] << 4)


def quantize_mxfp8_reference(x: Tensor) -> tuple[Tensor, Tensor]:
    """Quantises x [rows, cols] (float32, bfloat16 or float16; cols % 32 == 0) to MXFP8, see b12x.quant.quantize_mxfp8.

    Returns (values uint8 [rows, cols], e4m3 bits; scales uint8 [rows, cols/32], ue8m0). Raises ValueError for another
    shape.
    """
    if x.dim() != 2 or x.shape[1] % 32:
        raise ValueError(f"quantize_mxfp8: x has shape {list(x.shape)}, want [rows, cols] with cols a multiple of 32")
    blocks = x.double().unflatten(1, (-1, 32))  # every quotient by a power of two is exact
    amax = blocks.abs().nan_to_num(nan=0.0, posinf=torch.finfo(torch.float32).max).amax(-1)
    fraction, exponent = torch.frexp(amax)  # fraction in [0.5, 1); 448 = 0.875 * 2^9
    scale = torch.where(amax > 0, exponent - 9 + (fraction > 0.875) + 127, 0).clamp(min=0)
    y = (blocks * torch.exp2(127.0 - scale.double()).unsqueeze(-1)).clamp(-E4M3_MAX, E4M3_MAX)
    values = y.float().to(torch.float8_e4m3fn).view(torch.uint8)
    values = torch.where(values == 0x80, 0, torch.where(blocks.isnan(), E4M3_NAN, values))
    return values.flatten(1).to(torch.uint8), scale.to(torch.uint8)


def unpack_e2m1(packed: Tensor) -> Tensor:
    """float32 values [rows, cols] of packed uint8 [rows, cols/2]."""
    table = torch.tensor(E2M1_VALUES + tuple(-v for v in E2M1_VALUES), dtype=torch.float32, device=packed.device)
    codes = torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2)
    return table[codes.long()]


def dequantize_nvfp4_reference(packed: Tensor, block_scales: Tensor, global_scale: float | Tensor = 1.0) -> Tensor:
    """float32 [rows, cols] of packed uint8 [rows, cols/2], row-major block scales [rows, cols/16] (uint8 or e4m3)."""
    scales = block_scales.view(torch.float8_e4m3fn).float().repeat_interleave(BLOCK, dim=-1)
    return unpack_e2m1(packed) * scales * torch.as_tensor(global_scale, dtype=torch.float32)
