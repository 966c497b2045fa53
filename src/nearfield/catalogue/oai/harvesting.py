"""A harvest: page after page into the file, each with the place where it goes on.

Killed at any point, the file holds whole pages and the next harvest begins with the one that was
not written. What a page costs does not grow with what was harvested before.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from nearfield.catalogue._numbers import Numbers
from nearfield.catalogue._pids import fitted
from nearfield.catalogue._prepared import prepared
from nearfield.catalogue._records import fetch, is_input, put_all, remove
from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue._wire import explain_validation
from nearfield.catalogue.oai.answers import NOTHING, Harvested, ProtocolError, RecordPage
from nearfield.catalogue.oai.records import NotADatasetError, dataset_of
from nearfield.catalogue.oai.repository import Identity, Repository
from nearfield.catalogue.oai.state import HarvestState, Progress
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError, SourceStatusError

OVERLAP = timedelta(minutes=10)
"""A record is stamped before it is seen: what is asked for begins so long before the last time."""
MAX_LISTED = 1000
MAX_EMPTY = 100
"""Pages one after the other with nothing in them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is harvested."""

    format: str | None = None
    """``oai_dc``, ``oai_datacite``, …; the best that the repository offers where none is named."""
    set: str | None = None
    full: bool = False
    """All of it, whatever was harvested before."""


@dataclass(slots=True)
class HarvestReport:
    """What a harvest did."""

    repository: str
    format: str
    since: str | None = None
    """Only what changed since; ``None``: everything."""
    resumed: bool = False
    pages: int = 0
    registered: int = 0
    unchanged: int = 0
    deleted: int = 0
    other: int = 0
    """Records of something else than datasets."""
    failures: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Identifier and reason, of the first 1000."""
    deletions_told: bool = True
    mended: int = 0
    """Pages with signs that XML does not have; in their place stands a mark."""

    def fail(self, identifier: str, reason: str) -> None:
        self.failures += 1
        if len(self.failed) < MAX_LISTED:
            self.failed.append((identifier[:400], reason))


Told = Callable[[int, int | None], None]


async def harvest(
    store: CatalogueStore,
    repository: Repository,
    wanted: Wanted | None = None,
    *,
    on_progress: Told = lambda done, total: None,
) -> HarvestReport:
    """Bring ``store`` up to date with ``repository``.

    Raises:
        CatalogueError: the repository does not answer, or not as it must; names it. What was
            written before stays, and the next harvest goes on from there.
    """
    wanted = wanted or Wanted()
    identity = await repository.identify()
    form = wanted.format or await repository.best_format()
    state = HarvestState(store, repository.url, form, wanted.set or "")
    report = HarvestReport(identity.name, form, deletions_told=identity.deletions)
    walk = _Walk(repository, state, store, wanted, report, on_progress)
    progress = Progress() if wanted.full else await asyncio.to_thread(state.load)
    if progress.token is not None:
        report.resumed = True
        try:
            await walk.run(progress)
            return report
        except (ProtocolError, SourceStatusError):
            # Most say badResumptionToken; some badArgument, or no word of the protocol at all.
            pass
    # Tokens expire: the list is then asked for anew from where the one under way began.
    since = progress.since if progress.began else _since(progress.done, identity)
    await walk.run(Progress(done=progress.done, since=since))
    return report


def _since(done: str | None, identity: Identity) -> str | None:
    """From where what changed is asked for, as finely as the repository takes it."""
    if done is None:
        return None
    at = datetime.fromisoformat(done).astimezone(UTC) - OVERLAP
    return at.strftime("%Y-%m-%dT%H:%M:%SZ" if identity.seconds else "%Y-%m-%d")


