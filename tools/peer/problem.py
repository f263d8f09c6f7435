"""What a case computes: buffers by name, which parameter points to which, and whether the results are right.

In: a case and a seed. Out: a Problem, made by dense.py or moe.py. A parameter keeps the bytes that were recorded but
for its pointer, which becomes that of our buffer: tensor maps stay the 128 bytes that the package's host code wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from case import Case


@dataclass(frozen=True)
class Verdict:
    is_right: bool
    text: str


@dataclass(frozen=True)
class Problem:
    """`buffers`: contents, or the bytes of one that starts with nothing written. `targets`: parameter -> buffer.

    `verdict` takes the bytes of `result` after the launch.
    """

    buffers: dict[str, np.ndarray | int]
    targets: dict[str, str]
    result: str
    verdict: Callable[[np.ndarray], Verdict]


def size_of(buffer: np.ndarray | int) -> int:
    return buffer if isinstance(buffer, int) else buffer.nbytes


def arguments(case: Case, problem: Problem, addresses: dict[str, int]) -> list[bytes]:
    """The parameters' bytes with our addresses in them. Raises ValueError for a pointer that nobody knows."""
    values = []
    for parameter in case.parameters:
        target = problem.targets.get(parameter.name)
        if target is not None:
            values.append(addresses[target].to_bytes(8, "little") + parameter.value[8:])
        elif parameter.tensor_map is not None or "gmem" in parameter.kind:
            raise ValueError(f"{case.name}: parameter {parameter.name} points somewhere, and to what is not known here")
        else:
            values.append(parameter.value)
    return values
