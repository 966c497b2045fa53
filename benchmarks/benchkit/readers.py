"""Many reading processes beside one that writes: who is told to wait, and for how long."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sqlite3
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

from benchkit.questions import questions
from benchkit.records import MEMBER, records
from nearfield.catalogue import CatalogueStore, SqliteCatalogue, _schema
from nearfield.errors import CatalogueUnavailableError

SECONDS = 20.0
PATIENCE = 0.1


class Waits(NamedTuple):
    """What happened."""

    waits: int
    """How often a reader or the writer did not have its lock after 100 ms."""
    searches: int
    written: int
    longest_ms: float
    """Until a reader had its lock, with all that a busy machine adds."""


def beside_a_writer(path: Path, readers: int) -> Waits:
    """``readers`` processes search for a while, with pauses; one writes all the time."""
    # SQLite itself counts the wait: it gives up after it, and that is counted.
    _schema.BUSY_SECONDS = PATIENCE  # type: ignore[attr-defined]
    context = multiprocessing.get_context("fork")
    over, told = context.Event(), context.Queue()
    workers = [
        context.Process(target=_read, args=(path, number, over, told)) for number in range(readers)
    ]
    for worker in workers:
        worker.start()
    written, waits = _write(path)
    over.set()
    answers = [told.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    return Waits(
        waits + sum(answer[0] for answer in answers),
        sum(answer[1] for answer in answers),
        written,
        max(answer[2] for answer in answers),
    )


def _write(path: Path) -> tuple[int, int]:
    store, batch, number, waits = CatalogueStore(path), [], 0, 0
    source = records(10_000_000, seed=99)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        batch = [
            one.model_copy(update={"pid": f"new/{one.pid}", "run_id": None})
            for one, _ in zip(source, range(200), strict=False)
        ]
        try:
            store.register(batch)
            number += len(batch)
        except CatalogueUnavailableError:
            waits += 1
    store.close()
    return number, waits


def _read(path: Path, number: int, over: Event, told: Any) -> None:
    some = random.Random(number)  # noqa: S311 - no secret, the same every time
    store = CatalogueStore(path, create=False)
    catalogue = SqliteCatalogue(store, MEMBER)
    waits, searches, longest = 0, 0, 0.0
    asked = iter([one for _ in range(20) for one in questions(some, 10)])

    async def search() -> None:
        nonlocal searches
        await catalogue.search(next(asked).query)
        searches += 1

    while not over.is_set():
        try:
            began = time.perf_counter()
            connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM tally LIMIT 1").fetchone()
            longest = max(longest, time.perf_counter() - began)
            connection.close()
            asyncio.run(search())
        except (CatalogueUnavailableError, sqlite3.OperationalError):
            waits += 1
        time.sleep(some.uniform(0.2, 1.0))
    store.close()
    told.put((waits, searches, longest * 1000))
