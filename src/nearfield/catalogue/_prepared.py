"""A record as it goes into the tables: what needs no look at the file, made before it is locked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nearfield.catalogue._combinations import Values, values_of
from nearfield.catalogue._slots import number_at
from nearfield.catalogue._tags import MAX_QUANTITIES, audience_of, opens_at, tags_of
from nearfield.datasets import Dataset
from nearfield.querying.matching import quantities
from nearfield.querying.times import instant
from nearfield.querying.units import base_value
from nearfield.querying.words import text_of_dataset


class Measured(NamedTuple):
    """One number of a record."""

    name: str
    value: float
    dimension: str | None
    """``None`` where its unit is unknown."""
    base: float | None
    """In base units."""


class Prepared(NamedTuple):
    """One record, ready to be written."""

    pid: str
    time: float | None
    number: int
    """Of its row, where no other has it."""
    columns: tuple[object, ...]
    """Of ``dataset``, from ``type`` to ``pid``."""
    values: Values
    """What facets count."""
    audience: tuple[str, ...]
    opens: float | None
    texts: tuple[str, str, str]
    """Title, rest, and tags."""
    document: str
    measured: tuple[Measured, ...]

    @property
    def length(self) -> int:
        """How many characters of text it is."""
        return sum(map(len, self.texts)) + len(self.document)


def prepared(dataset: Dataset, request: str | None = None) -> Prepared:
    """``dataset`` as it is written; ``request`` as ``put`` of ``_records`` says."""
    said = dataset.start_time or dataset.created
    time = None if said is None else instant(said)
    access = dataset.access
    found = tuple(quantities(dataset.scientific))[:MAX_QUANTITIES]
    audience, values = audience_of(access), values_of(dataset)
    return Prepared(
        dataset.pid,
        time,
        number_at(dataset.pid, time),
        (
            dataset.type,
            time,
            dataset.instrument,
            dataset.format,
            access.owner,
            access.public,
            dataset.run_id,
            request,
            dataset.pid,
        ),
        values,
        audience,
        opens_at(access),
        (*text_of_dataset(dataset), tags_of(dataset, values, audience, found)),
        dataset.model_dump_json(exclude_defaults=True),
        tuple(_measured(found)),
    )


def _measured(found: tuple[tuple[str, float | str, str | None], ...]) -> Iterator[Measured]:
    for name, value, unit in found:
        if not isinstance(value, str):
            base = base_value(value, unit)
            if base is None:
                yield Measured(name, float(value), None, None)
            else:
                yield Measured(name, float(value), base[1], base[0])
