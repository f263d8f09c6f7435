"""Outputs in the caller's framework.

torch in, torch out; NumPy in, NumPy out. Other DLPack arrays (JAX, CuPy, ...) get NumPy arrays when they lie on the CPU
and torch tensors when they lie on CUDA: both go back by `from_dlpack` without a copy.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np
import tvm_ffi

Array = Any  # a torch.Tensor, numpy.ndarray or any other DLPack array


class Maker(Protocol):
    """Makes arrays beside an input: same framework, same device."""

    default_out_dtype: str

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Uninitialised row-major array; dtype is uint8, float16, bfloat16 or float32."""

    def scalar(self, value: float) -> Array:
        """float32 array of shape [1]."""


class _NumpyMaker:
    default_out_dtype = "float16"

    def empty(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if dtype == "bfloat16":
            raise ValueError("NumPy has no bfloat16: ask for out_dtype='float16', or pass torch tensors")
        return np.empty(shape, dtype)

    def scalar(self, value: float) -> np.ndarray:
        return np.array([value], np.float32)


class _TorchMaker:
    default_out_dtype = "bfloat16"

    def __init__(self, device: Any) -> None:
        import torch

        self._torch, self._device = torch, device

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=self._device)

    def scalar(self, value: float) -> Array:
        return self._torch.full((1,), value, dtype=self._torch.float32, device=self._device)


_NUMPY = _NumpyMaker()
_DL_CUDA = 2


class _WritableAlias:
    """The memory of a read-only NumPy array, described as writable, since tvm-ffi's DLPack cannot say read-only."""

    def __init__(self, x: np.ndarray) -> None:
        address, _ = x.__array_interface__["data"]
        self.__array_interface__ = {**x.__array_interface__, "data": (address, False)}
        self._owner = x


def as_input(name: str, x: Array) -> Array:
    """`x` as the native library takes what it only reads. Raises TypeError for what is no array."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return x.detach()
    if isinstance(x, np.ndarray):
        return x if x.flags.writeable else np.asarray(_WritableAlias(x))
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"{name}: is a {type(x).__name__}, want a torch tensor, a NumPy array or another DLPack array")
    return tvm_ffi.from_dlpack(x)


def take(name: str, x: Array) -> tuple[Array, Maker]:
    """as_input(x), and the maker of the outputs that belong to it."""
    view = as_input(name, x)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(view, torch.Tensor):
        return view, _TorchMaker(view.device)
    place, ordinal = place_of(view)
    return view, _NUMPY if place == "cpu" else _TorchMaker(f"cuda:{ordinal}")


def place_of(x: Array) -> tuple[str, int]:
    """("cpu", 0) or ("cuda", ordinal)."""
    device_type, ordinal = x.__dlpack_device__()
    return ("cuda", int(ordinal)) if device_type == _DL_CUDA else ("cpu", 0)


def matrix_shape(name: str, x: Array) -> tuple[int, int]:
    """(rows, columns). Raises ValueError for another number of dimensions."""
    shape = tuple(int(size) for size in x.shape)
    if len(shape) != 2:
        raise ValueError(f"{name}: has shape {list(shape)}, want two dimensions [rows, columns]")
    return shape


def dtype_name(dtype: Any) -> str:
    """ "bfloat16" for torch.bfloat16, "float16" for numpy.float16, strings as they are."""
    if isinstance(dtype, str):
        return dtype
    return str(dtype).removeprefix("torch.") if "torch" in str(dtype) else np.dtype(dtype).name
