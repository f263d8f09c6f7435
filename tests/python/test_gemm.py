"""b12x.gemm from Python: against an FP64 product of the dequantised operands, frameworks, and what is refused."""

from __future__ import annotations

import json

import b12x
import numpy as np
import pytest
import torch
from b12x.cli import main
from b12x.quant.layout import unswizzle_block_scale
from b12x.quant.reference import dequantize_nvfp4_reference


def operand(rows: int, k: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(packed, scales, global scale, FP64 values)"""
    x = torch.randn(rows, k, generator=torch.Generator().manual_seed(seed))
    packed, scales, gs = b12x.quant.quantize_nvfp4(x)
    values = dequantize_nvfp4_reference(packed, unswizzle_block_scale(scales, rows, k // 16))
    return packed, scales, gs, values.double() * gs.double()


def check_close(got: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    """One ulp of the output type and 2^-20 of the sum of magnitudes."""
    exact, magnitude = a @ b.T, a.abs() @ b.abs().T
    ulp = torch.finfo(got.dtype).eps * exact.abs()
    assert ((got.double() - exact).abs() <= ulp + magnitude * 2.0**-20).all()


@pytest.mark.parametrize("m", [1, 33, 130])
@pytest.mark.parametrize("dtype", [torch.bfloat16, "float16"])
def test_product(m: int, dtype) -> None:
    a, a_scales, a_gs, a_values = operand(m, 192, 1)
    b, b_scales, b_gs, b_values = operand(72, 192, 2)
    out = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=a_gs * b_gs, out_dtype=dtype)
    assert out.shape == (m, 72)
    assert out.dtype == (torch.float16 if dtype == "float16" else torch.bfloat16)
    check_close(out, a_values, b_values)


def test_alpha_forms_agree_and_out_is_written_in_place() -> None:
    a, a_scales, _, _ = operand(4, 64, 1)
    b, b_scales, _, _ = operand(16, 64, 2)
    want = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=0.5)
    wide = torch.full((4, 48), 7.0, dtype=torch.bfloat16)
    out = wide[:, 16:32]
    assert b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, torch.tensor(0.5), out=out) is out
    assert torch.equal(out, want)
    assert (wide[:, :16] == 7).all()
    assert (wide[:, 32:] == 7).all()
    e4m3 = (scales.view(torch.float8_e4m3fn) for scales in (a_scales, b_scales))
    assert torch.equal(b12x.gemm.nvfp4_gemm(a, next(e4m3), b, next(e4m3), alpha=0.5), want)
    assert torch.equal(b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales), want * 2)


def test_numpy() -> None:
    a, a_scales, _, _ = operand(4, 64, 1)
    b, b_scales, _, _ = operand(16, 64, 2)
    arrays = [tensor.numpy() for tensor in (a, a_scales, b, b_scales)]
    out = b12x.gemm.nvfp4_gemm(*arrays, alpha=0.5)
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.float16
    want = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=0.5, out_dtype="float16")
    assert np.array_equal(out, want.numpy())
    with pytest.raises(ValueError, match="NumPy has no bfloat16"):
        b12x.gemm.nvfp4_gemm(*arrays, out_dtype="bfloat16")


@pytest.mark.parametrize(
    ("m", "dtype", "out", "launches"),
    [
        (1, torch.bfloat16, None, 1),
        (8, torch.bfloat16, "float32", 1),
        (3, torch.float16, None, 1),
        (5, torch.float16, "bfloat16", 2),  # no kernel of its own
        (9, torch.bfloat16, None, 2),
        (4, torch.float32, None, 2),
    ],
)
@pytest.mark.parametrize("is_reciprocal", [False, True])
def test_linear_has_the_bits_of_two_launches(m, dtype, out, launches, is_reciprocal) -> None:
    x = torch.randn(m, 352, generator=torch.Generator().manual_seed(m)).to(dtype)
    b, b_scales, b_gs, _ = operand(72, 352, 2)
    bias, scale = torch.randn(72), torch.tensor([64.0 if is_reciprocal else 0.013])
    packed, scales, _ = b12x.quant.quantize_nvfp4(x, scale, global_scale_is_reciprocal=is_reciprocal)
    want_dtype = out or ("bfloat16" if dtype == torch.float32 else str(dtype).removeprefix("torch."))
    want = b12x.gemm.nvfp4_gemm(packed, scales, b, b_scales, b_gs, out_dtype=want_dtype, bias=bias)
    b12x.runtime.reset_kernel_stats()
    got = b12x.gemm.nvfp4_linear(
        x, b, b_scales, scale, b_gs, out_dtype=out, bias=bias, global_scale_is_reciprocal=is_reciprocal
    )
    assert got.dtype == want.dtype
    assert torch.equal(got, want)
    assert sum(row["calls"] for row in b12x.runtime.kernel_stats()) == launches


def test_linear_of_rows_apart_numpy_and_without_a_scale() -> None:
    wide = torch.randn(4, 3 * 128).to(torch.float16)
    b, b_scales, _, _ = operand(16, 128, 2)
    for first, launches in ((128, 1), (129, 2)):  # rows that start at 16 bytes, and rows that do not
        x = wide[:, first : first + 128]
        packed, scales, _ = b12x.quant.quantize_nvfp4(x, 1.0)
        want = b12x.gemm.nvfp4_gemm(packed, scales, b, b_scales, 0.5, out_dtype="float16")
        b12x.runtime.reset_kernel_stats()
        out = torch.empty(4, 16, dtype=torch.float16)
        assert b12x.gemm.nvfp4_linear(x, b, b_scales, alpha=0.5, out=out) is out
        assert torch.equal(out, want)
        assert sum(row["calls"] for row in b12x.runtime.kernel_stats()) == launches
        got = b12x.gemm.nvfp4_linear(x.numpy(), b.numpy(), b_scales.numpy(), alpha=0.5)
        assert isinstance(got, np.ndarray)
        assert np.array_equal(got, want.numpy())
    with pytest.raises(ValueError, match=r"nvfp4_linear: x, b have shapes \[128\], \[16, 64\], want \[m, k\]"):
        b12x.gemm.nvfp4_linear(wide[0, :128], b, b_scales)
    with pytest.raises(ValueError, match=r"gemm: b has shape \[16, 64\], want \[16, 32\] = n, k / 2"):
        b12x.gemm.nvfp4_linear(wide[:, :64], b, b_scales)


def batch(rows: int, k: int, seeds: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(packed [l, rows, k / 2], scales, FP64 values) with global scale 1."""
    parts = [operand(rows, k, seed) for seed in seeds]
    return tuple(
        torch.stack(tensors) for tensors in zip(*((p, s, v / gs.double()) for p, s, gs, v in parts), strict=True)
    )


def test_batches_bias_and_float32() -> None:
    a, a_scales, a_values = batch(40, 96, (1, 2, 3))
    b, b_scales, b_values = batch(72, 96, (4, 5, 6))
    bias = torch.linspace(-500, 500, 72)
    out = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, out_dtype=torch.float32, bias=bias)
    exact = torch.einsum("lmk,lnk->lmn", a_values, b_values) + bias
    magnitude = torch.einsum("lmk,lnk->lmn", a_values.abs(), b_values.abs()) + bias.abs()
    assert out.shape == (3, 40, 72)
    assert ((out.double() - exact).abs() <= magnitude * 2.0**-20).all()


