"""b12x.quant.layout and its 0.7.2 names: every byte where the formula puts it, for torch and NumPy alike."""

from __future__ import annotations

import b12x
import numpy as np
import pytest
import torch
from b12x import cute
from b12x.quant import layout


def offset_of(row: int, block: int, blocks: int) -> int:
    """The definition, written out."""
    padded = -(-blocks // 4) * 4
    return (row // 128 * (padded // 4) + block // 4) * 512 + row % 32 * 16 + row % 128 // 32 * 4 + block % 4


def random_scales(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape[-1]).integers(1, 256, shape, np.uint8)


FRAMEWORKS = [np.asarray, torch.from_numpy]


@pytest.mark.parametrize("of", FRAMEWORKS)
@pytest.mark.parametrize(("rows", "blocks"), [(1, 1), (3, 5), (128, 4), (129, 9), (300, 16)])
def test_swizzle_places_every_byte(of, rows: int, blocks: int) -> None:
    scales = random_scales(rows, blocks)
    swizzled = b12x.quant.swizzle_block_scale(of(scales))
    assert type(swizzled) is type(of(scales))
    padded_blocks = -(-blocks // 4) * 4
    assert tuple(swizzled.shape) == (-(-rows // 128) * 128, padded_blocks) == layout.scale_shape(rows, 16 * blocks)
    flat, seen = np.asarray(swizzled).ravel(), np.zeros(swizzled.shape[0] * padded_blocks, bool)
    for r in range(rows):
        for b in range(blocks):
            assert layout.scale_offset(r, b, blocks) == offset_of(r, b, blocks)
            assert flat[offset_of(r, b, blocks)] == scales[r, b]
            seen[offset_of(r, b, blocks)] = True
    assert not flat[~seen].any(), "padding is zero"
    assert np.array_equal(np.asarray(b12x.quant.unswizzle_block_scale(swizzled, rows, blocks)), scales)


@pytest.mark.parametrize("of", FRAMEWORKS)
def test_groups_are_swizzled_one_by_one(of) -> None:
    scales = random_scales(3, 130, 6)
    swizzled = b12x.quant.swizzle_block_scale(of(scales))
    assert tuple(swizzled.shape) == (3, 256, 8)
    for g in range(3):
        assert np.array_equal(np.asarray(swizzled[g]), layout.swizzle_block_scale(scales[g]))
    assert np.array_equal(np.asarray(b12x.quant.unswizzle_block_scale(swizzled, 130, 6)), scales)


def test_e4m3_keeps_its_dtype() -> None:
    scales = torch.from_numpy(random_scales(5, 6)).view(torch.float8_e4m3fn)
    swizzled = b12x.quant.swizzle_block_scale(scales)
    assert swizzled.dtype is torch.float8_e4m3fn
    assert torch.equal(b12x.quant.unswizzle_block_scale(swizzled, 5, 6), scales.view(torch.uint8))


@pytest.mark.parametrize("n", [8, 100, 128, 352])
def test_w13_is_swizzled_as_one_matrix(n: int) -> None:
    blocks = 6
    up, gate = random_scales(n, blocks), random_scales(n, blocks) ^ 0x55
    flat = b12x.quant.swizzle_block_scale(np.concatenate([up, gate])).ravel()
    for half, scales in enumerate((up, gate)):
        for r in range(0, n, 7):
            for b in range(blocks):
                assert flat[b12x.quant.w13_scale_offset(half, r, b, n, blocks)] == scales[r, b]


@pytest.mark.parametrize("of", FRAMEWORKS)
def test_views_of_the_mma_layout(of) -> None:
    groups, rows, cols = 2, 130, 16 * 6
    scales = random_scales(groups, rows, cols // 16)
    storage = b12x.quant.swizzle_block_scale(of(scales))
    view = b12x.quant.as_grouped_scale_view(storage, rows, cols)
    assert tuple(view.shape) == (32, 4, 2, 4, 2, groups) == cute.get_mma_sf_shape(rows, cols, groups)
    as_bytes = np.asarray(view.view(torch.uint8) if isinstance(view, torch.Tensor) else view)
    for g in range(groups):
        for r in range(rows):
            for b in range(cols // 16):
                assert as_bytes[r % 32, r % 128 // 32, r // 128, b % 4, b // 4, g] == scales[g, r, b]
    if isinstance(view, torch.Tensor):
        assert view.dtype is torch.float8_e4m3fn
        assert view.data_ptr() == storage.data_ptr(), "a view, not a copy"
        view = view.view(torch.uint8)
    else:
        assert np.shares_memory(view, storage)
    back = cute.convert_sf_from_mma_layout(view, rows, cols, groups)
    assert tuple(back.shape) == (groups * 256, 8)
    assert np.array_equal(np.asarray(back).ravel(), np.asarray(storage).ravel())
    again = cute.convert_sf_to_mma_layout(back, rows, cols, groups)
    assert np.array_equal(np.asarray(again), as_bytes)


def test_indices_are_the_same_permutation() -> None:
    scales = torch.from_numpy(random_scales(256, 12))
    indices = b12x.quant.make_swizzle_indices(256, 12)
    assert torch.equal(scales.flatten()[indices], b12x.quant.swizzle_block_scale(scales).flatten())


def test_alignment() -> None:
    assert [b12x.quant.align_up(x, 4) for x in (0, 1, 4, 5)] == [0, 4, 4, 8]
    assert [cute.ceil_div(x, 4) for x in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert cute.get_mma_sf_shape(1, 48, 1, 32) == (32, 4, 1, 4, 1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layout.swizzle_block_scale(np.zeros(4, np.uint8)), r"shape \[4\], want \[rows, blocks\]"),
        (lambda: layout.unswizzle_block_scale(np.zeros(7, np.uint8), 3, 2), "got 7 bytes, want 512 = 128 x 4"),
        (
            lambda: layout.unswizzle_block_scale(np.zeros((2, 64, 4), np.uint8), 3, 2),
            "got 512 bytes, want 1024.*2 groups",
        ),
        (lambda: layout.as_grouped_scale_view(np.zeros((2, 128, 4), np.uint8), 129, 64), r"want \[groups, 256, 4\]"),
        (lambda: layout.convert_sf_to_mma_layout(np.zeros(512, np.uint8), 129, 64), "has 512 scales, want 1024"),
        (lambda: layout.convert_sf_from_mma_layout(np.zeros((32, 4), np.uint8), 1, 64), r"want \[32, 4, 1, 4, 1, 1\]"),
        (lambda: layout.make_swizzle_indices(100, 4), "want multiples of 128 and 4"),
    ],
)
def test_wrong_shapes_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
