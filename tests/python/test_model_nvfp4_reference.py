"""The host's NVFP4 formula against exact arithmetic, and its byte layouts against the formula of the layout."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from b12x.quant import reference

GRID = [Fraction(v) for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6)]


def exact_e2m1(y: Fraction) -> int:
    """Code of the nearest grid value to y >= 0, ties to the even code."""
    best = min(abs(y - g) for g in GRID)
    codes = [c for c, g in enumerate(GRID) if abs(y - g) == best]
    return next((c for c in codes if c % 2 == 0), codes[0])


def f32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float64).float().item()


def quantize_row(values: list[float], gs: float) -> tuple[list[int], list[int]]:
    """Codes and scale bytes of one row, a scalar operation at a time, each rounded to float32."""
    codes, scales = [], []
    for begin in range(0, len(values), 16):
        block = values[begin : begin + 16]
        wanted = min(f32(max(abs(v) for v in block) / f32(6.0 * gs)), 448.0)
        scale = torch.tensor(wanted).to(torch.float8_e4m3fn)
        step = max(f32(scale.float().item() * gs), f32(1e-30))
        scales.append(scale.view(torch.uint8).item())
        for v in block:
            code = exact_e2m1(Fraction(abs(f32(v / step))))
            codes.append(code | 8 if v < 0 and code else code)
    return codes, scales


@pytest.mark.parametrize("magnitude", [1.0, 1e-4, 3e-7, 1e5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_matches_scalar_arithmetic(magnitude: float, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    spread = torch.randn(5, 64, generator=generator) * torch.logspace(-6, 0, 5).unsqueeze(1)
    x = (spread * min(magnitude, 1e4)).to(dtype)
    packed, scales, gs = reference.quantize_nvfp4_reference(x)
    assert gs.item() == f32(x.float().abs().max().item() / 2688.0)
    for r in range(5):
        codes, want_scales = quantize_row(x[r].float().tolist(), gs.item())
        assert scales[r].tolist() == want_scales
        assert packed[r].tolist() == [a | b << 4 for a, b in zip(codes[::2], codes[1::2], strict=True)]


def test_worked_example() -> None:
    x = torch.zeros(1, 16)
    x[0, :4] = torch.tensor([0.1, -0.2, 1.0, 0.03])
    packed, scales, gs = reference.quantize_nvfp4_reference(x)
    assert gs.item() == f32(1 / 2688)
    assert scales.tolist() == [[0x7E]]
    assert packed[0, :2].tolist() == [0xA1, 0x07] and not packed[0, 2:].any()


def test_ties_go_to_even_and_zero_is_positive() -> None:
    ties = torch.tensor(
        [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 6.0, -0.25, -0.75, -1.25, -1.75, -2.5, -3.5, -5.0, -6.0]
    )
    packed, scales, _ = reference.quantize_nvfp4_reference(ties[None], torch.tensor(1 / 448))
    codes = torch.stack((packed & 15, packed >> 4), -1).flatten().tolist()
    assert scales.tolist() == [[0x7E]]
    assert codes == [0, 2, 2, 4, 4, 6, 6, 7, 0, 10, 10, 12, 12, 14, 14, 15]


def test_special_values() -> None:
    x = torch.ones(3, 32)
    x[0, 3] = float("nan")
    x[1, 20] = float("-inf")
    x[2] = 0.0
    packed, scales, gs = reference.quantize_nvfp4_reference(x)
    assert gs.item() == f32(1 / 2688), "the global scale ignores what is not finite"
    assert scales[0].tolist() == [0x7F, 0x7E] and not packed[0, :8].any() and packed[0, 8:].eq(0x77).all()
    assert scales[1].tolist() == [0x7E, 0x7E] and packed[1, 10].item() == 0x7F
    assert scales[2].tolist() == [0, 0] and not packed[2].any()
    _, scales, gs = reference.quantize_nvfp4_reference(torch.zeros(2, 16))
    assert gs.item() == 1.0 and not scales.any()


def test_dequantised_value_is_near() -> None:
    x = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    packed, scales, gs = reference.quantize_nvfp4_reference(x)
    back = reference.dequantize_nvfp4_reference(packed, scales, gs)
    # Half a step of the coarsest grid cell (4..6) at a scale that e4m3 rounded by up to 1/16.
    block_max = x.unflatten(-1, (-1, 16)).abs().amax(-1, keepdim=True)
    error = (back - x).unflatten(-1, (-1, 16)).abs()
    assert (error <= block_max / 6 * (17 / 16) + block_max / 16).all()
    assert ((back - x).norm() / x.norm()).item() < 0.12


def test_fake_quantize_is_the_round_trip() -> None:
    x = torch.randn(7, 64, generator=torch.Generator().manual_seed(1)) * torch.logspace(-5, 0, 7).unsqueeze(1)
    packed, scales, gs = reference.quantize_nvfp4_reference(x)
    step = scales.view(torch.float8_e4m3fn).float().repeat_interleave(16, -1) * gs
    assert torch.equal(reference.fake_quantize(x), reference.unpack_e2m1(packed) * step)


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"shape \[4, 24\].*multiple of 16"):
        reference.quantize_nvfp4_reference(torch.zeros(4, 24))
    with pytest.raises(ValueError, match=r"shape \[4, 24\].*multiple of 32"):
        reference.quantize_mxfp8_reference(torch.zeros(4, 24))
