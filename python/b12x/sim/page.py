"""A Report as one HTML file that needs nothing else: findings, kernels, and the source with its counters.

In: a Report; source files where they still are. Out: page.html with the data in it; the page's script draws everything.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from b12x.sim.session import Report

TEMPLATE = Path(__file__).with_name("page.html")
_MOST_LINES = 5000  # of a source file; longer ones are generated


def sources_of(report: Report) -> dict[str, list[str]]:
    """The lines of every file that a counter or finding names and that can be read."""
    named = {line["file"] for kernel in report.kernels for line in kernel["lines"]}
    named |= {finding["file"] for finding in report.findings if finding["file"]}
    found = {}
    for name in sorted(named):
        try:
            lines = Path(name).read_text(errors="replace").splitlines()
        except OSError:
            continue  # the page shows its counters without text
        if len(lines) <= _MOST_LINES:
            found[name] = lines
    return found


def render(report: Report) -> str:
    """The page."""
    content = json.dumps(asdict(report) | {"sources": sources_of(report)}, separators=(",", ":"))
    # Inside a script element only "</" could end it.
    return TEMPLATE.read_text().replace("/*DATA*/", content.replace("</", "<\\/"))
