"""Each rule about single files, on the smallest file that breaks it."""

from __future__ import annotations

import file_rules
import pytest


def errors(sources: dict[str, str]) -> list[str]:
    """Error findings of a tree as text."""
    return [str(finding) for finding in file_rules.check(sources)[1]]


def test_length():
    warnings, found = file_rules.check_length({"src/a.cpp": "\n" * 301, "src/b.cpp": "\n" * 300})
    assert [str(w) for w in warnings] == ["src/a.cpp: 301 lines, aim for 300"]
    assert found == []
    assert errors({"src/a.cpp": "\n" * 601}) == [
        "src/a.cpp: 601 lines, at most 600; split it or give a reason in LONG_FILES"
    ]
    assert errors({"data.txt": "\n" * 9999}) == []


def test_exceptions_to_the_length_are_used(monkeypatch):
    monkeypatch.setattr(file_rules, "LONG_FILES", {"src/a.cpp": "one table"})
    assert errors({"src/a.cpp": "\n" * 700}) == []
    assert errors({"src/a.cpp": "\n" * 500}) == ["src/a.cpp: in LONG_FILES and not too long; drop the exception"]


def test_macros():
    assert errors({"src/a.cpp": "#define N 4\n"}) == ["src/a.cpp:1: #define N: use constexpr, a template or a function"]
    assert (
        errors({"kernels/ptx/device.h": "#pragma once\n#define B12X_DEVICE x\n", "k.cu": '#include "device.h"\n'}) == []
    )
    assert len(errors({"kernels/ptx/device.h": "#pragma once\n  # define OTHER\n", "k.cu": '#include "device.h"'})) == 1


@pytest.mark.parametrize(
    "line",
    [
        "// N must match the kernel's",
        "// Keep in sync with b.hpp",
        "// TODO: later",
        "x = 1  # for now",
        "open('/work/x')",
        "see /home/user",
        "at pypi.org",
    ],
)
def test_phrases(line: str):
    (message,) = errors({"a.py": f"ok\n{line}\n"})
    assert message.startswith("a.py:2: '")


@pytest.mark.parametrize(
    "line", ["kernels/work/x", "a.template_for nowhere", "build/tmp/x", "${ROOT}/home/x", "matches"]
)
def test_harmless_neighbours_of_phrases(line: str):
    assert errors({"a.py": line}) == []


def test_headers_that_nobody_includes():
    tree = {
        "src/a.hpp": "#pragma once\n",
        "src/b.cpp": '#include "base/a.hpp"\n',
        "include/b12x/c.hpp": "#pragma once\n",
    }
    assert errors(tree) == []
    assert errors({"src/a.hpp": "#pragma once\n"}) == ["src/a.hpp: no file includes this header"]


def test_pragma_once():
    assert errors({"src/a.hpp": "int x;\n", "b.cpp": '#include "a.hpp"\n'}) == ["src/a.hpp: no #pragma once"]