def test_mxfp4() -> None:
    generator = torch.Generator().manual_seed(1)
    codes = [torch.randint(0, 256, (rows, 48), dtype=torch.uint8, generator=generator) for rows in (5, 16)]
    table = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=torch.float64)
    operands, values = [], []
    for packed in codes:
        rows = packed.shape[0]
        exponents = torch.randint(120, 135, (rows, 3), dtype=torch.uint8, generator=generator)
        padded = torch.full((128, 4), 255, dtype=torch.uint8)  # NaN in the padding
        padded[:rows, :3] = exponents
        operands += [packed, b12x.quant.swizzle_block_scale(padded)]
        scales = 2.0 ** (exponents.double() - 127)
        elements = table[torch.stack([packed & 15, packed >> 4], -1).reshape(rows, 96).long()]
        values.append(elements * scales.repeat_interleave(32, 1))
    out = b12x.gemm.mxfp4_gemm(*operands, out_dtype="float32")
    magnitude = values[0].abs() @ values[1].abs().T
    assert ((out.double() - values[0] @ values[1].T).abs() <= magnitude * 2.0**-20).all()


NVFP4 = {"ab_dtype": "float4_e2m1fn", "sf_dtype": "float8_e4m3fn", "sf_vec_size": 16}


class TestDenseGemm:
    """b12x 0.7.2's call."""

    def test_one_batch_with_views_of_the_scales(self) -> None:
        a, a_scales, _, _ = operand(40, 192, 1)
        b, b_scales, _, _ = operand(136, 192, 2)
        want = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=0.5)
        views = [
            b12x.quant.as_grouped_scale_view(scales.view(torch.uint8)[None], rows, 192)
            for scales, rows in ((a_scales, 40), (b_scales, 136))
        ]
        got = b12x.gemm.dense_gemm(
            (a[:, :, None], views[0]),
            (b[:, :, None], views[1]),
            c_dtype="bfloat16",
            alpha=torch.tensor([0.5]),
            **NVFP4,
        )
        assert got.shape == (40, 136, 1)
        assert torch.equal(got[:, :, 0], want)

    def test_batches_come_last(self) -> None:
        a, a_scales, _ = batch(20, 128, (1, 2))
        b, b_scales, _ = batch(16, 128, (3, 4))
        want = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, out_dtype="float16")
        out = torch.zeros(2, 20, 16, dtype=torch.float16).permute(1, 2, 0)
        lhs, rhs = (a.permute(1, 2, 0), a_scales), (b.permute(1, 2, 0), b_scales)
        assert b12x.gemm.dense_gemm(lhs, rhs, out, c_dtype="float16", **NVFP4) is out
        assert torch.equal(out.permute(2, 0, 1), want)
        fresh = b12x.gemm.dense_gemm(lhs, rhs, c_dtype="float16", **NVFP4)
        assert torch.equal(fresh, out)
        # 0.7.2's own default output has the batch fastest, which its kernel then misread.
        with pytest.raises(ValueError, match="out has column stride 2, want 1"):
            b12x.gemm.dense_gemm(lhs, rhs, torch.zeros(20, 16, 2, dtype=torch.float16), c_dtype="float16", **NVFP4)

    def test_what_0_7_2_refuses_is_refused(self) -> None:
        a, a_scales, _, _ = operand(4, 128, 1)
        good = NVFP4 | {"c_dtype": "bfloat16"}
        for change in (
            {"ab_dtype": "float8_e4m3fn"},
            {"sf_vec_size": 32},
            {"sf_dtype": "float8_e8m0fnu"},
            {"c_dtype": "float8_e4m3fn"},
            {"mma_tiler_mn": (64, 128)},
            {"cluster_shape_mn": (2, 1)},
        ):
            with pytest.raises(TypeError, match="dense_gemm launch is unsupported with"):
                b12x.gemm.dense_gemm((a, a_scales), (a, a_scales), **(good | change))


