"""What commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


def complain(message: str) -> None:
    """One error, for a person: ``nearfield: what and where`` and, below it, what to do."""
    print(f"nearfield: {message}", file=sys.stderr)


def emit_json(data: Any) -> None:
    """One JSON document on standard output. Non-ASCII is escaped: paths survive any terminal."""
    json.dump(data, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def one_line(text: str) -> str:
    """``text`` on one line, without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: list[str], rows: list[list[str]]) -> None:
    """Rows for a person; nothing in a cell is read as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        # A PID or a path that ends in an ellipsis is of no use; what names a row stays whole.
        grid.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    # Off a terminal rich falls back to 80 columns and would cut PIDs and paths.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(grid)


class Progress(Protocol):
    """Told how far the work is. ``total`` may be None while it is not known."""

    def __call__(self, done: int, total: int | None, what: str = "") -> None: ...


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A bar on a terminal, a plain line every few seconds elsewhere; always on standard error."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=None)

            def show(done: int, total: int | None, what: str = "") -> None:
                bar.update(task, completed=done, total=total, description=f"{title} {what}"[:60])

            yield show
        return

    last = time.monotonic()

    def say(done: int, total: int | None, what: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= 5:
            last = time.monotonic()
            print(f"{title}: {done}/{'?' if total is None else total} {what}", file=sys.stderr)

    yield say
