"""Rules that a file answers for by itself: length, macros, phrases, machine paths; and headers that nobody includes.

In: path -> text. Out: findings; lengths over the soft limit are warnings, everything else is an error.
"""

from __future__ import annotations

import posixpath
import re

from tree import CXX_SUFFIXES, HEADER_SUFFIXES, Finding

SOFT_LINES = 300
HARD_LINES = 600
# Longer than HARD_LINES, each with its reason.
LONG_FILES: dict[str, str] = {}

_CODE = (*CXX_SUFFIXES, ".py", ".sh", ".cmake")

# Macros that may be defined: file -> names. Constants are constexpr and dispatch is a table of functions; these are
# what the language cannot say otherwise.
MACROS: dict[str, tuple[str, ...]] = {
    "kernels/ptx/device.h": ("B12X_DEVICE",),
    "cmake/doctest_main.cpp": ("DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN",),
}
_DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)")

# A comment that asks the reader to keep two places alike is a defect report (style: state a fact once).
_PHRASES = (
    (
        re.compile(r"\bmust match\b|\bkeep in sync\b|\bkept in sync\b", re.IGNORECASE),
        "state the fact once: sizeof, a shared header, a static_assert or a generated file",
    ),
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "finish it or leave it out"),
    (re.compile(r"\bfor now\b", re.IGNORECASE), "say what holds, not what may come"),
)
# The repository speaks of the project, not of the machine or the index that it was made with.
_PLACES = (
    (
        re.compile(r"(?<![\w.}*)-])/(work|home|root|tmp|Users|mnt)/\w"),
        "a path of one machine; use one from the repository's root or a temporary folder",
    ),
    (re.compile(r"\b(pypi|pythonhosted|npmjs|anaconda)\.(org|com)\b"), "a package index's host; name packages only"),
    (
        re.compile(r"^co-authored-by:|\bgenerated (by|with) an? (AI|assistant)\b", re.IGNORECASE),
        "names who typed it; the file speaks for the project",
    ),
)
# These hold the phrases as data.
_PHRASE_FILES = ("tools/lint/file_rules.py", "tools/lint/tests/test_file_rules.py")


def check_length(sources: dict[str, str]) -> tuple[list[Finding], list[Finding]]:
    """(warnings, errors) about code files over the soft and the hard limit."""
    warnings, errors = [], []
    for path, text in sources.items():
        lines = text.count("\n")
        if not path.endswith(_CODE) or lines <= SOFT_LINES:
            continue
        if lines > HARD_LINES and path not in LONG_FILES:
            errors.append(
                Finding(path, 0, f"{lines} lines, at most {HARD_LINES}; split it or give a reason in LONG_FILES")
            )
        elif lines <= HARD_LINES:
            warnings.append(Finding(path, 0, f"{lines} lines, aim for {SOFT_LINES}"))
    errors += [Finding(path, 0, "in LONG_FILES and not too long; drop the exception") for path in LONG_FILES
               if path in sources and sources[path].count("\n") <= HARD_LINES]  # fmt: skip
    return warnings, errors


def check_macros(sources: dict[str, str]) -> list[Finding]:
    """Every #define whose name the table MACROS does not allow in that file."""
    found = []
    for path, text in sources.items():
        if not path.endswith(CXX_SUFFIXES):
            continue
        allowed = MACROS.get(path, ())
        for number, line in enumerate(text.splitlines(), 1):
            match = _DEFINE.match(line)
            if match and match[1] not in allowed:
                found.append(Finding(path, number, f"#define {match[1]}: use constexpr, a template or a function"))
    return found


def check_phrases(sources: dict[str, str]) -> list[Finding]:
    """Every line that holds a phrase or a machine's path from the lists above."""
    found = []
    for path, text in sources.items():
        if path in _PHRASE_FILES or path == "LICENSE" or path.endswith((".json", ".ptx", ".txt")):
            continue
        patterns = _PLACES if path.endswith(".md") else _PHRASES + _PLACES
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, advice in patterns:
                if match := pattern.search(line):
                    found.append(Finding(path, number, f"'{match[0]}': {advice}"))
    return found


def check_dead_headers(sources: dict[str, str]) -> list[Finding]:
    """Headers that no file includes by name. Public headers (include/) are included by users."""
    included = set()
    for path, text in sources.items():
        if path.endswith(CXX_SUFFIXES):
            for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE):
                included.add(posixpath.basename(name))
    return [
        Finding(path, 0, "no file includes this header")
        for path in sources
        if path.endswith(HEADER_SUFFIXES)
        and not path.startswith("include/")
        and posixpath.basename(path) not in included
    ]


def check_pragma_once(sources: dict[str, str]) -> list[Finding]:
    """Headers without #pragma once (.inc and .def files are pasted, so they have none)."""
    return [
        Finding(path, 0, "no #pragma once")
        for path, text in sources.items()
        if path.endswith((".h", ".hpp", ".cuh")) and "#pragma once" not in text
    ]


def check(sources: dict[str, str]) -> tuple[list[Finding], list[Finding]]:
    """(warnings, errors) of all rules of this file."""
    warnings, errors = check_length(sources)
    errors += check_macros(sources) + check_phrases(sources) + check_dead_headers(sources) + check_pragma_once(sources)
    return warnings, errors
