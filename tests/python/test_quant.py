"""b12x.quant from Python: bits against the host formula, frameworks in and out, and what is refused."""

from __future__ import annotations

import b12x
import numpy as np
import pytest
import torch
import tvm_ffi
from b12x.quant.layout import swizzle_block_scale
from b12x.quant.reference import quantize_nvfp4_reference

DTYPES = [torch.bfloat16, torch.float16, torch.float32]


def random_matrix(rows: int, cols: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, cols, generator=generator) * 3).to(dtype)


def check_equal_to_reference(got, x: torch.Tensor, global_scale=None) -> None:
    packed, scales, gs = (torch.as_tensor(part) for part in got)
    want_packed, want_scales, want_gs = quantize_nvfp4_reference(x, global_scale)
    assert torch.equal(gs.reshape(()), torch.as_tensor(want_gs, dtype=torch.float32).reshape(()))
    assert torch.equal(packed, want_packed)
    assert torch.equal(scales, swizzle_block_scale(want_scales))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "cols"), [(1, 16), (5, 48), (129, 80)])
def test_bits_equal_the_formula(dtype: torch.dtype, rows: int, cols: int) -> None:
    x = random_matrix(rows, cols, dtype)
    check_equal_to_reference(b12x.quant.quantize_nvfp4(x), x)


@pytest.mark.parametrize("scale", [0.01, torch.tensor([0.01]), torch.tensor(0.01)])
def test_given_global_scale(scale) -> None:
    x = random_matrix(3, 64, torch.bfloat16)
    check_equal_to_reference(b12x.quant.quantize_nvfp4(x, scale), x, 0.01)


def test_special_values() -> None:
    x = random_matrix(4, 64, torch.float32)
    x[0, 3], x[1, 17], x[2, 33], x[2, 34] = float("nan"), float("inf"), float("nan"), -float("inf")
    x[3] = 0
    check_equal_to_reference(b12x.quant.quantize_nvfp4(x), x)
    assert b12x.quant.quantize_nvfp4(torch.zeros(2, 16))[2].item() == 1.0


def test_rows_may_be_apart_and_gradients_are_ignored() -> None:
    x = random_matrix(6, 96, torch.bfloat16)
    check_equal_to_reference(b12x.quant.quantize_nvfp4(x[:, 16:80]), x[:, 16:80])
    check_equal_to_reference(b12x.quant.quantize_nvfp4(x[::2]), x[::2])
    x = x.float().requires_grad_()
    check_equal_to_reference(b12x.quant.quantize_nvfp4(x), x.detach())


def test_numpy_in_numpy_out() -> None:
    x = random_matrix(7, 48, torch.float16).numpy()
    x.flags.writeable = False
    got = b12x.quant.quantize_nvfp4(x)
    assert all(isinstance(part, np.ndarray) for part in got)
    check_equal_to_reference(got, torch.from_numpy(x.copy()))


def test_other_dlpack_arrays() -> None:
    x = random_matrix(7, 48, torch.bfloat16)
    got = b12x.quant.quantize_nvfp4(tvm_ffi.from_dlpack(x))
    assert all(isinstance(part, np.ndarray) for part in got)
    check_equal_to_reference(got, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gate_first", [True, False])
def test_silu_mul(dtype: torch.dtype, gate_first: bool) -> None:
    x = random_matrix(9, 128, dtype)
    first, second = x.double().chunk(2, dim=1)
    gate, up = (first, second) if gate_first else (second, first)
    product = (torch.nn.functional.silu(gate) * up).to(dtype)
    packed, scales, _ = b12x.quant.silu_mul_quantize_nvfp4(x, 0.02, gate_first=gate_first)
    want_packed, want_scales, _ = b12x.quant.quantize_nvfp4(product, 0.02)
    # The kernel's SiLU is within 4 ulp of f32 of FP64's: by a tie a nibble may differ by one step, and seldom does.
    assert (packed != want_packed).float().mean() < 0.02
    assert (scales != want_scales).float().mean() < 0.02


def test_no_rows() -> None:
    packed, scales, gs = b12x.quant.quantize_nvfp4(torch.empty(0, 64))
    assert packed.shape == (0, 32)
    assert scales.shape == (0, 4)
    assert gs.item() == 1.0


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 24), r"quantize_nvfp4: cols is 24, want a multiple of 16"),
        (torch.zeros(32), r"quantize_nvfp4: x: has shape \[32\], want two dimensions"),
        (torch.zeros(2, 16, dtype=torch.float64), r"quantize_nvfp4: x: has dtype float64, want one of"),
        (torch.zeros(2, 16, dtype=torch.uint8), r"x has dtype uint8, want bfloat16, float16 or float32"),
        (torch.zeros(32, 4).T, r"x has column stride 4, want 1"),
        (np.zeros((2, 32), np.float32)[:, ::-1], r"negative stride|stride"),
    ],
)
def test_wrong_input_is_refused(x, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        b12x.quant.quantize_nvfp4(x, 1.0)


def test_wrong_arguments_are_refused() -> None:
    x = torch.zeros(2, 32)
    with pytest.raises(TypeError, match="quantize_nvfp4: x: is a list, want a torch tensor, a NumPy array"):
        b12x.quant.quantize_nvfp4([[1.0] * 16])
    with pytest.raises(ValueError, match=r"global_scale is -1\.0, want a positive finite number"):
        b12x.quant.quantize_nvfp4(x, -1.0)
    with pytest.raises(ValueError, match="global_scale has dtype bfloat16, want float32"):
        b12x.quant.quantize_nvfp4(x, torch.ones(1, dtype=torch.bfloat16))
    with pytest.raises(ValueError, match=r"global_scale has shape \[2\], want one element"):
        b12x.quant.quantize_nvfp4(x, torch.ones(2))
    with pytest.raises(ValueError, match="x has 48 columns, want a multiple of 32"):
        b12x.quant.silu_mul_quantize_nvfp4(torch.zeros(2, 48), 1.0)
