"""Outcomes of mutants -> a Markdown section between two marks of a page, with date and commit."""

from __future__ import annotations

import datetime
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from survivors import rule_for

if TYPE_CHECKING:
    from run import Outcome

END = "<!-- end of mutation -->"


def begin(section: str) -> str:
    """The mark above a section of the page."""
    return f"<!-- {section}: made by tools/mutate/run.py -->"


def _rows(outcomes: Sequence[Outcome]) -> list[str]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.mutant.operator].append(outcome)
    rows = [
        "| operator | mutants | reported | first seed | equivalent | missed | by |",
        "|---|---|---|---|---|---|---|",
    ]
    for operator, members in sorted(groups.items()):
        rules = [rule_for(o.mutant) for o in members if o.seed is None]
        equivalent = sum(r is not None and r.verdict == "equivalent" for r in rules)
        killed = [o for o in members if o.seed is not None]
        kinds = Counter(str(o.finding.get("kind")) for o in killed)
        by = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        first = sum(o.seed == 1 for o in killed)
        rows.append(
            f"| {operator} | {len(members)} | {len(killed)} | {first} | {equivalent} | "
            f"{len(rules) - equivalent} | {by} |"
        )
    return rows


def _survivors(outcomes: Sequence[Outcome]) -> list[str]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for o in outcomes:
        if o.seed is None:
            rule = rule_for(o.mutant)
            verdict, reason = (rule.verdict, rule.reason) if rule else ("unexplained", o.note)
            groups[verdict, o.mutant.operator, reason].append(f"`{o.mutant.entry}:{o.mutant.line}`")
    lines = []
    for (verdict, operator, reason), names in sorted(groups.items()):
        lines.append(f"- **{operator}**, {verdict}, {len(names)} mutants: {reason}\n  {', '.join(names)}")
    return lines or ["None."]


def write_table(
    page: Path, root: Path, outcomes: Sequence[Outcome], unaltered: dict[str, object], section: str = "mutation"
) -> None:
    """Replaces the section of `page`; the page has both marks."""
    start = begin(section)
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    killed = sum(o.seed is not None for o in outcomes)
    rules = [rule_for(o.mutant) for o in outcomes if o.seed is None]
    counted = len(outcomes) - sum(r is not None and r.verdict == "equivalent" for r in rules)
    accused = unaltered["accused"]
    reports = "no report" if not accused else "; ".join(map(str, accused))  # type: ignore[call-overload]
    lines = [
        start,
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, on commit {commit}:",
        "",
        f"- {len(outcomes)} mutants of {unaltered['kernels']} kernels, {len(outcomes) - counted} of them equivalents; "
        f"**{killed} of the other {counted} are reported ({100 * killed / max(counted, 1):.1f} %)**.",
        f"- The unaltered kernels over {unaltered['seeds']} seeds: {reports}.",
        "",
        *_rows(outcomes),
        "",
        "Survivors:",
        "",
        *_survivors(outcomes),
        END,
    ]
    text = page.read_text()
    page.write_text(re.sub(f"{re.escape(start)}.*?{re.escape(END)}", lambda _: "\n".join(lines), text, flags=re.S))
