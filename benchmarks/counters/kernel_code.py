"""A built library -> kernel name -> a checksum of that kernel's PTX for Hopper.

A recorded measurement carries it, so that it is never held against a kernel that has changed since. The idea: PTX lies
uncompressed in the library; without its debug information it is the same text wherever and whenever it was compiled.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

_MODULE = re.compile(rb"\.version [\d.]+\s+\.target sm_90a\b[^\0]*")
_ENTRY = re.compile(r"^\.visible \.entry (\w+)\(", re.MULTILINE)
# Comments, lines that speak of source positions, and names that nvcc makes of the path it compiled.
_REMARK = re.compile(r"//.*$|^\s*(?:\.loc|\.file|\$L__(?:tmp|func)\w*:).*$", re.MULTILINE)
_DEBUG = re.compile(r"^\s*\.section", re.MULTILINE)
_PATH = re.compile(r"_INTERNAL_[0-9a-f]+_\w+?_cu_[0-9a-f]+")


def normalised(ptx: str) -> str:
    """The module's instructions and variables alone, a line each."""
    text = _PATH.sub("_INTERNAL_", _REMARK.sub("", _DEBUG.split(ptx, 1)[0]))
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def checksums_of_module(ptx: str) -> dict[str, str]:
    """Each entry with what stands before all of them: variables and functions."""
    text = normalised(ptx)
    starts = [*_ENTRY.finditer(text)]
    ends = [entry.start() for entry in starts[1:]] + [len(text)]
    return {
        entry[1]: hashlib.sha256((text[: starts[0].start()] + text[entry.start() : end]).encode()).hexdigest()[:16]
        for entry, end in zip(starts, ends, strict=True)
    }


def checksums(library: Path) -> dict[str, str]:
    """Every kernel that the library has for Hopper."""
    found: dict[str, str] = {}
    for module in _MODULE.finditer(library.read_bytes()):
        found |= checksums_of_module(module.group().decode())
    return found
