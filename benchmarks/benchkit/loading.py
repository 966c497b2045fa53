"""Another process that writes beside a bulk load: how long it waits for its turn."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchkit.records import records
from nearfield.catalogue import CatalogueStore
from nearfield.datasets import Dataset

COUNT = 100_000
PAUSE = 0.05


class Turns(NamedTuple):
    """What the other writer met."""

    written: int
    longest_ms: float
    median_ms: float


def beside_a_load(path: Path) -> Turns:
    """One record at a time, with pauses, while 100,000 are loaded into the same file."""
    loader = multiprocessing.get_context("spawn").Process(target=_load, args=(path,))
    store, waits = CatalogueStore(path), []
    one = iter(_renamed("turn", records(1_000_000, seed=5)))
    loader.start()
    while loader.is_alive():
        dataset = next(one)
        began = time.perf_counter()
        store.register([dataset])
        waits.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE)
    loader.join()
    store.close()
    if loader.exitcode:
        raise RuntimeError(f"the load ended with {loader.exitcode}")
    return Turns(len(waits), max(waits), sorted(waits)[len(waits) // 2])


def _load(path: Path) -> None:
    store = CatalogueStore(path)
    store.load(_renamed("loaded", records(COUNT, seed=6)))
    store.close()


def _renamed(name: str, source: Iterable[Dataset]) -> Iterator[Dataset]:
    """Not the records that are there already."""
    for one in source:
        yield one.model_copy(update={"pid": f"{name}/{one.pid}", "run_id": None})
