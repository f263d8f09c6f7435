"""The native library: found beside this file, loaded on first use. Private; `quant`, `gemm` and `runtime` call it."""

from __future__ import annotations

import functools
from pathlib import Path

import tvm_ffi

_PATH = Path(__file__).parent / "_lib" / "libb12x_ffi.so"


@functools.cache
def library() -> tvm_ffi.Module:
    """The functions of python/native/module.cpp. Raises RuntimeError when the library was not built."""
    if not _PATH.exists():
        raise RuntimeError(f"b12x is not built: {_PATH} does not exist; run `make build` in the repository")
    return tvm_ffi.load_module(_PATH)


@functools.cache
def function(name: str) -> tvm_ffi.Function:
    """One function of the library."""
    return library().get_function(name)
