"""The simulator's libcuda.so.1 by ctypes: as much of the Driver API as one launch of a foreign kernel needs.

In: bytes and addresses. Out: bytes, findings and counters. What a call refuses is raised with the simulator's words.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
COOPERATIVE, CLUSTER_DIMENSION, PROGRAMMATIC = 2, 4, 6  # CU_LAUNCH_ATTRIBUTE_*


class _Attribute(ctypes.Structure):
    _fields_ = (("id", ctypes.c_int), ("pad", ctypes.c_char * 4), ("value", ctypes.c_uint32 * 16))


class _Config(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("count", ctypes.c_uint),
    )


@dataclass(frozen=True)
class Launch:
    """How a kernel is started. `attributes`: id -> words of its value."""

    entry: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    dynamic_shared: int
    attributes: tuple[tuple[int, tuple[int, ...]], ...] = ()


class SimulatorError(RuntimeError):
    """A call that the simulator refused, or a launch that ended in a fault."""


class Simulator:
    """One context on the simulated card. The environment (B12X_SIM_*) is read when it is made."""

    def __init__(self, library: Path, gpu: str = "rtx-pro-6000", counts: bool = False) -> None:
        os.environ["B12X_SIM_GPU"] = gpu
        os.environ["B12X_SIM_COUNTERS"] = "1" if counts else "0"
        self._cu = ctypes.CDLL(str(library), mode=ctypes.RTLD_LOCAL)
        for name in ("simLastReport", "simFinding", "simCountersJson", "simDisassemble"):
            getattr(self._cu, name).restype = ctypes.c_char_p
        self._cu.simFindingCount.restype = ctypes.c_size_t
        self._call("cuInit", 0)
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self._call("cuCtxSetCurrent", context)

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._cu, name)(*arguments)
        if code != 0:
            words = self._cu.simLastReport().decode(errors="replace")
            raise SimulatorError(f"{name}: error {code}{': ' if words else ''}{words}")

    def options(self, check: str, asynchronous: str, seed: int) -> None:
        """Of the launches that follow; the words are those of `b12x sim run`."""
        self._call("simSetOptions", check.encode(), asynchronous.encode(), ctypes.c_uint64(seed), ctypes.c_char_p(None))

    def allocate(self, size: int) -> int:
        """The address of device memory."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address.value

    def free(self, address: int) -> None:
        self._call("cuMemFree_v2", ctypes.c_uint64(address))

    def upload(self, address: int, data: np.ndarray) -> None:
        data = np.ascontiguousarray(data)
        self._call(
            "cuMemcpyHtoD_v2",
            ctypes.c_uint64(address),
            data.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(data.nbytes),
        )

    def download(self, address: int, size: int) -> np.ndarray:
        """uint8 [size]."""
        data = np.empty(size, np.uint8)
        self._call(
            "cuMemcpyDtoH_v2", data.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(address), ctypes.c_size_t(size)
        )
        return data

    def load(self, ptx: bytes, entry: str, dynamic_shared: int) -> ctypes.c_void_p:
        """The kernel `entry` of a PTX text, allowed so much dynamic shared memory."""
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(ptx))
        self._call("cuModuleGetFunction", ctypes.byref(function), module, entry.encode())
        if dynamic_shared > 0:
            self._call("cuFuncSetAttribute", function, _MAX_DYNAMIC_SHARED, dynamic_shared)
        return function

    def refusal(self, ptx: bytes, entry: str) -> str:
        """Why a kernel cannot run, with the instructions that are not known; empty when it can. load() is silent."""
        listing = self._cu.simDisassemble(ptx, ctypes.c_size_t(len(ptx)), b"module", entry.encode())
        if listing is None:
            return self._cu.simLastReport().decode(errors="replace")
        _, _, words = listing.decode(errors="replace").partition(f"kernel `{entry}` cannot run")
        return words.strip()

    def launch(self, function: ctypes.c_void_p, how: Launch, parameters: Sequence[bytes]) -> None:
        """Starts it and waits. Raises SimulatorError for a fault or a deadlock; what checks found is in findings()."""
        attributes = (_Attribute * max(1, len(how.attributes)))()
        for attribute, (number, words) in zip(attributes, how.attributes, strict=False):
            attribute.id = number
            attribute.value[: len(words)] = words
        config = _Config(
            grid=how.grid, block=how.block, shared=how.dynamic_shared, attributes=attributes, count=len(how.attributes)
        )
        buffers = [ctypes.create_string_buffer(value, len(value)) for value in parameters]
        pointers = (ctypes.c_void_p * max(1, len(buffers)))(*(ctypes.addressof(buffer) for buffer in buffers))
        self._call("cuLaunchKernelEx", ctypes.byref(config), function, pointers, None)
        self._call("cuCtxSynchronize")

    def findings(self) -> list[dict]:
        """What checks found since the last clear()."""
        return [json.loads(self._cu.simFinding(ctypes.c_size_t(n))) for n in range(self._cu.simFindingCount())]

    def clear(self) -> None:
        """Forgets findings and counters, and empties the modelled L2."""
        self._cu.simClearFindings()
        self._cu.simResetCounters()
        self._cu.simFlushL2()

    def counters(self) -> list[dict]:
        """Of every kernel since the last clear(); docs/counters.md."""
        return json.loads(self._cu.simCountersJson())["kernels"]
