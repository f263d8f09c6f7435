"""The bundled simulator: where its libcuda.so.1 lies, the environment that makes a program use it, its own functions.

In: what a run should check. Out: environment variables (simulator/machine/options.hpp lists them) and listings of PTX.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "_lib" / "sim"
GPUS = ("rtx-pro-6000", "rtx-5090", "rtx-5080", "gb10", "h200")
CHECKS = ("memcheck", "race", "init", "sync")
ASYNC_MODES = ("eager", "lazy", "hostile")


@dataclass(frozen=True)
class Settings:
    """How programs run; `check` is "all", "none" or some of CHECKS with commas between them."""

    gpu: str | None = None  # None: B12X_SIM_GPU of the environment, or the simulator's default
    check: str = "all"
    asynchronous: str | None = None  # None: hostile when anything is checked, else eager
    counts: bool = True
    is_l2_cold: bool = False


def library_path() -> Path:
    """The simulator's libcuda.so.1. Raises RuntimeError when it was not built."""
    path = FOLDER / "libcuda.so.1"
    if not path.exists():
        raise RuntimeError(f"the simulator is not built: {path} does not exist; run `make build` in the repository")
    return path


def environment(settings: Settings, seed: int, files: dict[str, Path]) -> dict[str, str]:
    """os.environ with the simulator in front. `files`: variable -> file that the simulator appends to."""
    search = [str(library_path().parent), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    chosen = {
        "LD_LIBRARY_PATH": os.pathsep.join(search),
        "B12X_DRIVER": "sim",
        "B12X_SIM_CHECK": settings.check,
        "B12X_SIM_SEED": str(seed),
        "B12X_SIM_COUNTERS": "1" if settings.counts else "0",
        "B12X_SIM_COLD_L2": "1" if settings.is_l2_cold else "0",
        **{name: str(path) for name, path in files.items()},
    }
    if settings.gpu is not None:
        chosen["B12X_SIM_GPU"] = settings.gpu
    if settings.asynchronous is not None:
        chosen["B12X_SIM_ASYNC"] = settings.asynchronous
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("B12X_SIM_")}
    kept = {name: os.environ[name] for name in ("B12X_SIM_GPU", "B12X_SIM_THREADS") if name in os.environ}
    return inherited | kept | chosen


def disassemble(image: bytes, name: str, kernel: str | None, gpu: str | None) -> str:
    """The listing of a PTX text or fatbin as the simulator runs it. Raises ValueError with the simulator's words."""
    if gpu is not None:
        os.environ["B12X_SIM_GPU"] = gpu  # read once, by cuInit
    library = ctypes.CDLL(str(library_path()), mode=ctypes.RTLD_LOCAL)
    library.simDisassemble.restype = ctypes.c_char_p
    library.simDisassemble.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_char_p]
    library.simLastReport.restype = ctypes.c_char_p
    if library.cuInit(0) != 0:
        raise ValueError(library.simLastReport().decode())
    listing = library.simDisassemble(image, len(image), name.encode(), (kernel or "").encode())
    if listing is None:
        raise ValueError(library.simLastReport().decode())
    return listing.decode(errors="replace")
