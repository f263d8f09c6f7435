"""Groups, both global-scale conventions, MXFP8 and the names of 0.7.2, against host formulas in torch and NumPy."""

from __future__ import annotations

import b12x
import numpy as np
import pytest
import torch
from b12x import cute
from b12x.quant import reference, reference_numpy

DTYPES = [torch.bfloat16, torch.float16, torch.float32]
NAN = float("nan")


def random_groups(groups: int, rows: int, cols: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(groups, rows, cols, generator=generator) * 3).to(dtype)


def check_group(packed: torch.Tensor, scales: torch.Tensor, x: torch.Tensor, gs: float, rows: int) -> None:
    """One group's packed [R, C/2] and swizzled scales against the formula on its first `rows` rows, zeros beyond."""
    want_packed, want_scales, _ = reference.quantize_nvfp4_reference(x[:rows], gs)
    assert torch.equal(packed[:rows], want_packed)
    assert not packed[rows:].any()
    plain = b12x.quant.unswizzle_block_scale(scales, x.shape[0], x.shape[1] // 16)
    assert torch.equal(plain[:rows], want_scales)
    assert not plain[rows:].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_groups_with_row_counts(dtype: torch.dtype) -> None:
    x = random_groups(4, 19, 80, dtype)
    counts = torch.tensor([19, 0, 7, 1], dtype=torch.int32)
    gs = torch.tensor([0.01, 0.02, 0.03, 0.04])
    poisoned = x.clone()
    for g, count in enumerate(counts.tolist()):
        poisoned[g, count:] = NAN
    packed, scales, back = b12x.quant.quantize_nvfp4(poisoned, gs, row_counts=counts)
    assert packed.shape == (4, 19, 40)
    assert scales.shape == (4, 128, 8)
    assert back is not None
    for g in range(4):
        check_group(packed[g], scales[g], x[g], gs[g].item(), int(counts[g]))


def test_numpy_groups() -> None:
    x = random_groups(2, 5, 32, torch.float32).numpy()
    packed, scales, _ = b12x.quant.quantize_nvfp4(x, 0.02, row_counts=np.array([5, 3], np.int32))
    assert isinstance(packed, np.ndarray)
    for g, rows in enumerate((5, 3)):
        check_group(torch.from_numpy(packed[g]), torch.from_numpy(scales[g]), torch.from_numpy(x[g]), 0.02, rows)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("count_dtype", [torch.int32, torch.int64])
def test_grouped_names_of_0_7_2(shared: bool, count_dtype: torch.dtype) -> None:
    x = random_groups(3, 130, 96, torch.bfloat16)
    counts = torch.tensor([130, 5, 0], dtype=count_dtype)
    gs = torch.tensor([100.0]) if shared else torch.tensor([100.0, 37.0, 11.0])
    packed, view = b12x.quant.quantize_grouped_nvfp4_torch(x, counts, gs)
    assert packed.shape == (130, 48, 3)
    assert packed.stride(1) == 1, "K is adjacent, as the GEMM reads it"
    assert view.shape == (32, 4, 2, 4, 2, 3)
    assert view.dtype is torch.float8_e4m3fn
    storage = cute.convert_sf_from_mma_layout(view.view(torch.uint8), 130, 96, 3).view(3, 256, 8)
    for g in range(3):
        one = 1.0 / gs[0 if shared else g]
        check_group(packed[:, :, g], storage[g], x[g], one.item(), int(counts[g]))


def test_silu_mul_grouped_of_0_7_2() -> None:
    x = random_groups(2, 9, 128, torch.bfloat16)
    counts = torch.tensor([9, 4])
    packed, view = b12x.quant.silu_mul_quantize_grouped_nvfp4_torch(x, counts, torch.tensor([50.0]))
    storage = cute.convert_sf_from_mma_layout(view.view(torch.uint8), 9, 64, 2).view(2, 128, 4)
    for g, rows in enumerate(counts.tolist()):
        want_packed, want_scales, _ = b12x.quant.silu_mul_quantize_nvfp4(
            x[g, :rows], 50.0, gate_first=True, global_scale_is_reciprocal=True
        )
        assert torch.equal(packed[:rows, :, g], want_packed)
        assert not packed[rows:, :, g].any()
        assert torch.equal(storage[g], want_scales)


def test_reciprocal_convention() -> None:
    x = random_groups(1, 7, 64, torch.float16)[0]
    want = b12x.quant.quantize_nvfp4(x, torch.tensor([1.0]) / torch.tensor([2688 / 9.0]))
    got = b12x.quant.quantize_nvfp4(x, 2688 / 9.0, global_scale_is_reciprocal=True)
    assert torch.equal(got[0], want[0])
    assert torch.equal(got[1], want[1])


def all_of(dtype: torch.dtype, cols: int) -> torch.Tensor:
    """Every 16-bit input, among its neighbours in size."""
    bits = torch.arange(1 << 16, dtype=torch.int32)
    x = (bits - (bits >= 1 << 15).int() * (1 << 16)).to(torch.int16).view(dtype)
    return x.reshape(-1, cols)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("gs", [1.0, 0.0371, 2.0**-20, 1e-38, 1e30])
def test_kernel_torch_and_numpy_agree_on_every_input(dtype: torch.dtype, gs: float) -> None:
    x = all_of(dtype, 128)
    packed, scales, _ = b12x.quant.quantize_nvfp4(x, gs)
    plain = b12x.quant.unswizzle_block_scale(scales, x.shape[0], 8)
    for want_packed, want_scales, _ in (
        reference.quantize_nvfp4_reference(x, gs),
        reference_numpy.quantize_nvfp4(x.float().numpy(), gs),
    ):
        assert torch.equal(packed, torch.as_tensor(want_packed))
        assert torch.equal(plain, torch.as_tensor(want_scales))


@pytest.mark.parametrize("dtype", DTYPES)
def test_mxfp8_kernel_torch_and_numpy_agree(dtype: torch.dtype) -> None:
    x = random_groups(1, 200, 160, torch.float32)[0] * torch.logspace(-44, 37, 200).unsqueeze(1)
    x[0, 3], x[1, 40], x[2, :32], x[3, 5:9] = NAN, float("inf"), NAN, -0.0
    x = x.to(dtype) if dtype is torch.float32 else torch.cat([x.to(dtype).flatten(), all_of(dtype, 32).flatten()])
    x = x.reshape(-1, 32)
    values, scales = b12x.quant.quantize_mxfp8(x)
    for want_values, want_scales in (
        reference.quantize_mxfp8_reference(x),
        reference_numpy.quantize_mxfp8(x.float().numpy()),
    ):
        assert torch.equal(scales, torch.as_tensor(want_scales))
        assert torch.equal(values, torch.as_tensor(want_values))


def test_mxfp8_by_hand() -> None:
    x = torch.zeros(3, 32)
    x[0, :3] = torch.tensor([448.0, -1.0, 2.0**-10])  # scale 1; the last one is the tie between 0 and 2^-9
    x[1, :2] = torch.tensor([449.0, 3.0])  # scale 2
    values, scales = b12x.quant.quantize_mxfp8(x)
    assert scales.flatten().tolist() == [127, 128, 0]
    assert values[0, :3].tolist() == [0x7E, 0xB8, 0x00]
    assert values[1, :2].tolist() == [0x76, 0x3C]  # 224.5 -> 224 = 1.75 * 2^7; 1.5
    assert not values[2].any()


def test_cute_names_of_0_7_2() -> None:
    assert (cute.FLOAT4_E2M1_MAX, cute.FLOAT8_E4M3_MAX, cute.SF_VEC_SIZE, cute.COPY_BITS) == (6.0, 448.0, 16, 128)
    x = torch.tensor([3.5, -3.5, 0.25, -0.75, 5.0, 5.1, 100.0, 2.5])
    snapped = cute.fp4_quantize_values_torch(x)
    assert snapped.tolist() == [4.0, -4.0, 0.0, -1.0, 4.0, 6.0, 6.0, 2.0]
    packed = cute.pack_grouped_fp4_values(snapped.view(1, 2, 4).repeat(3, 1, 1))
    assert packed.shape == (2, 2, 3)
    assert packed[:, :, 1].tolist() == [[0xE6, 0xA0], [0x76, 0x47]]
    assert b12x.quant._as_grouped_scale_view is b12x.quant.as_grouped_scale_view
    assert cute.get_sm_version() == (80 if not torch.cuda.is_available() else cute.get_sm_version(0))
    with pytest.raises(ValueError, match=r"shape \[2, 3\], want \[groups, rows, even cols\]"):
        cute.pack_grouped_fp4_values(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: b12x.quant.quantize_nvfp4(x), "global_scale is missing"),
        (
            lambda x: b12x.quant.quantize_nvfp4(x, torch.ones(2)),
            r"global_scale has shape \[2\], want one element or \[3\]",
        ),
        (
            lambda x: b12x.quant.quantize_nvfp4(x, 1.0, row_counts=torch.ones(3)),
            "row_counts has dtype float32, want int32",
        ),
        (
            lambda x: b12x.quant.quantize_nvfp4(x, 1.0, row_counts=torch.ones(4, dtype=torch.int32)),
            r"row_counts has shape \[4\], want \[3\] = groups",
        ),
        (lambda x: b12x.quant.quantize_nvfp4(x[None], 1.0), r"want two dimensions \[rows, columns\] or three"),
        (lambda x: b12x.quant.quantize_mxfp8(x), "want two dimensions"),
        (lambda x: b12x.quant.quantize_mxfp8(x[0, :, :16]), "cols is 16, want a multiple of 32"),
        (
            lambda x: b12x.quant.quantize_grouped_nvfp4_torch(x[:, :, :24], torch.ones(3), torch.ones(1)),
            "columns a multiple of 16",
        ),
    ],
)
def test_wrong_arguments_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(3, 4, 32))
