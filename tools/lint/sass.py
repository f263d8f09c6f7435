"""SASS lint: what ptxas made of each kernel, against rules that PTX and a simulator of PTX cannot see.

    sass.py --nvdisasm PATH [--stamp FILE] FATBIN...

In: fatbins. Out: exit code 1 and one line per finding. Rules, each for a defect that reached somebody's GPU:
  call       no CALL.ABS and no __cuda_syscall: a `.shared::cluster` TMA destination becomes a call into the driver.
             (CALL.REL is allowed: IEEE division calls its slow path.)
  stack      no stack frame, no local memory (LDL, STL): both are spills or run-time indexed arrays.
  hint       no LDGSTS with `+UR0` and `desc[UR1]`: ptxas 13.0 encodes the uniform register of cp.async with a cache
             hint as 0, and the kernel reads through a garbage descriptor.
  uniform    no uniform register is read that no path has written.
  mma        each PTX mma has its instruction (OMMA for block-scaled FP4, QMMA.SF for block-scaled FP8, ...), in at
             least the PTX's number; no MMA is issued twice with the same operands.
  opcode     what PTX asks for is there: TMA, bulk copies, ldmatrix, setmaxnreg.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fatbin import Image, read_fatbin
from sass_text import Function, parse

# PTX form -> SASS opcode, first match wins; the order goes from the special to the general.
_MMA_CLASSES = (
    (re.compile(r"mma\.sync\.\S*kind::mxf4"), "OMMA.SF"),
    (re.compile(r"mma\.sync\.\S*kind::mxf8f6f4"), "QMMA.SF"),
    (re.compile(r"mma\.sync\.\S*(kind::f8f6f4|\.e4m3|\.e5m2)"), "QMMA"),
    (re.compile(r"mma\.sync\.\S*\.(s8|u8)\b"), "IMMA"),
    (re.compile(r"mma\.sync\.\S*\.(f16|bf16|tf32)\b"), "HMMA"),
)
_OPCODES = (
    (re.compile(r"\bcp\.async\.bulk\.tensor\.\S*shared::(cta|cluster)\.global"), "UTMALDG"),
    (re.compile(r"\bcp\.async\.bulk\.tensor\.\S*global\.shared::cta"), "UTMASTG"),
    (re.compile(r"\bcp\.async\.bulk\.(?!tensor|commit|wait|prefetch)"), "UBLKCP"),
    (re.compile(r"\bcp\.async\.c[ag]\."), "LDGSTS"),
    (re.compile(r"\bldmatrix\."), "LDSM"),
    (re.compile(r"\bsetmaxnreg\."), "USETMAXREG"),
)
_HINT = re.compile(r"\+UR0\b.*desc\[UR1\]")
_MMA_OPCODES = ("OMMA", "QMMA", "HMMA", "IMMA", "DMMA")


def lint_sass(text: str) -> list[str]:
    """Findings in nvdisasm's output of one cubin, as 'kernel: sentence'."""
    functions, frames = parse(text)
    found = [f"{name}: stack frame of {size} bytes; want none" for name, size in frames.items() if size]
    for function in functions:
        found += [f"{function.name}: {sentence}" for sentence in _lint_function(function)]
    return found


def _lint_function(function: Function) -> list[str]:
    found = []
    for instruction in function.instructions:
        where = f"at {instruction.address:#06x}: {instruction.text}"
        if instruction.opcode.startswith("CALL.ABS") or "__cuda_syscall" in instruction.text:
            found.append(f"call into the driver {where}; a TMA destination must be .shared::cta")
        if instruction.base in ("LDL", "STL"):
            found.append(f"local memory {where}; index arrays with constants or lower the register need")
        if instruction.base == "LDGSTS" and _HINT.search(instruction.text):
            found.append(f"wrongly encoded cache hint {where}; use TMA with a hint, or cp.async without")
    return found + _unwritten_uniforms(function) + _doubled_mma(function)


def _unwritten_uniforms(function: Function) -> list[str]:
    """Uniform registers that are read where no path from the entry has written them."""
    code = function.instructions
    if not code:
        return []
    # reaching[i]: registers that some path has written before i; grown until nothing changes.
    reaching: list[set[int] | None] = [None] * len(code)
    reaching[0] = set()
    work = [0]
    while work:
        index = work.pop()
        out = reaching[index] | code[index].uniform_writes()
        for following in function.successors(index):
            if reaching[following] is None:
                reaching[following] = set(out)
                work.append(following)
            elif not out <= reaching[following]:
                reaching[following] |= out
                work.append(following)
    found = []
    for index, instruction in enumerate(code):
        if reaching[index] is None:
            continue
        missing = instruction.uniform_reads() - reaching[index]
        if missing:
            names = ", ".join(f"UR{number}" for number in sorted(missing))
            found.append(f"{names} read and never written at {instruction.address:#06x}: {instruction.text}")
    return found


