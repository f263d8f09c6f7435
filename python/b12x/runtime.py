"""Devices, drivers and what their kernels did."""

from __future__ import annotations

import functools
import logging
import re

from b12x import env
from b12x._native import function

_log = logging.getLogger("b12x")


def _split(device: str) -> tuple[str, int]:
    match = re.fullmatch(r"(cpu|cuda)(?::(\d+))?", str(device))
    if match is None:
        raise ValueError(f"device is {str(device)!r}, want 'cpu' (the simulated card), 'cuda' or 'cuda:N'")
    return match[1], int(match[2] or 0)


def device_name(device: str = "cpu") -> str:
    """What runs the tensors of `device`: "simulated RTX PRO 6000" for CPU tensors, the GPU's name for "cuda[:N]".

    Raises RuntimeError when the driver or the device is missing.
    """
    name, *_, simulated = function("device_info")(*_split(device))
    if not simulated:
        return str(name)
    return "simulated " + re.sub(r"^(simulated )?(NVIDIA )?(GeForce )?| Blackwell.*$", "", str(name))


def compute_capability(device: str = "cpu") -> int:
    """10 * major + minor: 120, 121, or 90 for a card that runs the proving build."""
    return int(function("device_info")(*_split(device))[1])


def kernel_stats(device: str = "cpu") -> list[dict[str, str | int | float]]:
    """Kernels launched on `device` since the start or the last reset, by name.

    Each row: name, calls, instructions (executed by warps), seconds (spent simulating). A GPU counts calls alone; its
    instructions and seconds are 0.
    """
    rows = function("kernel_stats")(*_split(device))
    return [
        {"name": str(name), "calls": int(calls), "instructions": int(instructions), "seconds": float(seconds)}
        for name, calls, instructions, seconds in rows
    ]


def reset_kernel_stats(device: str = "cpu") -> None:
    """Starts the counts of `kernel_stats` again from zero."""
    function("reset_kernel_stats")(*_split(device))


def select_driver(name: str | None = None) -> str:
    """Chooses the driver of the command line and returns where tensors must lie for it: "cpu" or "cuda".

    name: "gpu" (the system's libcuda.so.1), "sim" (the simulator of this package), the path of a libcuda.so.1, or
    "auto": a GPU that the kernels have code for, and otherwise the simulator. None reads B12X_DRIVER.
    Raises RuntimeError when the driver cannot be opened.
    """
    name = env.driver() if name is None else name
    if name != "auto":
        return str(function("select_driver")(name))
    try:
        place = str(function("select_driver")("gpu"))
        capability = compute_capability(place)
        if capability in (90, 120, 121):
            return place
        reason = f"{device_name(place)} has compute capability {capability / 10}, b12x has kernels for 12.0 and 12.1"
    except RuntimeError as error:
        # 'driver "gpu": cannot open libcuda.so.1: ...; what to do': the first two parts say which case it is
        reason = ":".join(str(error).splitlines()[0].split(":")[:2])
    _log.info("no GPU to run on (%s); using the simulator", reason)
    return str(function("select_driver")("sim"))


@functools.cache
def announce(place: str, ordinal: int) -> None:
    """Says once that CPU tensors run on the simulated card."""
    if place == "cpu":
        _log.warning("running on the %s", device_name("cpu"))
