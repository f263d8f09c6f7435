"""The fatbin reader and the kernel table, on fatbins that are put together byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import fatbin
import kernel_table
import pytest


def entry(kind: int, sm: int, payload: bytes, flags: int = 0x11) -> bytes:
    """One entry: 64 header bytes (kind at 0, header size at 4, payload size at 8, sm at 28, flags at 40)."""
    header = bytearray(64)
    struct.pack_into("<HHIQ", header, 0, kind, 0x0101, 64, len(payload))
    struct.pack_into("<I", header, 28, sm)
    struct.pack_into("<Q", header, 40, flags)
    return bytes(header) + payload


def write(path: Path, *entries: bytes) -> Path:
    """A fatbin file of these entries."""
    body = b"".join(entries)
    path.write_bytes(struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body)
    return path


def write_compiled(path: Path, *names: str) -> Path:
    """A fatbin with these kernels for both targets, and the log that ptxas leaves beside it: 40 registers each."""
    path.with_suffix(".ptxas.log").write_text(
        "".join(
            f"ptxas info    : Compiling entry function '{name}' for 'sm_120f'\n"
            f"ptxas info    : Used 40 registers, used 1 barriers\n"
            for name in names
        )
    )
    return write(path, entry(1, 120, ptx(*names)), entry(1, 90, ptx(*reversed(names))))


def ptx(*names: str) -> bytes:
    """PTX text with these entries, padded as nvcc does."""
    return "".join(f".visible .entry {name}(\n)\n{{ ret; }}\n" for name in names).encode() + b"\0" * 5


def test_reads_every_image(tmp_path):
    path = write(
        tmp_path / "a.fatbin", entry(1, 120, ptx("b12x_a")), entry(2, 120, b"\x7fELF"), entry(1, 90, ptx("b12x_a"))
    )
    assert [(image.kind, image.sm) for image in fatbin.read_fatbin(path)] == [("ptx", 120), ("cubin", 120), ("ptx", 90)]
    assert fatbin.read_fatbin(path)[1].data == b"\x7fELF"
    assert fatbin.read_fatbin(path)[0].entries() == ["b12x_a"]


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"short", "header of 16"),
        (b"\0" * 32, "magic is 0x0"),
        (struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 999), "header tells 1015 bytes"),
        (struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 64) + entry(7, 90, b""), "unknown kind 7"),
        (struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 64) + entry(1, 90, b"", flags=0x2000), "compressed entry"),
    ],
)
def test_refuses_what_is_no_plain_fatbin(tmp_path, blob: bytes, words: str):
    path = tmp_path / "bad.fatbin"
    path.write_bytes(blob)
    with pytest.raises(ValueError, match=words):
        fatbin.read_fatbin(path)


def test_rows_are_sorted_and_point_to_their_file(tmp_path):
    b = write_compiled(tmp_path / "b-2.fatbin", "b12x_z", "b12x_m")
    a = write_compiled(tmp_path / "a.fatbin", "b12x_n")
    symbols, table = kernel_table.tables([b, a])
    assert table.splitlines()[1:] == [
        '{"b12x_m", b12x_fatbin_b_2_begin, b12x_fatbin_b_2_end, 40},',
        '{"b12x_n", b12x_fatbin_a_begin, b12x_fatbin_a_end, 40},',
        '{"b12x_z", b12x_fatbin_b_2_begin, b12x_fatbin_b_2_end, 40},',
    ]
    assert 'extern "C" const unsigned char b12x_fatbin_a_begin[], b12x_fatbin_a_end[];' in symbols


def test_bad_tables(tmp_path):
    one = write_compiled(tmp_path / "one.fatbin", "b12x_a")
    two = write_compiled(tmp_path / "two.fatbin", "b12x_a")
    with pytest.raises(ValueError, match=r"is in .*one.fatbin too"):
        kernel_table.tables([one, two])
    with pytest.raises(ValueError, match="not named b12x_"):
        kernel_table.tables([write_compiled(tmp_path / "c.fatbin", "_Z3foov")])
    untold = write_compiled(tmp_path / "e.fatbin", "b12x_a")
    untold.with_suffix(".ptxas.log").write_text("")
    with pytest.raises(ValueError, match="tells no registers of b12x_a"):
        kernel_table.tables([untold])
    empty = write_compiled(tmp_path / "d.fatbin", "b12x_a")
    with pytest.raises(ValueError, match="no kernel in it"):
        kernel_table.tables([write(empty, entry(1, 120, b"\0"))])
    with pytest.raises(ValueError, match="targets have different kernels"):
        kernel_table.tables([write(tmp_path / "e.fatbin", entry(1, 120, ptx("b12x_a")), entry(1, 90, ptx("b12x_b")))])
