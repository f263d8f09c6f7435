"""The 128x4 order of block scales, for NumPy arrays and torch tensors alike: to it, from it, and views of it.

In and out: bytes of scales (uint8, or float8_e4m3fn in torch). A matrix of scales [rows, blocks] is padded with zeros
to [R, C] = [align(rows, 128), align(blocks, 4)] and cut into atoms of 128 rows x 4 blocks, 512 bytes each, along K
first:

    byte of (r, b) = ((r / 128) * (C / 4) + b / 4) * 512 + (r % 32) * 16 + (r % 128 / 32) * 4 + b % 4

Nothing here copies but where it says so. This file imports neither NumPy nor torch: it asks its arguments.
"""

from __future__ import annotations

import sys
from typing import Any

Array = Any  # a torch.Tensor or numpy.ndarray

ATOM_ROWS, ATOM_BLOCKS, ATOM_BYTES = 128, 4, 512
BLOCK = 16


def align_up(x: int, alignment: int) -> int:
    """The smallest multiple of `alignment` that is >= x."""
    return -(-x // alignment) * alignment


def scale_shape(rows: int, cols: int, block: int = BLOCK) -> tuple[int, int]:
    """Shape of the swizzled scales of a [rows, cols] tensor: padded rows, padded blocks."""
    return align_up(rows, ATOM_ROWS), align_up(-(-cols // block), ATOM_BLOCKS)


def scale_offset(row: int, block: int, blocks: int) -> int:
    """Byte of the scale of (row, block) in the swizzled scales of a matrix with `blocks` blocks a row."""
    atoms_k = -(-blocks // ATOM_BLOCKS)
    atom = row // ATOM_ROWS * atoms_k + block // ATOM_BLOCKS
    return atom * ATOM_BYTES + row % 32 * 16 + row % ATOM_ROWS // 32 * 4 + block % ATOM_BLOCKS


def w13_scale_offset(half: int, row: int, block: int, n: int, blocks: int) -> int:
    """scale_offset of row `row` of half 0 or 1 of a concatenated w13 [2n, k], whose scales are swizzled as one matrix.

    The second half starts at row n, inside an atom unless n is a multiple of 128. b12x has up first, then gate.
    """
    return scale_offset(half * n + row, block, blocks)


def _is_torch(x: Array) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _permute(x: Array, order: tuple[int, ...]) -> Array:
    return x.permute(order) if _is_torch(x) else x.transpose(order)


def _bytes(x: Array) -> Array:
    """x as uint8."""
    return x.view(sys.modules["torch"].uint8) if _is_torch(x) else x.view("uint8")


def swizzle_block_scale(scales: Array) -> Array:
    """Row-major scales [rows, blocks] or [groups, rows, blocks] -> a copy in 128x4 order, padded with zero bytes.

    Returns the same rank and dtype: [align(rows, 128), align(blocks, 4)], behind [groups] if there are groups.
    Raises ValueError for another rank.
    """
    if len(scales.shape) not in (2, 3):
        got = list(scales.shape)
        raise ValueError(f"swizzle_block_scale: scales have shape {got}, want [rows, blocks] or [groups, rows, blocks]")
    lead = tuple(scales.shape[:-2])
    rows, blocks = scales.shape[-2:]
    padded_rows, padded_blocks = scale_shape(rows, blocks, 1)
    shape = (*lead, padded_rows, padded_blocks)
    padded = _bytes(scales).new_zeros(shape) if _is_torch(scales) else sys.modules["numpy"].zeros(shape, "uint8")
    padded[..., :rows, :blocks] = _bytes(scales)
    tiles = padded.reshape(*lead, padded_rows // 128, 4, 32, padded_blocks // 4, 4)
    k = len(lead)
    order = (*range(k), k, k + 3, k + 2, k + 1, k + 4)
    return _permute(tiles, order).reshape(shape).view(scales.dtype)


def unswizzle_block_scale(swizzled: Array, rows: int, blocks: int) -> Array:
    """Inverse of swizzle_block_scale: a row-major copy [.., rows, blocks] of uint8, padding dropped.

    swizzled: uint8 or float8_e4m3fn; [groups, ..] if of rank 3, else any shape with the bytes of one matrix.
    Raises ValueError when the number of bytes is not that of [rows, blocks] padded to 128 x 4.
    """
    padded_rows, padded_blocks = scale_shape(rows, blocks, 1)
    lead = tuple(swizzled.shape[:1]) if len(swizzled.shape) == 3 else ()
    have, want = _size(swizzled), (lead[0] if lead else 1) * padded_rows * padded_blocks
    if have != want:
        raise ValueError(
            f"unswizzle_block_scale: got {have} bytes, want {want} = {padded_rows} x {padded_blocks} for a "
            f"[{rows}, {blocks}] scale matrix padded to 128 x 4" + (f", {lead[0]} groups" if lead else "")
        )
    tiles = _bytes(swizzled).reshape(*lead, padded_rows // 128, padded_blocks // 4, 32, 4, 4)
    k = len(lead)
    order = (*range(k), k, k + 3, k + 2, k + 1, k + 4)
    plain = _permute(tiles, order).reshape(*lead, padded_rows, padded_blocks)[..., :rows, :blocks]
    return plain.contiguous() if _is_torch(plain) else plain.copy()


def _size(x: Array) -> int:
    return x.numel() if _is_torch(x) else x.size


def get_mma_sf_shape(m: int, k: int, num_groups: int = 1, sf_vec_size: int = BLOCK) -> tuple[int, ...]:
    """(32, 4, ceil(m / 128), 4, ceil(k / sf_vec_size / 4), num_groups): what convert_sf_to_mma_layout returns."""
    padded_rows, padded_blocks = scale_shape(m, k, sf_vec_size)
    return 32, 4, padded_rows // ATOM_ROWS, 4, padded_blocks // ATOM_BLOCKS, num_groups


def convert_sf_to_mma_layout(sf: Array, m: int, k: int, num_groups: int = 1, sf_vec_size: int = BLOCK) -> Array:
    """A view of swizzled scales, one index a digit: [r % 32, r % 128 / 32, r / 128, b % 4, b / 4, group].

    sf: contiguous scales of num_groups matrices [m, k] in 128x4 order, any shape.
    Raises ValueError when their number is not num_groups * ceil(m / 128) * ceil(ceil(k / sf_vec_size) / 4) * 512.
    """
    _, _, row_tiles, _, atoms_k, _ = get_mma_sf_shape(m, k, num_groups, sf_vec_size)
    want = num_groups * row_tiles * atoms_k * ATOM_BYTES
    if _size(sf) != want:
        raise ValueError(
            f"convert_sf_to_mma_layout: sf has {_size(sf)} scales, want {want} = {num_groups} groups x {row_tiles} row "
            f"tiles x {atoms_k} atoms x {ATOM_BYTES} for m={m}, k={k}, sf_vec_size={sf_vec_size}"
        )
    digits = sf.reshape(num_groups, row_tiles, atoms_k, 32, 4, 4)
    return _permute(digits, (3, 4, 1, 5, 2, 0))


def convert_sf_from_mma_layout(sf: Array, m: int, k: int, num_groups: int = 1, sf_vec_size: int = BLOCK) -> Array:
    """Inverse of convert_sf_to_mma_layout: contiguous swizzled scales [num_groups * align(m, 128), align(k / 16, 4)].

    Raises ValueError when sf has not the shape get_mma_sf_shape(m, k, num_groups, sf_vec_size).
    """
    shape = get_mma_sf_shape(m, k, num_groups, sf_vec_size)
    if tuple(sf.shape) != shape:
        raise ValueError(f"convert_sf_from_mma_layout: sf has shape {list(sf.shape)}, want {list(shape)}")
    _, _, row_tiles, _, atoms_k, _ = shape
    return _permute(sf, (5, 2, 4, 0, 1, 3)).reshape(num_groups * row_tiles * ATOM_ROWS, atoms_k * ATOM_BLOCKS)


def as_grouped_scale_view(scale_storage: Array, rows: int, cols: int) -> Array:
    """convert_sf_to_mma_layout of scales [groups, align(rows, 128), align(cols / 16, 4)] of [rows, cols] values.

    uint8 torch tensors come out as float8_e4m3fn; NumPy, which has no such type, keeps uint8.
    Raises ValueError for another shape.
    """
    want = scale_shape(rows, cols)
    if len(scale_storage.shape) != 3 or tuple(scale_storage.shape[1:]) != want:
        raise ValueError(
            f"as_grouped_scale_view: scales have shape {list(scale_storage.shape)}, want [groups, {want[0]}, {want[1]}]"
            f" = [groups, align(rows, 128), align(cols / 16, 4)]"
        )
    if _is_torch(scale_storage):
        scale_storage = scale_storage.view(sys.modules["torch"].float8_e4m3fn)
    return convert_sf_to_mma_layout(scale_storage, rows, cols, scale_storage.shape[0])


def make_swizzle_indices(padded_rows: int, padded_cols: int, device: Any = None) -> Array:
    """int64 torch vector `i` with swizzled.flatten() = row_major.flatten()[i], for [padded_rows, padded_cols] scales.

    Raises ValueError unless the sizes are multiples of 128 and 4.
    """
    if padded_rows % ATOM_ROWS or padded_cols % ATOM_BLOCKS:
        raise ValueError(f"make_swizzle_indices: [{padded_rows}, {padded_cols}], want multiples of 128 and 4")
    import torch

    plain = torch.arange(padded_rows * padded_cols, device=device)
    tiles = plain.reshape(padded_rows // 128, 4, 32, padded_cols // 4, 4)
    return tiles.permute(0, 3, 2, 1, 4).reshape(-1)
