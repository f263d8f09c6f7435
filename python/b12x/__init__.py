"""b12x: NVFP4 inference kernels for NVIDIA SM120, on the GPU or on a simulator of it.

Tensors decide where a call runs: CUDA tensors on their GPU, CPU tensors on the simulated card. Submodules are imported
on first use, so `import b12x` costs nothing:

    b12x.quant    NVFP4 and MXFP8 quantisation
    b12x.cute     FP4 and scale-layout helpers of b12x 0.7.2
    b12x.gemm     dense GEMM of NVFP4 operands
    b12x.runtime  devices, drivers, kernel statistics
"""

from __future__ import annotations

import importlib
from types import ModuleType

__version__ = "0.1.0"

_SUBMODULES = ("cute", "gemm", "model", "quant", "runtime")


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"b12x.{name}")
    raise AttributeError(f"module 'b12x' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES])