@dataclass(slots=True)
class _Walk:
    """Through one list, from where it is to its end."""

    repository: Repository
    state: HarvestState
    store: CatalogueStore
    wanted: Wanted
    report: HarvestReport
    tell: Told

    async def run(self, progress: Progress) -> None:
        """Raises CatalogueError."""
        self.report.since = progress.since
        done, empty = 0, 0
        while True:
            page = await self._page(progress)
            if page.token is not None and page.token == progress.token:
                raise self._endless("gives the same page again and again")
            empty = 0 if page.records else empty + 1
            if empty > MAX_EMPTY:
                raise self._endless("gives pages without end and without records")
            began = progress.began or _clock(page) or progress.done
            if page.token is None:
                progress = Progress(done=began)
            else:
                progress = replace(progress, began=began, token=page.token)
            await asyncio.to_thread(self._write, page, progress)
            self.report.pages += 1
            self.report.mended += page.mended
            done += len(page.records)
            self.tell(done, page.total)
            if page.token is None:
                return

    def _endless(self, what: str) -> CatalogueError:
        return CatalogueError(
            f"{self.repository.host}: {what}",
            hint="tell its administrators; what came before is in the catalogue",
        )

    async def _page(self, progress: Progress) -> RecordPage:
        if progress.token is not None:
            return await self.repository.records(resumptionToken=progress.token)
        said = {"metadataPrefix": self.report.format, "set": self.wanted.set}
        try:
            return await self.repository.records(**said, **{"from": progress.since})
        except ProtocolError as error:
            if error.code == NOTHING:
                return RecordPage((), 0, None, None, None)
            raise

    def _write(self, page: RecordPage, progress: Progress) -> None:
        """One page and its place, in one transaction."""
        for _ in range(page.bad):
            self.report.fail("", "a record without an identifier")
        with self.store.writing() as connection:
            new: dict[str, Dataset] = {}
            for record in page.records:
                self._take(connection, record, new)
            put_all(connection, map(prepared, new.values()), Numbers())
            self.state.save(connection, progress)

    def _take(
        self, connection: sqlite3.Connection, record: Harvested, new: dict[str, Dataset]
    ) -> None:
        """One record: into ``new`` what is to be written."""
        dataset = _dataset(record, self.report)
        if dataset is None and not record.deleted:
            return
        pid = fitted(record.identifier) if dataset is None else dataset.pid
        known = new.get(pid) or fetch(connection, pid)
        if known is not None and not self.state.is_ours(connection, pid):
            # Nobody else's record is replaced or deleted because a repository says its name.
            self.report.fail(record.identifier, "there is another record of that PID")
        elif dataset is not None:
            if known == dataset:
                self.report.unchanged += 1
                return
            new[pid] = dataset
            self.state.claim(connection, pid)
            self.report.registered += 1
        elif known is not None:
            self.report.deleted += 1
            new.pop(pid, None)
            if is_input(connection, pid):
                # Results refer to it: it stays, and says so.
                gone = f"deleted at its source on {record.datestamp[:20]}"
                if gone not in known.warnings:
                    new[pid] = known.model_copy(update={"warnings": (*known.warnings, gone)})
            else:
                remove(connection, pid)
                self.state.disclaim(connection, pid)


def _clock(page: RecordPage) -> str | None:
    """When the list was begun, by the repository's clock; ``None`` where it says none.

    Ours is no answer then: where it is ahead, what changes until then would never be asked for.
    """
    try:
        said = datetime.fromisoformat(page.date or "")
    except ValueError:
        said = None
    if said is None or said.tzinfo is None:
        return None
    # A clock that is ahead would leave out what changes until then.
    return min(said, datetime.now(UTC)).isoformat()


def _dataset(record: Harvested, report: HarvestReport) -> Dataset | None:
    """The dataset; ``None`` where it was deleted, or is not taken."""
    if record.deleted:
        return None
    if record.metadata is None:
        report.fail(record.identifier, "neither deleted nor described")
        return None
    try:
        return dataset_of(record.identifier, record.metadata)
    except NotADatasetError:
        report.other += 1
    except ValueError as error:
        report.fail(record.identifier, _reason(error))
    return None


def _reason(error: ValueError) -> str:
    return explain_validation(error) if isinstance(error, ValidationError) else str(error)[:300]
