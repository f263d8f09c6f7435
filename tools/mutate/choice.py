"""Which of many mutants are tested: those of kernels that differ in their dtype alone are one another's twins."""

from __future__ import annotations

from collections import Counter

from mutants import Mutant
from survivors import rule_for


def family(mutant: Mutant) -> str:
    """The kernels that differ from the mutant's in their dtype alone, the last word of an entry's name."""
    return mutant.entry.rsplit("_", 1)[0]


def one_of_twins(chosen: list[Mutant]) -> list[Mutant]:
    """Of the mutants that stand at the same place of a family's kernels one, of each kernel in its turn."""
    count: Counter[tuple[str, str, str]] = Counter()
    twins: dict[tuple[str, str, str, int], list[Mutant]] = {}
    for mutant in chosen:
        opcode = mutant.instruction.split(" ")[0]
        place = count[mutant.entry, mutant.operator, opcode]
        count[mutant.entry, mutant.operator, opcode] += 1
        twins.setdefault((family(mutant), mutant.operator, opcode, place), []).append(mutant)
    return [members[place % len(members)] for (*_, place), members in twins.items()]


def sample(chosen: list[Mutant]) -> list[Mutant]:
    """Each operator and opcode once a kernel family, no equivalents."""
    seen = set()
    result = []
    for mutant in chosen:
        key = (family(mutant), mutant.operator, mutant.instruction.split(" ")[0])
        rule = rule_for(mutant)
        if key not in seen and (rule is None or rule.verdict != "equivalent"):
            seen.add(key)
            result.append(mutant)
    return result
