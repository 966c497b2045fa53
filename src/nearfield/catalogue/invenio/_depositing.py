"""A result in a repository: a draft with files, its DOI reserved, published where that is wanted.

An attempt that was killed leaves a draft, which the next one finds by the run's identifier in its
metadata and goes on with: what it holds already is compared, not sent again. The index is a moment
late, so that two attempts may both make one: before the end they look again, and only the
oldest draft stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from nearfield.catalogue._derive import request_digest
from nearfield.catalogue._inherit import Inherited, inherited, inherited_access
from nearfield.catalogue.invenio._manifest import KEY, keys_of, manifest_of, run_in
from nearfield.catalogue.invenio._rdm_records import RdmRecord
from nearfield.catalogue.invenio._sending import Sending, check_before
from nearfield.config.sources import InvenioSource
from nearfield.datasets import Dataset, DerivedDataset
from nearfield.errors import (
    BlockedError,
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotPermittedError,
    SourceStatusError,
)
from nearfield.querying.times import instant

WRITING = 60.0
"""Seconds for one step besides sending files."""


class Kept(NamedTuple):
    """A file as the repository has it; ``md5`` in hexadecimal digits."""

    size: int
    md5: str | None
    complete: bool = True


class Creator(NamedTuple):
    """``given`` is empty for an organisation."""

    family: str
    given: str


class Wish(NamedTuple):
    """What a draft is made of, in no dialect."""

    wanted: DerivedDataset
    inputs: Sequence[Dataset]
    facts: Inherited
    creator: Creator
    publisher: str
    license: str | None
    embargo: datetime | None
    """Public from then on."""
    public: bool
    """At once."""


class Deposits(Protocol):
    """The steps, as a dialect has them."""

    name: str

    async def attempts(self, wanted: DerivedDataset) -> list[RdmRecord]:
        """Drafts and records of this user that may be of this run."""
        ...

    async def current(self, attempt: RdmRecord) -> RdmRecord | None:
        """As it is now, whatever the index says; ``None`` where it is gone."""
        ...

    async def create(self, wish: Wish) -> RdmRecord:
        """Raises CatalogueError where its metadata would not be published; nothing is left."""
        ...

    async def kept(self, draft: RdmRecord) -> dict[str, Kept]: ...

    async def send(self, draft: RdmRecord, key: str, sending: Sending, *, anew: bool) -> Kept:
        """``anew``: there is something of that name already."""
        ...

    async def drop(self, draft: RdmRecord, key: str) -> None: ...

    async def reserve(self, draft: RdmRecord) -> None:
        """A DOI, where it has none."""
        ...

    async def publish(self, draft: RdmRecord) -> None: ...

    async def discard(self, draft: RdmRecord) -> None: ...


async def deposit(
    deposits: Deposits, settings: InvenioSource, wanted: DerivedDataset, inputs: Sequence[Dataset]
) -> str:
    """The id of the draft or record of this result, made now or by an earlier attempt.

    Raises:
        DataFileError, UsageError: the files are not what was said, or too large; nothing is made.
        BlockedError: nobody is named as its creator.
        CatalogueError: the run id is taken by other content, or the repository refuses.
    """
    keys = keys_of(wanted.files, wanted.source_folder)
    known = await _winner(deposits, wanted)
    if known is not None and known.is_published:
        return known.id
    check_before(
        deposits.name,
        keys,
        max_file=settings.max_file,
        max_dataset=settings.max_dataset,
        max_files=settings.max_files - 1,
    )
    wish = _wish(deposits, settings, wanted, inputs)
    try:
        draft = known or await deposits.create(wish)
    except SourceStatusError as error:
        if error.status == 403:
            raise DatasetNotPermittedError(
                f"{deposits.name}: you may not make records there",
                hint="ask its administrators, or publish to another catalogue",
            ) from error
        raise
    if run_in(draft.identifiers) is None:
        # It would not be found again, and the next attempt would make another.
        await deposits.discard(draft)
        raise CatalogueError(
            f"{deposits.name}: does not keep the identifier of the run: nothing was published",
            hint="ask its administrators to allow identifiers of the scheme URN",
        )
    sent = {key: Sending(deposits.name, file) for key, file in keys.items()}
    sent[KEY] = Sending(deposits.name, manifest_of(wanted, wish.facts, keys))
    draft = await _whole(deposits, draft, sent, wanted)
    if settings.publish == "published" and not draft.is_published:
        try:
            await deposits.publish(draft)
        except (SourceStatusError, CatalogueUnavailableError):
            # Another attempt may have done it, or this one, and the answer was lost.
            now = await deposits.current(draft)
            if now is None or not now.is_published:
                raise
    return draft.id


async def _whole(
    deposits: Deposits, draft: RdmRecord, sent: dict[str, Sending], wanted: DerivedDataset
) -> RdmRecord:
    """The one draft that stays, with all files. Who made a later one goes on with the oldest."""
    for _ in range(3):
        await _complete(deposits, draft, sent)
        oldest = await _winner(deposits, wanted, draft)
        if oldest is None or oldest.id == draft.id:
            return draft
        await deposits.discard(draft)
        draft = oldest
        if draft.is_published:
            return draft
    raise CatalogueError(
        f"{deposits.name}: several attempts publish run {wanted.run_id!r} at once",
        hint="let one of them end, then repeat",
    )


async def _winner(
    deposits: Deposits, wanted: DerivedDataset, mine: RdmRecord | None = None
) -> RdmRecord | None:
    """What an attempt of this user has made for this run: what is published, else the oldest.

    ``mine`` counts even if the index does not know it yet: two attempts choose the same one.

    Raises:
        CatalogueError: it was made for other content.
    """
    digest = request_digest(wanted)
    found, others = [], 0
    for attempt in await deposits.attempts(wanted):
        run = run_in(attempt.identifiers)
        if run is None or run[0].casefold() != wanted.run_id.casefold():
            continue
        # The index may not know yet that it was published, or deleted.
        if (now := await deposits.current(attempt)) is not None:
            found.append(now)
            others += run[1] != digest
    if others:
        raise CatalogueError(
            f"{deposits.name}: run id {wanted.run_id!r} is taken by another derived dataset",
            hint="publish under a new run id",
        )
    if mine is not None and all(one.id != mine.id for one in found):
        found.append(mine)
    found.sort(key=_age)
    return found[0] if found else None


def _age(record: RdmRecord) -> tuple[bool, float, str]:
    made = instant(record.created) if record.created is not None else math.inf
    return not record.is_published, made, record.id


async def _complete(deposits: Deposits, draft: RdmRecord, sent: dict[str, Sending]) -> None:
    """All files there, whole, and a DOI reserved."""
    there = await deposits.kept(draft)
    for key, sending in sent.items():
        known = there.get(key)
        if (
            known is not None
            and known.complete
            and known.size == sending.size
            and known.md5 == await sending.hashed()
        ):
            continue
        kept = await deposits.send(draft, key, sending, anew=known is not None)
        if (kept.size, kept.md5) != (sending.size, sending.md5):
            await deposits.drop(draft, key)
            raise CatalogueError(
                f"{deposits.name}: {key!r} did not arrive as it was sent",
                hint="publish again: it goes on with what has arrived",
            )
    await deposits.reserve(draft)


def _wish(
    deposits: Deposits, settings: InvenioSource, wanted: DerivedDataset, inputs: Sequence[Dataset]
) -> Wish:
    family, _, given = (settings.creator or "").partition(",")
    if not family.strip():
        raise BlockedError(
            f"{deposits.name}: a record needs a creator",
            hint="name one in its settings: `creator: Family, Given`",
        )
    access = inherited_access(inputs, "")
    public = access.open_at(datetime.now(UTC))
    return Wish(
        wanted,
        inputs,
        inherited(wanted, inputs),
        Creator(family.strip(), given.strip()),
        settings.publisher or urlsplit(settings.url).hostname or deposits.name,
        settings.license,
        access.embargo_until if access.public and not public else None,
        public,
    )
