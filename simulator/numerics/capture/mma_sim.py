"""Ask Microsoft's MMA-Sim, an independent model of tensor cores, about the forms of mma.sync that only SM120 has.

    build/simulator/tests/numerics/mma_sim_tiles TILES
    PYTHONPATH=MMA-SIM python3 simulator/numerics/capture/mma_sim.py TILES [--record FILE] [--limit N]

MMA-SIM is a checkout of github.com/microsoft/MMA-Sim (MIT licence; needs torch). TILES holds 2,002 tiles of each form
and our own answers. Prints per form and situation how many tiles differ; --record writes a line per tile,
`form tile fnv1a-64 of D`, for the test that replays them. This is a model, not silicon: its authors compared it with
an RTX PRO 6000.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import torch
from mmasim.simulator import nv_ptx  # type: ignore[import-not-found]

TILES, SITUATIONS, WORDS = 2002, 7, 128 + 64 + 128 + 32 + 32 + 128
# In the order of kSm120Forms (simulator/tests/numerics/mma_tiles.hpp): k, bits of D, A, B, scales a row, name.
# Nothing: MMA-Sim does not have it (6-bit types), or takes e2m1 in k32 for integers.
FORMS = (
    (64, 32, "e2m1", "e2m1", 4, "m16n8k64.block16.f32.e2m1.e2m1.f32.ue4m3"),
    (64, 32, "e2m1", "e2m1", 4, "m16n8k64.block16.f32.e2m1.e2m1.f32.ue8m0"),
    (64, 32, "e2m1", "e2m1", 2, "m16n8k64.block32.f32.e2m1.e2m1.f32.ue8m0"),
    (32, 32, "e4m3", "e4m3", 1, "m16n8k32.block32.f32.e4m3.e4m3.f32.ue8m0"),
    None,
    None,
    (32, 32, "e4m3", "e5m2", 0, "m16n8k32.f32.e4m3.e5m2.f32"),
    None,
    (16, 32, "e4m3", "e4m3", 0, "m16n8k16.f32.e4m3.e4m3.f32"),
    (32, 16, "e4m3", "e4m3", 0, "m16n8k32.f16.e4m3.e4m3.f16"),
)
# MMA-Sim aligns a zero C at 2^-126. In the 25-bit forms that both have, an H200 aligns it at 2^-133, and so do we: sums
# below that differ, so tiny scales of mxf8f6f4 are compared and printed, and not recorded.
MXF8, TINY_SCALES = 3, 3
TYPES = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}


def operand_bytes(registers: np.ndarray, rows: int, k_bytes: int) -> np.ndarray:
    """[rows, k_bytes] of a fragment: word l of register i has bytes 4 (l % 4) + 16 (i // groups) of row l // 4."""
    groups = rows // 8
    out = np.zeros((rows, k_bytes), np.uint8)
    for i in range(groups * k_bytes // 16):
        words = registers[i].view(np.uint8).reshape(8, 16)
        out[8 * (i % groups) : 8 * (i % groups) + 8, 16 * (i // groups) : 16 * (i // groups) + 16] = words
    return out


def matrix(registers: np.ndarray, bits: int) -> np.ndarray:
    """[16, 8] words of C or D: register v, lane l is row l // 4 + 8 (v // 2), column 2 (l % 4) + v % 2."""
    if bits == 16:
        registers = np.stack([registers[v // 2] >> (16 * (v % 2)) & 0xFFFF for v in range(4)])
    out = np.zeros((16, 8), np.uint32)
    for v in range(4):
        out[8 * (v // 2) : 8 * (v // 2) + 8, v % 2 :: 2] = registers[v].reshape(8, 4)
    return out


def elements(raw: np.ndarray, name: str) -> torch.Tensor:
    """Codes as the tensor type that MMA-Sim wants; e2m1 are two in a byte."""
    codes = torch.from_numpy(raw.copy())
    return codes if name == "e2m1" else codes.view(TYPES[name])


def ask(form: tuple, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """D of MMA-Sim and ours, [16, 8] words each."""
    k, bits, a_type, b_type, scales, name = form
    a, b, c, scale_a, scale_b, d = np.split(words, np.cumsum([128, 64, 128, 32, 32]))
    k_bytes = 32 if k >= 32 else 16
    A = operand_bytes(a.reshape(4, 32), 16, k_bytes)
    B = operand_bytes(b.reshape(2, 32), 8, k_bytes)
    C = matrix(c.reshape(4, 32), bits)
    ours = matrix(d.reshape(4, 32), bits)
    if bits == 32:
        c_values = torch.from_numpy(C.view(np.float32).copy())
    else:
        c_values = torch.from_numpy(C.astype(np.uint16).view(np.float16).copy())
    if scales:
        model = nv_ptx.mma_block_scale("RTX Blackwell", name)
        kind = torch.float8_e4m3fn if name.endswith("ue4m3") else torch.float8_e8m0fnu
        rows = [4 * (row & 7) + (row >> 3) for row in range(16)]

        def take(registers: np.ndarray, lanes: list[int]) -> torch.Tensor:
            """The first `scales` bytes of the lanes' words."""
            return torch.from_numpy(registers[lanes].view(np.uint8).reshape(-1, 4)[:, :scales].copy()).view(kind)

        sa, sb = take(scale_a, rows), take(scale_b, [4 * column for column in range(8)]).T
        got = model(elements(A, a_type), elements(B, b_type).T, c_values, sa, sb)
    else:
        model = nv_ptx.mma("RTX Blackwell", name)
        got = model(elements(A, a_type), elements(B, b_type).T, c_values)
    theirs = got.view(torch.int32 if bits == 32 else torch.int16).numpy()
    return theirs.astype(np.int64) & ((1 << bits) - 1), ours


def work(job: tuple[int, int, np.ndarray]) -> tuple[int, int, bool, int]:
    """One tile: form, index, whether the models agree, hash of MMA-Sim's D."""
    torch.set_num_threads(1)
    index, tile, words = job
    theirs, ours = ask(FORMS[index], words)
    value = 0xCBF29CE484222325
    for word in theirs.reshape(-1):
        value = (value ^ int(word)) * 0x100000001B3 & (1 << 64) - 1
    return index, tile, bool((theirs == ours).all()), value


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tiles", type=Path)
    parser.add_argument("--record", type=Path, help="file for MMA-Sim's answers")
    parser.add_argument("--limit", type=int, default=TILES, help="tiles of each form")
    options = parser.parse_args()
    words = np.fromfile(options.tiles, np.uint32).reshape(len(FORMS), TILES, WORDS)
    jobs = [(i, t, words[i, t]) for i, form in enumerate(FORMS) if form for t in range(options.limit)]
    wrong = np.zeros((len(FORMS), SITUATIONS), int)
    lines = []
    with multiprocessing.Pool() as pool:
        for index, tile, same, value in pool.imap(work, jobs, chunksize=16):
            wrong[index, tile % SITUATIONS] += not same
            if not (index == MXF8 and tile % SITUATIONS == TINY_SCALES):
                lines.append(f"{index} {tile} {value:016x}")
    for index, form in enumerate(FORMS):
        if form:
            print(f"{form[5]}: differing tiles by situation {wrong[index].tolist()} of {options.limit}")
    if options.record is not None:
        options.record.write_text("\n".join(lines) + "\n")
    wrong[MXF8, TINY_SCALES] = 0
    return 1 if wrong.any() else 0


if __name__ == "__main__":
    sys.exit(main())
