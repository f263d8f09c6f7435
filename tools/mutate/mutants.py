"""PTX text -> its mutants: every synchronising instruction deleted or altered, one at a time.

An instruction is one line of what nvcc writes, so a mutant has the same lines and reports name the same places. Not
mutated: griddepcontrol.launch_dependents and setmaxnreg, which change when work runs and never what it computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_INSTRUCTION = re.compile(r"^\s*(?P<guard>@!?%?\w+\s+)?(?P<opcode>[a-z][\w.:]*)(?P<operands>(\s[^;]*)?);\s*(//.*)?$")
_LOC = re.compile(
    r"^\s*\.loc\s+(\d+) (\d+) (\d+)(?:, function_name (\$\w+), inlined_at (\d+ \d+ \d+))?",
)
_NAME = re.compile(r"^(\$L__info_string\d+):((?:\s*\.b8 \d+)+)", re.MULTILINE)
_FILE = re.compile(r'^\s*\.file\s+(\d+)\s+"([^"]+)"')
_ENTRY = re.compile(r"^\s*(\.visible |\.weak )?\.entry (?P<name>\w+)")
_SYNCHRONISES = re.compile(r"^(mbarrier\.arrive|bar\.|barrier\.|red\.|atom\.|st\.release)")


@dataclass(frozen=True)
class Mutant:
    """One altered kernel text; `line` is the instruction's line in the PTX, `place` its source, `within` the functions
    that it was inlined from, innermost first, as the linker would name them."""

    entry: str
    line: int
    operator: str
    instruction: str
    place: str
    within: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.entry}:{self.line}:{self.operator}"


@dataclass(frozen=True)
class Instruction:
    guard: str
    opcode: str
    operands: str

    @property
    def list(self) -> list[str]:
        return [o.strip() for o in re.split(r",(?![^{\[]*[}\]])", self.operands) if o.strip()]

    def with_opcode(self, opcode: str) -> str:
        return f"{self.guard}{opcode}{self.operands};"

    def with_operand(self, index: int, value: str) -> str:
        operands = self.list
        operands[index] = value
        return f"{self.guard}{self.opcode} {', '.join(operands)};"

    def with_computed(self, index: int, operation: str, amount: int) -> str:
        """The operand `index` replaced by operation(operand, amount), whether it is a register or a number."""
        value = self.list[index]
        if re.fullmatch(r"-?\d+", value):
            new = int(value) ^ amount if operation == "xor.b32" else int(value) + amount
            return self.with_operand(index, str(new))
        changed = self.with_operand(index, "%mutated")
        return f"{{ .reg .b32 %mutated; {operation} %mutated, {value}, {amount}; {changed} }}"


def _mbarrier(i: Instruction) -> Iterator[tuple[str, str]]:
    operation = i.opcode.split(".")[1]
    count = len(i.list)
    if operation == "init":
        yield "init deleted", ""
        yield "init count + 1", i.with_computed(1, "add.s32", 1)
        yield "init count - 1", i.with_computed(1, "add.s32", -1)
    elif operation == "inval":
        yield "inval deleted", ""
    elif operation in ("try_wait", "test_wait"):
        target = i.list[0]
        yield "wait deleted", f"{i.guard}setp.eq.u32 {target}, 0, 0;"
        if ".parity" in i.opcode:
            yield "parity flipped", i.with_computed(2, "xor.b32", 1)
    elif ".expect_tx" in i.opcode:
        yield "expect_tx + 16", i.with_computed(count - 1, "add.s32", 16)
        yield "expect_tx - 16", i.with_computed(count - 1, "add.s32", -16)
        yield "arrive deleted", ""
        if operation == "arrive":
            yield "arrive without expect_tx", f"{i.guard}mbarrier.arrive.shared::cta.b64 {i.list[0]}, {i.list[1]};"
    elif operation in ("arrive", "arrive_drop"):
        line = f"{i.guard}{i.opcode} {', '.join(i.list)};"
        yield "arrive deleted", ""
        yield "arrive duplicated", f"{line} {line}"


def _barrier(i: Instruction, ids: set[str]) -> Iterator[tuple[str, str]]:
    if i.opcode.startswith(("bar.warp", "bar.red", "barrier.cta.red")):
        if i.opcode.startswith("bar.warp"):
            yield "bar.warp.sync deleted", ""
        return
    yield "barrier deleted", ""
    operands = i.list
    if len(operands) == 2:
        yield "barrier count + 32", i.with_computed(1, "add.s32", 32)
        yield "barrier count - 32", i.with_computed(1, "add.s32", -32)
    for other in sorted(ids - {operands[0], "0"}):
        if operands[0] != "0":
            yield f"barrier id {other}", i.with_operand(0, other)
            break


def _memory_order(i: Instruction) -> Iterator[tuple[str, str]]:
    parts = i.opcode.split(".")
    for scope in ("sys", "gpu", "cluster"):
        if scope in parts:
            yield "scope cta", i.with_opcode(i.opcode.replace(f".{scope}", ".cta"))
    for order in ("acq_rel", "acquire", "release"):
        if order in parts:
            if parts[0] in ("ld", "st"):
                weak = [p for p in parts if p not in (order, "sys", "gpu", "cluster", "cta")]
                yield f"{order} -> weak", i.with_opcode(".".join(weak))
            else:
                yield f"{order} -> relaxed", i.with_opcode(i.opcode.replace(f".{order}", ".relaxed"))


def _fence(i: Instruction) -> Iterator[tuple[str, str]]:
    yield "fence deleted", ""
    if i.opcode in ("membar.gl", "membar.sys"):
        yield "scope cta", i.with_opcode("membar.cta")
    elif not i.opcode.startswith(("fence.proxy", "fence.mbarrier")):
        for scope in (".sys", ".gpu", ".cluster"):
            if scope in i.opcode:
                yield "scope cta", i.with_opcode(i.opcode.replace(scope, ".cta"))


def _async(i: Instruction) -> Iterator[tuple[str, str]]:
    if "wait_group" in i.opcode:
        yield "wait_group deleted", ""
        yield "wait_group n + 1", i.with_computed(0, "add.s32", 1)
        if ".read" in i.opcode:
            return
        if ".bulk" in i.opcode:
            yield "wait_group -> .read", i.with_opcode(i.opcode + ".read")
    elif "wait_all" in i.opcode:
        yield "wait_all deleted", ""
    elif "commit_group" in i.opcode:
        yield "commit_group deleted", ""
    elif "mbarrier.arrive" in i.opcode:
        yield "arrive deleted", ""
        if ".noinc" in i.opcode:
            yield "arrive without .noinc", i.with_opcode(i.opcode.replace(".noinc", ""))


def _elect(i: Instruction, count: int) -> Iterator[tuple[str, str]]:
    predicate = i.list[0].split("|")[1]
    yield "every lane elected", f"{i.guard}setp.eq.u32 {predicate}, 0, 0;"
    if count > 1:
        yield (
            "lane 31 elected",
            f"{i.guard}{{ .reg .b32 %mutated; mov.u32 %mutated, %laneid; setp.eq.u32 {predicate}, %mutated, 31; }}",
        )


def _alterations(i: Instruction, ids: set[str], elects: int) -> Iterator[tuple[str, str]]:
    head = i.opcode.split(".")[0]
    if head == "mbarrier":
        yield from _mbarrier(i)
    elif i.opcode.startswith("cp.async"):
        yield from _async(i)
    elif head in ("bar", "barrier"):
        yield from _barrier(i, ids)
    elif head in ("fence", "membar"):
        yield from _fence(i)
    elif head in ("ld", "st", "atom", "red"):
        yield from _memory_order(i)
    elif head == "elect":
        yield from _elect(i, elects)
    elif i.opcode == "griddepcontrol.wait":
        yield "griddepcontrol.wait deleted", ""


def parse(line: str) -> Instruction | None:
    """The instruction of a line of PTX, None where it has none."""
    match = _INSTRUCTION.match(line)
    return Instruction(match["guard"] or "", match["opcode"], match["operands"]) if match else None


def _kernels(lines: list[str]) -> list[str]:
    """The kernel that each line belongs to; empty above the first."""
    names = []
    name = ""
    for line in lines:
        if begins := _ENTRY.match(line):
            name = begins["name"]
        names.append(name)
    return names


def mutants(entry: str, ptx: str) -> list[Mutant]:
    """All mutants of the module's kernel of that name; of the whole module where it has none of that name."""
    lines = ptx.split("\n")
    files = {m[1]: m[2] for m in map(_FILE.match, lines) if m}
    kernels = _kernels(lines)
    is_whole = entry not in kernels
    instructions = [
        parse(line) if is_whole or kernel == entry else None for line, kernel in zip(lines, kernels, strict=True)
    ]
    is_barrier = re.compile(r"(bar|barrier\.cta)\.(sync|arrive|red)")
    ids = {i.list[0] for i in instructions if i and is_barrier.match(i.opcode)}
    elects = sum(1 for i in instructions if i and i.opcode.startswith("elect."))
    names = {m[1]: bytes(int(b) for b in re.findall(r"\.b8 (\d+)", m[2])).decode() for m in _NAME.finditer(ptx)}
    outer: dict[str, tuple[str, str]] = {}  # place in the source -> function, and the place that called it
    result = []
    place = within = ""
    for at, instruction in enumerate(instructions):
        if location := _LOC.match(lines[at]):
            place = f"{files.get(location[1], '?')}:{location[2]}"
            here = " ".join(location.group(1, 2, 3))
            if location[4]:
                outer[here] = (names[location[4]].rstrip("\0"), location[5])
            chain = []
            while location[4] and here in outer and len(chain) < len(outer):
                name, here = outer[here]
                chain.append(name)
            within = " < ".join(chain)
        if instruction is None:
            continue
        for operator, new in _alterations(instruction, ids, elects):
            changed = [*lines[:at], new, *lines[at + 1 :]]
            result.append(_mutant(entry, at, operator, lines[at], place, within, changed))
        if instruction.opcode.startswith("fence.proxy.async"):
            later = next(
                (k for k in range(at + 1, len(lines)) if (i := instructions[k]) and _SYNCHRONISES.match(i.opcode)), None
            )
            if later is not None:
                moved = [*lines[:at], "", *lines[at + 1 : later], f"{lines[later]} {lines[at]}", *lines[later + 1 :]]
                result.append(_mutant(entry, at, "fence moved after the next arrive", lines[at], place, within, moved))
    return result


def _mutant(entry: str, at: int, operator: str, line: str, place: str, within: str, lines: list[str]) -> Mutant:
    return Mutant(entry, at + 1, operator, line.strip(), place, within, "\n".join(lines))
