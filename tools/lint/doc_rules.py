"""The written map is held to the tree: paths named in Markdown exist, and every top-level folder has a README.md.

In: path -> text of all files. Out: findings. A path is what stands in backticks and begins with a top-level folder of
the tree; `*` stands for anything within a name, `**` for any folders, `<name>` for a part that the reader fills in.
"""

from __future__ import annotations

import re

from tree import Finding

_BACKTICKED = re.compile(r"`([^`\s]+)`")
# Made by the build, so named and not in the repository.
_MADE = ("build", "build-sanitize", ".venv", ".cuda")


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*|<[^>]*>)", path.rstrip("/"))
    wild = {"**/": r"(?:[^/]+/)*", "*": r"[^/]*"}
    regex = "".join(wild.get(part) or (r"[^/]*" if part.startswith("<") else re.escape(part)) for part in parts)
    return re.compile(regex + r"(/.*)?$")


def check_paths(sources: dict[str, str]) -> list[Finding]:
    """Every backticked path of a Markdown file that matches no file or folder."""
    top = {path.split("/")[0] for path in sources if "/" in path}
    found = []
    for path, text in sources.items():
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for name in _BACKTICKED.findall(line):
                first = name.split("/")[0]
                if "/" not in name or first not in top or first in _MADE or "<" in name:
                    continue
                pattern = _pattern(re.sub(r":\d+$", "", name))
                if not any(pattern.match(other) for other in sources):
                    found.append(Finding(path, number, f"`{name}` does not exist"))
    return found


def check_readmes(sources: dict[str, str]) -> list[Finding]:
    """Top-level folders without a README.md (hidden ones have none)."""
    folders = {path.split("/")[0] for path in sources if "/" in path}
    return [
        Finding(f"{folder}/README.md", 0, "missing: each top-level folder says in about ten lines what it is")
        for folder in sorted(folders)
        if not folder.startswith(".") and f"{folder}/README.md" not in sources
    ]


def check(sources: dict[str, str]) -> list[Finding]:
    """Both checks."""
    return check_paths(sources) + check_readmes(sources)
