"""A catalogue of as many records as a facility has. They are older than anything that is scanned,
public, and no word of them is in the sample data.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nearfield.catalogue import CatalogueStore
from nearfield.datasets import Access, DataFile, Dataset

MANY = 100_000
OLD = datetime(2001, 1, 1, tzinfo=UTC)
MATERIALS = ("copper", "perovskite", "lysozyme", "graphene", "haematite", "collagen", "zeolite")
TECHNIQUES = ("NXsas", "NXxas", "NXtomo", "NXreflectometer")
INSTRUMENTS = tuple(f"B{number:02d}" for number in range(1, 21))
SCRIPT = '<script>window.hacked = true</script><img src=x onerror="window.hacked = true">'


def records(count: int) -> Iterator[Dataset]:
    """``count`` different ones; number 0 has a title with a script in it."""
    for number in range(count):
        material = MATERIALS[number % len(MATERIALS)]
        title = f"{material} series {number // 50}, position {number % 50}"
        path = f"/archive/{number // 1000:03d}/scan_{number:06d}.nxs"
        yield Dataset(
            pid=f"seeded/{number:06d}",
            title=f"{SCRIPT} {title}" if number == 0 else title,
            techniques=(TECHNIQUES[number % len(TECHNIQUES)],),
            instrument=INSTRUMENTS[number % len(INSTRUMENTS)],
            facility="Synthetic Source",
            sample=material,
            format="NeXus",
            start_time=OLD + timedelta(minutes=number),
            source_folder=path.rpartition("/")[0],
            files=(DataFile(path=path, size=1_000_000 + number, mtime=OLD),),
            size=1_000_000 + number,
            access=Access(public=True, owner="archive"),
            scientific={"energy": {"value": 8 + number % 9, "unit": "keV"}},
        )


def seed(catalogue: Path, name: str, count: int) -> None:
    """Add ``count`` records to the embedded catalogue in ``catalogue``."""
    store = CatalogueStore(catalogue, name)
    try:
        store.load(records(count))
    finally:
        store.close()
