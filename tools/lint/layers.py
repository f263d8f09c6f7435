"""Which part may include which: every #include of the C++ and CUDA sources is held against one table.

In: path -> text of all sources. Out: findings. The table is ARCHITECTURE.md's arrow diagram; dependencies point down,
and `simulator/` stands beside it, reached through the driver's functions only. Also here, as boundaries of the same
kind: asm and __CUDA_ARCH__ stay in kernels/ptx, and src knows of simulators in runtime/driver alone.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from tree import Finding

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Where a quoted include is looked for, after the file's own folder: the include paths of the build.
_SEARCH = ("", "include", "src", "simulator", "python/native", "build/kernels/generated")
_GENERATED = {"kernel_table.inc": "generated", "kernel_symbols.inc": "generated"}
_FAMILIES = ("gemm", "moe", "attention", "quant")
# Compiler intrinsics and POSIX: no layer of ours, allowed where the table says 'system'.
_SYSTEM = re.compile(r"^(dlfcn|unistd|pthread|sched|fcntl|[ei]mmintrin|x86intrin|elf|link|sys/\w+|linux/\w+)(\.h)?$")


@dataclass(frozen=True)
class Rule:
    """What a layer may include: layers of ours, and external groups (std is allowed everywhere)."""

    ours: tuple[str, ...]
    external: tuple[str, ...] = ()


_KERNEL_BASE = ("pipeline", "tile", "math", "formats", "ptx")
_DEVICE = ("cuda::ptx", "cuda types")
_ANYTHING = Rule(("*",), ("*",))
RULES: dict[str, Rule] = {
    "include": Rule(("include",)),
    "base": Rule(("base", "include")),
    "plan": Rule(("plan", "base", "include", "kernel contracts")),
    "runtime": Rule(("runtime", "base", "include", "generated"), ("cuda.h", "system")),
    # The host versions of ops are written with the formats and layouts that the kernels use.
    "api": Rule(("api", "plan", "runtime", "base", "include", "kernel contracts", "formats", "tile"), ("cuda.h",)),
    **{family: Rule((family, *_KERNEL_BASE), _DEVICE) for family in _FAMILIES},
    "pipeline": Rule(("pipeline", "ptx"), _DEVICE),
    "tile": Rule(("tile", "math", "formats", "ptx"), _DEVICE),
    "math": Rule(("math", "formats", "ptx"), _DEVICE),
    # Hopper's stand-ins for FP4 instructions are written with the format itself, so formats lie below ptx.
    "ptx": Rule(("ptx", "formats"), _DEVICE),
    "formats": Rule(("formats",)),
    "native": Rule(("native", "include"), ("tvm-ffi",)),
    "simulator": Rule(("simulator",), ("cuda.h", "system")),
    # Counters and traces listen to the machine, which knows only that somebody does; the driver brings them together.
    "simulator counters": Rule(("simulator", "simulator counters")),
    "simulator trace": Rule(("simulator", "simulator trace")),
    "simulator checkers": Rule(("simulator", "simulator checkers")),
    "simulator driver": Rule(
        ("simulator", "simulator counters", "simulator trace", "simulator checkers", "simulator driver"),
        ("cuda.h", "system"),
    ),
    "simulator tests": Rule(
        (
            "simulator",
            "simulator counters",
            "simulator checkers",
            "simulator driver",
            "simulator tests",
            "simulator capture",
        ),
        ("cuda.h", "system", "doctest"),
    ),
    "simulator capture": Rule(("simulator", "simulator capture"), ("cuda.h", "cuda types", "cuda runtime", "system")),
    # The product's tests see all of the product; of the simulator only what its driver exports.
    "tests": Rule(
        (
            "tests",
            "include",
            "base",
            "plan",
            "runtime",
            "api",
            "generated",
            *_FAMILIES,
            *_KERNEL_BASE,
            "kernel contracts",
        ),
        ("*",),
    ),
    "examples": Rule(("include",)),
    "other": _ANYTHING,
}


def layer_of(path: str) -> str:
    """Name of the layer that a file of the repository belongs to."""
    parts = path.split("/")
    if path.startswith("include/b12x/"):
        return "include"
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if path.startswith("kernels/math/") and path.endswith(".h"):
        return "formats"  # number formats in plain C++, for host and device
    if parts[0] == "kernels" and len(parts) > 2:
        return parts[1]
    if path.startswith("build/kernels/generated/"):
        return "generated"
    if path.startswith("python/native/"):
        return "native"
    if parts[0] == "simulator":
        if "capture" in parts:
            return "simulator capture"
        if parts[1] in ("counters", "trace", "checkers", "driver"):
            return f"simulator {parts[1]}"
        return "simulator tests" if parts[1] in ("tests", "bench", "fuzz") else "simulator"
    if parts[0] in ("tests", "examples"):
        return parts[0]
    return "other"


def external_of(name: str) -> str:
    """Group of a header that is not ours: 'std', 'cuda.h', 'cuda::ptx', ..., or 'unknown'."""
    if name == "cuda.h":
        return "cuda.h"
    if name.startswith(("cuda/ptx", "cuda/std")):
        return "cuda::ptx"
    if re.fullmatch(r"cuda_(fp\w+|bf16|pipeline_primitives)\.h|vector_types\.h", name):
        return "cuda types"
    if name.startswith(("cuda_runtime", "cuda/")):
        return "cuda runtime"
    if name.startswith(("tvm/", "dlpack/")):
        return "tvm-ffi"
    if name.startswith("doctest/"):
        return "doctest"
    if _SYSTEM.match(name):
        return "system"
    return "std" if re.fullmatch(r"[a-z_0-9]+", name) else "unknown"


def resolve(path: str, name: str, known: frozenset[str]) -> str | None:
    """Path from the root of the file that `path` means by `name`, None when it is not ours."""
    if name in _GENERATED:
        return f"build/kernels/generated/{name}"
    for folder in (posixpath.dirname(path), *_SEARCH):
        candidate = posixpath.normpath(posixpath.join(folder, name))
        if candidate in known:
            return candidate
    return None


def _is_contract(path: str) -> bool:
    return path.startswith("kernels/") and path.endswith(("_params.h", "_traits.h"))


def check_includes(sources: dict[str, str]) -> list[Finding]:
    """Every #include that the table does not allow, and every quoted one that names no file."""
    known = frozenset(sources)
    found = []
    for path, text in sources.items():
        layer = layer_of(path)
        rule = RULES.get(layer)
        if rule is None:
            found.append(
                Finding(path, 0, f"folder '{layer}' is no layer yet; add its row to RULES in tools/lint/layers.py")
            )
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = _INCLUDE.match(line)
            if not match:
                continue
            target = resolve(path, match[2], known)
            if target is not None:
                other = layer_of(target)
                contract = "kernel contracts" in rule.ours and _is_contract(target)
                if other not in rule.ours and not contract and "*" not in rule.ours:
                    want = ", ".join(rule.ours)
                    found.append(Finding(path, number, f"{layer} includes {target} of {other}; it may include: {want}"))
                continue
            group = external_of(match[2])
            if match[1] == '"' and group != "cuda.h":
                found.append(Finding(path, number, f'"{match[2]}" is no file of this repository'))
            elif group != "std" and group not in rule.external and "*" not in rule.external:
                want = ", ".join(("std", *rule.external))
                found.append(Finding(path, number, f"{layer} includes <{match[2]}> ({group}); it may include: {want}"))
    return found


def check_boundaries(sources: dict[str, str]) -> list[Finding]:
    """asm and __CUDA_ARCH__ outside kernels/ptx; mention of the simulator in src outside runtime/driver."""
    found = []
    for path, text in sources.items():
        device = path.startswith("kernels/") and not path.startswith("kernels/ptx/")
        host = path.startswith("src/") and not path.startswith("src/runtime/driver.")
        if not device and not host:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if device and re.search(r"\basm\b\s*(volatile)?\s*\(|\b__CUDA_ARCH\w*__|\b__CUDA_ARCH__", line):
                found.append(Finding(path, number, "asm and __CUDA_ARCH__ belong in kernels/ptx"))
            if host and re.search(r"\bsim(ulator)?\b", line, re.IGNORECASE):
                found.append(Finding(path, number, "src knows of the simulator in runtime/driver.cpp alone"))
    return found


def check(sources: dict[str, str]) -> list[Finding]:
    """Both checks; `sources` maps the path of every C++ and CUDA file to its text."""
    return check_includes(sources) + check_boundaries(sources)
