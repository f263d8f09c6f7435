"""What b12x 0.7.2's PTX lacks by the PTX ISA, put in: with it the checkers are silent, so each finding is understood.

In: PTX text. Out: PTX text with as many lines, so that reports name the same places. Each repair stands on a line that
tools/mutate leaves alone. Mutants are made of the repaired text: an unaltered kernel that is reported already could
not tell of anything else.

  release   one lane gives a stage back for its warp: the other lanes' reads come before that by __syncwarp() alone
  store     all lanes issue a tensor store (ptxas makes one UTMASTG of it): one lane is to
  scatter   warps read from shared memory what other warps wrote, with no barrier in between: results are wrong
  proxy     quantised rows are stored, and after the grid barrier read by TMA, without fence.proxy.async
  grid      the last block at the grid barrier acquires nothing of what the others released (a relaxed atomic and no
            fence), and sets the count to 0 by a weak store, which races with their atomics
"""

from __future__ import annotations

import re

_BRANCH = re.compile(r"^\s*@!?%\w+ bra\s+(\S+);\s*$")
_NEAR = 12  # lines between an instruction and the branch that guards it


def _branch_before(lines: list[str], at: int) -> int | None:
    return next((n for n in range(at, max(at - _NEAR, 0), -1) if _BRANCH.match(lines[n])), None)


def release(lines: list[str]) -> None:
    for at, line in enumerate(lines):
        if "mbarrier.arrive.release.cta.shared::cta.b64 _," not in line or ".expect_tx" in line:
            continue
        branch = _branch_before(lines, at)
        if branch is not None:
            lines[branch] = f"bar.warp.sync -1; {lines[branch]}"


def store(lines: list[str]) -> None:
    for at, line in enumerate(lines):
        branch = _branch_before(lines, at)
        if "cp.async.bulk.tensor." not in line or ".bulk_group" not in line or branch is None:
            continue
        end = _BRANCH.match(lines[branch])[1]  # type: ignore[index]
        lines[branch] += " { .reg .pred %one; .reg .b32 %lane; elect.sync %lane|%one, -1; @!%one bra " + end + "; }"


def scatter(lines: list[str]) -> None:
    fence = 0
    for at, line in enumerate(lines):
        if "fence.proxy.async.shared::cta" in line:
            fence = at
        if "red.relaxed.gpu.global.add.noftz" in line and fence:
            branch = next(n for n in range(fence, at) if _BRANCH.match(lines[n]))
            lines[branch] = f"bar.sync 1, 128; {lines[branch]}"
            fence = 0


def proxy(lines: list[str]) -> None:
    for at, line in enumerate(lines):
        if "membar.gl" not in line:
            continue
        barrier = next((n for n in range(at, max(at - 4, 0), -1) if "bar.sync" in lines[n]), None)
        while barrier is not None and "bar.sync" in lines[barrier]:
            barrier -= 1
        if barrier is not None:
            lines[barrier] += " fence.proxy.async;"


def grid(lines: list[str]) -> None:
    for at, line in enumerate(lines):
        if "ld.global.acquire.gpu.s32" not in line:
            continue
        atomic = next((n for n in range(at, min(at + 8, len(lines))) if "atom.global.add.s32" in lines[n]), None)
        if atomic is not None:
            after = next(n for n in range(atomic, len(lines)) if lines[n].strip().startswith("add.s32"))
            lines[after] = f"membar.gl; {lines[after]}"
            reset = next(n for n in range(after, len(lines)) if "st.global.s32" in lines[n])
            lines[reset] = lines[reset].replace("st.global.s32", "st.relaxed.gpu.global.s32")


def repaired(ptx: bytes, leave_out: frozenset[str] = frozenset()) -> bytes:
    """With all repairs but those named."""
    lines = ptx.decode().split("\n")
    for repair in (release, store, scatter, proxy, grid):
        if repair.__name__ not in leave_out:
            repair(lines)
    return "\n".join(lines).encode()


NAMES = ("release", "store", "scatter", "proxy", "grid")
