"""One recorded launch of a foreign kernel: `<folder>/<name>.json` and `.ptx`, as values.

In: the folder of an extraction. Out: Case objects. README.md lists the fields of the JSON that are read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device import CLUSTER_DIMENSION, COOPERATIVE, PROGRAMMATIC, Launch

_ATTRIBUTES = {
    "cooperative": COOPERATIVE,
    "cluster_dim": CLUSTER_DIMENSION,
    "programmatic_stream_serialization": PROGRAMMATIC,
}


@dataclass(frozen=True)
class Parameter:
    """A kernel parameter as it was recorded. `tensor_map`: the decoded fields of 128 bytes that are one."""

    name: str
    kind: str
    value: bytes
    tensor_map: dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    name: str
    problem: dict[str, Any]  # kind, m, n, k or kind, tokens ..
    ptx: bytes
    launch: Launch
    parameters: tuple[Parameter, ...]


def folder_of(work: Path) -> Path:
    """Where the cases lie: the folder itself, or `out` in it."""
    return work / "out" if (work / "out").is_dir() else work


def names(work: Path) -> list[str]:
    """Of all cases that have both files."""
    folder = folder_of(work)
    return sorted(p.stem for p in folder.glob("*.ptx") if p.with_suffix(".json").exists())


def read_case(work: Path, name: str) -> Case:
    """Raises ValueError when the folder has no such case."""
    folder = folder_of(work)
    path = folder / f"{name}.json"
    if not path.exists():
        raise ValueError(f"{folder} has no case {name!r}; it has: {', '.join(names(work)) or 'none'}")
    record = json.loads(path.read_text())
    launch = record["launch"]
    attributes = []
    for key, value in launch["attributes"].items():
        if key not in _ATTRIBUTES:
            raise ValueError(f"{name}: launch attribute {key!r} is not known here")
        attributes.append((_ATTRIBUTES[key], tuple(value) if isinstance(value, list) else (value,)))
    return Case(
        name=name,
        problem=record["case"],
        ptx=(folder / f"{name}.ptx").read_bytes(),
        launch=Launch(
            entry=record["entry"],
            grid=tuple(launch["grid"]),
            block=tuple(launch["block"]),
            dynamic_shared=launch["dynamic_smem"],
            attributes=tuple(attributes),
        ),
        parameters=tuple(
            Parameter(
                p.get("name", f"parameter {p['index']}"),
                p.get("mlir_type", ""),
                bytes.fromhex(p["sample_hex"]),
                p.get("tensormap"),
            )
            for p in record["params"]
        ),
    )
