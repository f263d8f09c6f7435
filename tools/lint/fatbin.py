"""Reads uncompressed CUDA fatbins: path in, list of images (PTX text or cubin bytes, with their target) out.

A fatbin is a header (magic, version, header bytes, payload bytes) and then entries, each with a header of its own; the
fields used here are at the same place in every nvcc since 11.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

_MAGIC = 0xBA55ED50
_KIND_PTX = 1
_KIND_ELF = 2
_FLAG_COMPRESSED = 0x2000


@dataclass(frozen=True)
class Image:
    """One entry: `kind` is 'ptx' or 'cubin', `sm` the number of its architecture (120, 90), `data` its payload."""

    kind: str
    sm: int
    data: bytes

    @property
    def ptx(self) -> str:
        """PTX text without the padding that follows it."""
        return self.data.split(b"\0", 1)[0].decode()

    def entries(self) -> list[str]:
        """Names of the kernels in a PTX image, in order of appearance."""
        return re.findall(r"^\s*\.visible\s+\.entry\s+([\w$]+)", self.ptx, re.MULTILINE)


def read_fatbin(path: Path) -> list[Image]:
    """All images of the file at `path`. Raises ValueError, naming the file, where it is no uncompressed fatbin."""
    blob = path.read_bytes()
    if len(blob) < 16:
        raise ValueError(f"{path}: {len(blob)} bytes, a fatbin has a header of 16")
    magic, _version, header_bytes, payload_bytes = struct.unpack_from("<IHHQ", blob)
    if magic != _MAGIC:
        raise ValueError(f"{path}: magic is {magic:#x}, a fatbin has {_MAGIC:#x}")
    if header_bytes + payload_bytes > len(blob):
        raise ValueError(f"{path}: header tells {header_bytes + payload_bytes} bytes, the file has {len(blob)}")
    images = []
    at = header_bytes
    while at < header_bytes + payload_bytes:
        kind, _version, entry_header, size = struct.unpack_from("<HHIQ", blob, at)
        (sm,) = struct.unpack_from("<I", blob, at + 28)
        (flags,) = struct.unpack_from("<Q", blob, at + 40)
        if flags & _FLAG_COMPRESSED:
            raise ValueError(f"{path}: compressed entry at byte {at}; build with --compress-mode=none")
        if kind not in (_KIND_PTX, _KIND_ELF):
            raise ValueError(f"{path}: entry of unknown kind {kind} at byte {at}")
        data = blob[at + entry_header : at + entry_header + size]
        images.append(Image("ptx" if kind == _KIND_PTX else "cubin", sm, data))
        at += entry_header + size
    return images
