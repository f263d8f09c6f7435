"""The map's checks on a small tree."""

from __future__ import annotations

import doc_rules

TREE = {"src/README.md": "", "src/api/gemm.cpp": "", "src/plan/deep/rows.inc": ""}


def messages(markdown: str) -> list[str]:
    """Findings of a README.md with this text."""
    return [str(finding) for finding in doc_rules.check({**TREE, "README.md": markdown})]


def test_paths_that_exist():
    assert messages("`src/api/gemm.cpp`, `src/api/`, `src/*/gemm.cpp`, `src/**/rows.inc`, `src/api/<op>.cpp`") == []


def test_what_is_no_path_of_the_repository():
    assert messages("`a/b`, `build/x`, `make run`, src/nowhere, `gemm`") == []


def test_paths_that_do_not_exist():
    assert messages("ok\n`src/api/moe.cpp`") == ["README.md:2: `src/api/moe.cpp` does not exist"]
    assert len(messages("`src/*/moe.cpp` and `src/mo/`")) == 2
    assert len(messages("`src/ap`")) == 1


def test_folders_without_readme():
    (finding,) = doc_rules.check({**TREE, "tools/x.py": "", ".ci/run": ""})
    assert str(finding).startswith("tools/README.md: missing")
