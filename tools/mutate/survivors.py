"""Mutants that no checker reports, and why: each rule names a kernel, an operator and an instruction by expressions,
and where it must, the functions that the instruction was inlined from or what stands next to it.

`equivalent`: the altered kernel is as right as the original, so that nothing can be reported; it leaves the count.
`missed`: a bug that the checkers do not see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mutants import Mutant

_AFTER = 20


def _neighbours(mutant: Mutant) -> str:
    """The line of code before the altered one and those after it, without comments."""
    lines = [line.strip() for line in mutant.text.split("\n")]
    before = [line for line in lines[: mutant.line - 1] if line and not line.startswith("//")]
    after = [line for line in lines[mutant.line :] if line and not line.startswith("//")]
    return "\n".join([before[-1] if before else "", *after[:_AFTER]])


@dataclass(frozen=True)
class Rule:
    entry: str
    operator: str
    instruction: str
    verdict: str
    reason: str
    within: str = ""
    beside: str = ""

    def fits(self, mutant: Mutant) -> bool:
        pairs = (
            (self.beside, _neighbours(mutant) if self.beside else ""),
            (self.entry, mutant.entry),
            (self.operator, mutant.operator),
            (self.instruction, mutant.instruction),
            (self.within, mutant.within),
        )
        return all(re.search(expression, text) for expression, text in pairs)


_ATOMICS_ALONE = (
    "every access is an atomic of scope gpu, so there is no data race: the last block may read a maximum from before "
    "another block's, a value that only a weak memory would show"
)
RULES = (
    Rule(
        "gemm|^dense_|^moe_",
        "fence deleted",
        r"fence\.mbarrier_init",
        "equivalent",
        "the cluster is one block, whose barrier orders the initialisation before every use; the copies use mbarriers "
        "by the generic proxy",
    ),
    Rule(
        "gemm_skinny",
        "griddepcontrol.wait deleted",
        "",
        "equivalent",
        "the warps that multiply await copies which the producer issues after its own griddepcontrol.wait "
        "(the producer's mutant is reported)",
    ),
    Rule(
        "gemm_skinny",
        "wait deleted|parity flipped",
        r"mbarrier\.try_wait",
        "equivalent",
        "the wait for landed weights holds copies back for speed alone: in the first turn of the ring, the only one "
        "that has it, every stage is free",
        within=r"wait_full\w* < \w*skinny_copy_weights",
    ),
    Rule(
        "gemm|^dense_|^moe_",
        "lane 31 elected",
        r"elect\.sync",
        "equivalent",
        "whichever lane is elected does the whole of that work alone, and no two elections of a kernel share state",
    ),
    Rule(
        "gemm_skinny",
        "bar.warp.sync deleted",
        r"bar\.warp\.sync",
        "missed",
        "it brings the lanes together for an aligned barrier (without it an H100 hung); those of a simulated warp "
        "meet where their branches end, so they are together anyway",
    ),
    Rule(
        "gemm_tiled",
        "bar.warp.sync deleted",
        r"bar\.warp\.sync",
        "equivalent",
        "it keeps the compiler from loading for the next row beside the sums; it orders nothing",
        within=r"__syncwarp\w* < \w*tiled_store_f32",
    ),
    Rule(
        "^dense_|^moe_",
        "barrier deleted",
        r"bar\.sync\s+0;",
        "equivalent",
        "two barriers stand next to each other, and one is left",
        beside=r"\Abar\.sync\s+0;|\A[^\n]*\nbar\.sync\s+0;",
    ),
    Rule(
        "^dense_",
        "wait_group",
        r"cp\.async\.bulk\.wait_group\.read",
        "equivalent",
        "it stands twice on the way of the warp that stores, and one is left",
    ),
    Rule(
        "^dense_",
        "fence moved after the next arrive",
        r"fence\.proxy\.async\.shared::cta",
        "equivalent",
        "behind the barrier the lane that issues the store executes it, and knows of all writes",
    ),
    Rule(
        "^moe_",
        "barrier deleted",
        r"bar\.sync\s+0;",
        "equivalent",
        "the loop before the grid barrier ends with a barrier, and nothing is accessed in between",
        beside=r"\A[^\n]*\nmembar\.gl;",
    ),
    Rule(
        "^moe_",
        "barrier deleted",
        r"bar\.sync\s+1, 128;",
        "equivalent",
        "a barrier of all warps of the block follows at once",
        beside=r"\A[^\n]*\nbar\.sync\s+2, 160;",
    ),
    Rule(
        "^moe_",
        "barrier deleted",
        r"bar\.sync\s+0;",
        "equivalent",
        "other barriers stand between the initialisation of mbarriers and their use",
        beside=r"\Afence\.mbarrier_init",
    ),
    Rule(
        "^moe_",
        "barrier deleted",
        r"bar\.sync\s+0;",
        "equivalent",
        "behind the first grid barrier thread 0, which waited there, goes on alone until the block's next barrier",
        beside=r"\A\$L[^\n]*\n(?!(?s:.*)setmaxnreg)",
    ),
    Rule(
        "^moe_",
        "barrier deleted",
        r"bar\.sync\s+1, 128;",
        "equivalent",
        "what it orders, tokens and their weights for the scatter, is read behind the barriers of two passes",
        beside=r"\A\$L[^\n]*\n(?s:.*)mbarrier\.try_wait",
    ),
    Rule(
        "^moe_",
        "barrier id 2",
        r"bar\.sync\s+1, 128;",
        "equivalent",
        "the copying warp, which alone may be at barrier 2 as well, has more stages left to fill than there are",
    ),
    Rule(
        "^moe_",
        "acquire -> weak",
        r"ld\.global\.acquire\.gpu\.s32 %val",
        "missed",
        "a loop of weak loads is no poll: the schedule lets it run for ever, as hardware may, and the run does not end",
    ),
    Rule(
        "^moe_",
        "wait deleted",
        r"mbarrier\.try_wait\.parity\.shared\.b64",
        "equivalent",
        "the stages that a pass fills first are free: a barrier of all warps stands before it; behind its end nothing "
        "is filled (the waits for stages that are filled again in a pass are reported)",
    ),
    Rule(
        "^moe_",
        "acquire -> weak|scope cta",
        r"ld\.global\.acquire\.gpu\.s32 %r",
        "missed",
        "the epoch is read before the block arrives by a relaxed atomic: a race with its release that only some "
        "schedules show (at the second grid barrier seed 15 does)",
    ),
    Rule(
        "^moe_",
        "fence",
        r"fence\.proxy\.async\.shared::cta",
        "equivalent",
        "no copy reads what was stored before it",
    ),
    Rule(
        "^dense_|^moe_",
        "expect_tx|arrive",
        r"mbarrier\.arrive\.expect_tx",
        "equivalent",
        "the producer's tail expects a stage that it does not fill, and nobody waits for",
        beside=r"\A(?!(?s:.*)cp\.async\.bulk\.tensor)",
    ),
    Rule("amax", "acq_rel -> relaxed", r"atom\.acq_rel", "missed", _ATOMICS_ALONE),
    Rule(
        "amax",
        "scope cta",
        r"atom\S*\.exch",
        "equivalent",
        "the counter has ordered all other blocks' atomics before the last block's exchange",
    ),
)


def rule_for(mutant: Mutant) -> Rule | None:
    """The rule that explains why `mutant` survives, None when nobody has explained it."""
    return next((rule for rule in RULES if rule.fits(mutant)), None)
