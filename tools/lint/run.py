"""`make lint`: all static checks, one line per finding, exit code 1 if any is an error.

SASS rules ran in the build already (a kernel that fails them is not embedded); here they only tell that they did.
"""

from __future__ import annotations

import sys

import doc_rules
import file_rules
import formatting
import layers
import tree


def main() -> int:
    """Runs every check, prints findings and one closing line per check."""
    sources = {path: text for path in tree.files() if (text := tree.read(path)) is not None}
    code = {path: text for path, text in sources.items() if path.endswith(tree.CXX_SUFFIXES)}
    warnings, errors = file_rules.check(sources)
    for finding in warnings:
        print(f"lint: warning: {finding}")
    errors = layers.check(code) + errors + doc_rules.check(sources)
    for finding in errors:
        print(f"lint: error: {finding}", file=sys.stderr)
    wrong = {
        "layers, files, docs": len(errors),
        "clang-format": formatting.clang_format(write=False),
        "ruff": formatting.ruff(write=False),
    }
    for check, result in wrong.items():
        print(f"lint: {check}: {'ok' if not result else 'FAILED'}")
    kernels = len(list((tree.ROOT / "build").glob("kernels/**/*.sass.ok")))
    print(f"lint: SASS rules: {kernels} kernel files passed in the build")
    if wrong["clang-format"] or wrong["ruff"]:
        print("lint: `make format` rewrites what can be rewritten", file=sys.stderr)
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