def _doubled_mma(function: Function) -> list[str]:
    """MMAs issued again in straight-line code with none of their operands renewed in between."""
    starts = set(function.labels.values())
    seen: dict[str, tuple[int, frozenset[int]]] = {}
    found = []
    for index, instruction in enumerate(function.instructions):
        if index in starts or instruction.base in ("BRA", "EXIT", "RET", "CALL"):
            seen.clear()
        if instruction.base in _MMA_OPCODES:
            if instruction.text in seen:
                first = function.instructions[seen[instruction.text][0]].address
                found.append(f"the same MMA twice, at {first:#06x} and {instruction.address:#06x}: {instruction.text}")
            sources = instruction.registers(1) | instruction.registers(2)
            seen[instruction.text] = (index, sources)
        else:
            seen = {
                text: entry for text, entry in seen.items() if not any(instruction.may_write(reg) for reg in entry[1])
            }
    return found


def _bodies(ptx: str) -> dict[str, str]:
    """PTX text of each entry, by name; comments left out."""
    ptx = re.sub(r"//[^\n]*|/\*.*?\*/", "", ptx, flags=re.DOTALL)
    parts = re.split(r"^\s*(?:\.visible\s+|\.weak\s+)?\.(entry|func)\b", ptx, flags=re.MULTILINE)
    bodies = {}
    for kind, body in zip(parts[1::2], parts[2::2], strict=True):
        name = re.match(r"\s*([\w$]+)", body)
        if kind == "entry" and name:
            bodies[name[1]] = body
    return bodies


def lint_against_ptx(text: str, ptx: str) -> list[str]:
    """Findings where the SASS of a cubin lacks what the PTX of the same target asks for."""
    functions = {function.name: function for function in parse(text)[0]}
    found = []
    for name, body in _bodies(ptx).items():
        if name not in functions:
            found.append(f"{name}: in the PTX, not in the cubin")
            continue
        opcodes = [instruction.opcode for instruction in functions[name].instructions]
        wanted: dict[str, int] = {}
        for line in body.splitlines():
            for pattern, opcode in _MMA_CLASSES:
                if pattern.search(line):
                    wanted[opcode] = wanted.get(opcode, 0) + 1
                    break
            for pattern, opcode in _OPCODES:
                if pattern.search(line):
                    wanted[opcode] = 1
        for opcode, count in wanted.items():
            have = sum(other == opcode or other.startswith(opcode + ".") for other in opcodes)
            if have < count:
                found.append(f"{name}: PTX asks for {count} {opcode}, SASS has {have}")
    return found


def disassemble(nvdisasm: Path, cubin: bytes) -> str:
    """nvdisasm's text of one cubin. Raises RuntimeError with its words when it refuses."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        done = subprocess.run([nvdisasm, file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{nvdisasm}: {done.stderr.strip()}")
    return done.stdout


def lint_fatbin(nvdisasm: Path, path: Path) -> list[str]:
    """All findings of one fatbin, as 'file [target] kernel: sentence'."""
    images: list[Image] = read_fatbin(path)
    ptx_of = {image.sm: image.ptx for image in images if image.kind == "ptx"}
    found = []
    for image in images:
        if image.kind == "cubin":
            text = disassemble(nvdisasm, image.data)
            sentences = lint_sass(text) + lint_against_ptx(text, ptx_of.get(image.sm, ""))
            found += [f"{path.name} [sm_{image.sm}] {sentence}" for sentence in sentences]
    for sm in (90, 120):
        for kind in ("ptx", "cubin"):
            if not any(image.sm == sm and image.kind == kind for image in images):
                found.append(f"{path.name}: no {kind} for sm_{sm}")
    return found


def main(argv: list[str]) -> int:
    """Lints every fatbin given; touches the stamp only when all are clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvdisasm", type=Path, required=True)
    parser.add_argument("--stamp", type=Path)
    parser.add_argument("fatbins", type=Path, nargs="*")
    args = parser.parse_args(argv)
    found = [sentence for path in args.fatbins for sentence in lint_fatbin(args.nvdisasm, path)]
    for sentence in found:
        print(f"sass: error: {sentence}", file=sys.stderr)
    if not found and args.stamp:
        args.stamp.touch()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
