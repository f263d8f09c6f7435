"""Disassembly as data: nvdisasm's text in, functions of instructions with a control-flow graph out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"^\s*\.section\s+\.text\.([\w$.]+)")
_ANY_SECTION = re.compile(r"^\s*\.section\s")
_LABEL = re.compile(r"^([.$\w]+):\s*$")
_INSTRUCTION = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(@!?U?P[T\d]+\s+)?([A-Z][\w.]*)\s*([^;]*);")
_TARGET = re.compile(r"`\(([.$\w]+)\)")
_ATTRIBUTE = re.compile(r"//-+ nvinfo : (EIATTR_\w+)")
_FRAME_OF = re.compile(r"index@\(([^)]+)\)")
_WORD = re.compile(r"\.word\s+0x([0-9a-f]+)")
_PREDICATE = re.compile(r"!?U?P[T\d]$")
_UNIFORM = re.compile(r"\bUR(\d+)\b")
_REGISTER = re.compile(r"\bR(\d+)\b")

# These write no register: what looks like a destination is read, or the result is a predicate.
_PREDICATE_RESULT = ("ISETP", "UISETP", "FSETP", "UFSETP", "DSETP", "HSETP2", "PLOP3", "UPLOP3")
_NO_RESULT = ("BRA", "BRX", "BRXU", "JMX", "JMXU", "BAR", "WARPSYNC", "CALL", "RET", "USETSHMSZ", "NANOSLEEP")
_LEAVES = ("EXIT", "RET", "BRA", "BRX", "BRXU", "JMX", "JMXU", "JMP", "BSYNC", "KILL")


@dataclass(frozen=True)
class Instruction:
    """One SASS instruction: byte address, guard ('@P0', '' for none), opcode with modifiers, operands as written."""

    address: int
    guard: str
    opcode: str
    operands: tuple[str, ...]

    @property
    def base(self) -> str:
        """Opcode without modifiers: 'OMMA' of 'OMMA.SF.16864.F32...'."""
        return self.opcode.split(".")[0]

    @property
    def text(self) -> str:
        """Opcode and operands, without guard and address."""
        return f"{self.opcode} {', '.join(self.operands)}".rstrip()

    def _destination(self) -> str:
        """The operand that is written, '' for none: the first that is no predicate, if it is a bare register."""
        if self.base in _NO_RESULT or self.base in _PREDICATE_RESULT:
            return ""
        for operand in self.operands[:3]:
            if not _PREDICATE.match(operand):
                return operand if re.fullmatch(r"U?R(\d+|Z)", operand) else ""
        return ""

    def _written(self, prefix: str, width: int) -> frozenset[int]:
        match = re.fullmatch(prefix + r"(\d+)", self._destination())
        return frozenset(range(int(match[1]), int(match[1]) + width)) if match else frozenset()

    def uniform_writes(self) -> frozenset[int]:
        """Numbers of the uniform registers written (a wide result counts each)."""
        modifiers = self.opcode.split(".")[1:]
        width = 4 if "128" in modifiers else 2 if {"64", "WIDE", "S64", "U64", "X2"} & set(modifiers) else 1
        return self._written("UR", 8 if "256" in modifiers else width)

    def uniform_reads(self) -> frozenset[int]:
        """Numbers of the uniform registers named in the operands that are read."""
        destination = self._destination()
        seen_destination = False
        read = set()
        for operand in self.operands:
            if operand == destination and not seen_destination:
                seen_destination = True
                continue
            read.update(int(number) for number in _UNIFORM.findall(operand))
        return frozenset(read)

    def may_write(self, register: int) -> bool:
        """Whether a general register may be part of the result (results are at most four registers wide)."""
        return register in self._written("R", 4)

    def registers(self, operand: int) -> frozenset[int]:
        """General registers that the operand at this place may cover: four from each one named."""
        if operand >= len(self.operands):
            return frozenset()
        named = (int(number) for number in _REGISTER.findall(self.operands[operand]))
        return frozenset(number + step for number in named for step in range(4))


@dataclass
class Function:
    """One `.text.<name>` section: the kernel with the slow paths that ptxas put behind it."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)  # label -> index of the instruction that follows

    def successors(self, index: int) -> list[int]:
        """Indices that may run after the instruction at `index`; more than can happen, never fewer.

        BSYNC may go on at any label that a BSSY names, RET behind any CALL, an indirect branch anywhere.
        """
        instruction = self.instructions[index]
        base = instruction.base
        after = [index + 1] if index + 1 < len(self.instructions) else []
        found = []
        if base in ("BRX", "BRXU", "JMX", "JMXU"):
            found = list(self.labels.values())
        elif base in ("BRA", "JMP", "CALL"):
            found = self._targets(instruction)
        elif base == "BSYNC":
            found = [t for i in self.instructions if i.base == "BSSY" for t in self._targets(i)]
        elif base == "RET":
            found = [i + 1 for i, other in enumerate(self.instructions) if other.base == "CALL"]
        conditional = bool(instruction.guard) or any(_PREDICATE.match(o) for o in instruction.operands)
        stays = base == "BSYNC" or base not in _LEAVES or conditional
        return [i for i in found + (after if stays else []) if i < len(self.instructions)]

    def _targets(self, instruction: Instruction) -> list[int]:
        names = _TARGET.findall(" ".join(instruction.operands))
        return [self.labels[name] for name in names if name in self.labels]


def parse(text: str) -> tuple[list[Function], dict[str, int]]:
    """Reads `nvdisasm FILE`'s output.

    Returns the functions and, by kernel name, the largest stack frame in bytes that the cubin's attributes tell.
    """
    functions: list[Function] = []
    frames: dict[str, int] = {}
    current: Function | None = None
    attribute, owner = "", ""
    for line in text.splitlines():
        if match := _SECTION.match(line):
            current = Function(match[1])
            functions.append(current)
        elif _ANY_SECTION.match(line):
            current = None
        elif match := _ATTRIBUTE.search(line):
            attribute = match[1]
        elif current is not None:
            if match := _LABEL.match(line):
                current.labels[match[1]] = len(current.instructions)
            elif match := _INSTRUCTION.match(line):
                operands = tuple(part.strip() for part in match[4].split(",") if part.strip())
                current.instructions.append(
                    Instruction(int(match[1], 16), (match[2] or "").strip(), match[3], operands)
                )
        elif attribute in ("EIATTR_FRAME_SIZE", "EIATTR_MIN_STACK_SIZE"):
            if match := _FRAME_OF.search(line):
                owner = match[1]
            elif match := _WORD.search(line):
                frames[owner] = max(frames.get(owner, 0), int(match[1], 16))
    return functions, frames
