"""Records as lines of JSON: out of an embedded catalogue, and into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from nearfield.catalogue._store import CatalogueStore
from nearfield.datasets import Dataset

MAX_LINE = 16 << 20
"""Characters of one record; more is no record."""
_TOLD = 100


@dataclass
class Imported:
    """What became of the lines."""

    registered: int = 0
    failed: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Number of the line and what is wrong with it; of the first hundred that failed."""


def import_lines(
    store: CatalogueStore,
    lines: Iterable[str],
    on_progress: Callable[[int], None] = lambda done: None,
) -> Imported:
    """Register the record of each line, replacing those of the same PID.

    A record is as ``nearfield catalogue show --json`` prints it. A line that holds none is left
    out and counted. Batches are written as they come: what was written stays, and to do it again
    changes nothing.

    Raises:
        CatalogueError: the catalogue cannot be written.
    """
    done = Imported()
    done.registered = store.load(_records(lines, done, on_progress))
    return done


def export_lines(store: CatalogueStore) -> Iterator[str]:
    """Every record of the catalogue, one line each, without its end; as of one moment.

    Raises:
        CatalogueError: the catalogue cannot be read.
    """
    with store.reading() as connection:
        for (document,) in connection.execute("SELECT document FROM record ORDER BY id"):
            yield document


def _records(
    lines: Iterable[str], done: Imported, on_progress: Callable[[int], None]
) -> Iterator[Dataset]:
    for number, line in enumerate(lines, 1):
        if number % 1000 == 0:
            on_progress(number)
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE:
                raise ValueError(f"longer than {MAX_LINE:,} characters")
            yield Dataset.model_validate_json(line)
        except ValueError as error:  # pydantic's is one
            done.failed += 1
            if len(done.problems) < _TOLD:
                done.problems.append((number, _words(error)))


def _words(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]
