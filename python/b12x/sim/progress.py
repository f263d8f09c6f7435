"""A progress bar over the seeds of a run, on stderr; none for a single seed or where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def bar(seeds: int) -> Iterator[Callable[[], None]]:
    """Yields what is to be called after each seed."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=seeds == 1 or not console.is_terminal) as bars:
        task = bars.add_task("seeds", total=seeds)
        yield lambda: bars.advance(task)