def test_explain_tells_the_choice_without_running(capsys) -> None:
    assert main(["explain", "gemm", "12", "4096", "4096", "--json", "--out", "float32"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["chosen"]["kernel"] == "b12x_nvfp4_gemm_skinny_m16_f32"
    assert record["chosen"]["blocks"] == 188
    assert 32 <= record["chosen"]["registers"] <= 255
    assert [c["can_run"] for c in record["candidates"]] == [False, True, True, True, False, True]
    assert main(["explain", "gemm", "4096", "4096", "4096", "--gpu", "gb10"]) == 0
    text = capsys.readouterr().out
    assert "* tiled 128x256" in text
    for fact in (
        "tile           128 x 256, 128 k a stage, 3 stages",
        "blocks         48 of 384 threads on 48 SMs",
        "shared memory  100,352 bytes a block",
        "registers      168 a thread at launch",
        "tiles          512, 80 of them cut along k; 10.67 waves",
        "balance        ",
        "MMAs           8,388,608, 8,388,608 without padding",
        "bytes          52,428,800 compulsory, 452,984,832 copied by blocks",
        "workspace      ",
        "    skinny m<=8    takes at most 8 rows, m is 4096",
        "    tiled 128x128  comes after the chosen one: 100 % of its MMAs, 133 % of its reads, tiles of 128 x 128 on",
    ):
        assert fact in text
    assert main(["explain", "gemm", "4", "4096", "4096", "--a", "bfloat16"]) == 0
    assert "gemm[b12x_nvfp4_gemm_skinny_quantize_m8_bf16 m=4" in capsys.readouterr().out
    assert main(["explain", "gemm", "9", "4096", "4096", "--a", "float16", "--out", "float16"]) == 1
    assert "takes at most 8 rows, m is 9" in capsys.readouterr().err
    assert main(["explain", "gemm", "0", "64", "64"]) == 0
    assert "m is 0: a call returns without a launch" in capsys.readouterr().out
    assert main(["explain", "gemm", "1", "12", "64"]) == 1
    assert "n is 12, want a positive multiple of 8" in capsys.readouterr().err


def test_no_tokens() -> None:
    b, b_scales, _, _ = operand(16, 64, 2)
    a = torch.empty(0, 32, dtype=torch.uint8)
    assert b12x.gemm.nvfp4_gemm(a, torch.empty(0, 4, dtype=torch.uint8), b, b_scales).shape == (0, 16)


def test_wrong_arguments_are_refused() -> None:
    a, a_scales, _, _ = operand(4, 128, 1)
    b, b_scales, _, _ = operand(16, 128, 2)

    def message(**change) -> str:
        arguments = {"a": a, "a_scales": a_scales, "b": b, "b_scales": b_scales} | change
        with pytest.raises(ValueError) as error:
            b12x.gemm.nvfp4_gemm(**arguments)
        return str(error.value)

    assert "gemm: k is 48, want a positive multiple of 32" in message(
        a=a[:, :24].contiguous(), b=b[:, :24].contiguous()
    )
    assert "gemm: n is 12, want a positive multiple of 8" in message(b=b[:12])
    assert "gemm: b has shape [16, 32], want [16, 64] = n, k / 2" in message(b=b[:, :32].contiguous())
    assert "gemm: b_scales has 512 bytes, want 1024 = align(n, 128) * align(k / 16, 4)" in message(
        b_scales=b_scales.flatten()[:512]
    )
    assert "gemm: a has dtype float32, want uint8" in message(a=a.float())
    assert "gemm: a has column stride 4, want 1; pass a contiguous copy" in message(
        a=torch.zeros(64, 4, dtype=torch.uint8).T
    )
    assert "gemm: a has shape [4], want [rows, k / 2] or [batches, rows, k / 2]" in message(a=a[:, 0])
    assert "out has shape [4, 8], want [4, 16] = m, n" in message(out=torch.empty(4, 8, dtype=torch.bfloat16))
    assert "out has dtype bfloat16, but out_dtype is float16" in message(
        out=torch.empty(4, 16, dtype=torch.bfloat16), out_dtype="float16"
    )
    assert "alpha has dtype float64, want one of" in message(alpha=torch.ones(1, dtype=torch.float64)).replace(
        ": has", " has"
    )
    wide = torch.zeros(20)
    assert "bias starts at a multiple of 16 bytes plus 4, want a multiple of 16; pass a copy" in message(
        bias=wide[1:17]
    )
    assert "bias has shape [20], want [16] = n" in message(bias=wide)
    assert "b_scales starts at a multiple of 16 bytes plus 8, want a multiple of 16" in message(
        b_scales=torch.zeros(1032, dtype=torch.uint8)[8:]
    )
    assert "gemm: out has dtype int32, want bfloat16, float16 or float32" in message(
        out=torch.empty(4, 16, dtype=torch.int32)
    )
