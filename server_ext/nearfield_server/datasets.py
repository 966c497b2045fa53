"""``GET datasets…``: a search, its counts and completions, and one record with all that it has."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from pydantic import TypeAdapter, ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from nearfield.api import snippet
from nearfield.datasets import Dataset, Pid
from nearfield.errors import (
    CatalogueError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    UsageError,
)
from nearfield.querying import (
    DatasetSummary,
    EndEvent,
    Query,
    SearchEvent,
    SourceEvent,
    SourceState,
    summary_of,
)
from nearfield.querying.reasons import reason_of
from nearfield_server.handler import Handler
from nearfield_server.models import (
    CompletionsAsked,
    FacetsAsked,
    FilesAnswer,
    FilesAsked,
    OneAsked,
    RelatedAnswer,
    SearchAsked,
)
from nearfield_server.searching import Told, query_of, used

if TYPE_CHECKING:
    from nearfield.catalogue import Catalogue

# What only a request needs is imported by it: a session starts sooner for it.
NDJSON = "application/x-ndjson"
MAX_RELATED = 100
_NOT_THERE = (DatasetNotFoundError, DatasetNotPermittedError)
_PID: TypeAdapter[str] = TypeAdapter(Pid)


class SearchHandler(Handler):
    """``GET datasets``: all at once, or line by line as it is found."""

    _asking: asyncio.Task[Any] | None = None
    _gone = False

    def on_connection_close(self) -> None:
        self._gone = True
        if self._asking is not None:
            self._asking.cancel()

    @web.authenticated
    @authorized
    async def get(self) -> None:
        asked = self.asked(SearchAsked)
        query = query_of(asked.q, asked)
        streamed = NDJSON in self.request.headers.get("Accept", "")
        told, began = Told(), time.monotonic()
        self._asking = asyncio.current_task()
        try:
            async with self.access.catalogue() as catalogue:
                await self._tell(catalogue, query, told, streamed=streamed)
        except (StreamClosedError, asyncio.CancelledError) as ended:
            if isinstance(ended, asyncio.CancelledError) and not self._gone:
                raise
            # Nobody listens any more: another search was typed. What is still asked is given up.
            return
        finally:
            self.events.tell(
                "search",
                conditions=used(query),
                sources={name: state.state for name, state in told.states.items()},
                total=None if told.end is None else told.end.total,
                seconds=round(time.monotonic() - began, 3),
            )
        if not streamed:
            self.answer(told.answer())
        else:
            await self.finish()

    async def _tell(
        self, catalogue: Catalogue, query: Query, told: Told, *, streamed: bool
    ) -> None:
        from nearfield.catalogue import stream_search

        try:
            async with aclosing(stream_search(catalogue, query)) as events:
                async for event in events:
                    told.hear(event)
                    if streamed:
                        await self._line(event)
        except NearfieldError as error:
            if not self._headers_written:
                raise
            # Too late for a status: told as what it is, the end of the search.
            failed = SourceState(
                source=catalogue.name,
                state="failed",
                message=error.message,
                hint=error.hint,
                reason=reason_of(error),
            )
            for event in (SourceEvent.of(failed), EndEvent(total=0, total_exact=False)):
                told.hear(event)
                await self._line(event)

    async def _line(self, event: SearchEvent) -> None:
        if not self._headers_written:
            self.set_header("Content-Type", NDJSON)
            self.set_header("Cache-Control", "no-store")
            # nginx would keep the lines back until it has many.
            self.set_header("X-Accel-Buffering", "no")
        self.write(event.model_dump_json() + "\n")
        await self.flush()


class FacetsHandler(Handler):
    """``GET datasets/facets``: counts by value."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        query = query_of(self.asked(FacetsAsked).q)
        async with self.access.catalogue() as catalogue:
            self.answer(await catalogue.facets(query))


class CompletionsHandler(Handler):
    """``GET datasets/completions``: what may be typed next."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        from nearfield.catalogue import complete_in

        asked = self.asked(CompletionsAsked)
        at = len(asked.q) if asked.at is None else min(asked.at, len(asked.q))
        async with self.access.counted() as catalogue:
            self.answer(await complete_in(catalogue, asked.q, at))


class OfOneHandler(Handler):
    """What the routes of one dataset share."""

    def pid(self, said: str) -> str:
        """Raises DatasetNotFoundError for what cannot be a PID."""
        try:
            return _PID.validate_python(said)
        except ValidationError:
            raise DatasetNotFoundError(
                f"no dataset {said[:100]!r}", hint="a PID has no spaces and is plain ASCII"
            ) from None

    def tell_opened(self, dataset: Dataset, part: str) -> None:
        self.events.tell("dataset-opened", pid=dataset.pid, source=dataset.source, part=part)


class DatasetHandler(OfOneHandler):
    """``GET datasets/PID``."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        from nearfield.availability import with_availability
        from nearfield.catalogue import only

        pid, asked = self.pid(pid), self.asked(OneAsked)
        async with self.access.catalogue() as catalogue:
            source = only(catalogue, asked.source)
            dataset = await source.get(pid)
        if dataset.source is None:
            dataset = dataset.model_copy(update={"source": source.name})
        config = await self.access.config()
        # It looks at files: in a thread, and for so long that nobody need wait for a dead storage.
        dataset = await asyncio.to_thread(with_availability, config, dataset)
        self.tell_opened(dataset, "record")
        self.answer({**dataset.model_dump(mode="json"), "snippet": snippet(dataset)})


class FilesHandler(OfOneHandler):
    """``GET datasets/PID/files``."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        from nearfield.catalogue import only

        pid, asked = self.pid(pid), self.asked(FilesAsked)
        async with self.access.catalogue() as catalogue:
            files = await only(catalogue, asked.source).files(pid)
        shown = files[asked.offset : asked.offset + asked.limit]
        self.answer(FilesAnswer(files=shown, total=len(files)))


class RelatedHandler(OfOneHandler):
    """``GET datasets/PID/related``: inputs and results, one step each way."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        from nearfield.catalogue import only

        pid, asked = self.pid(pid), self.asked(OneAsked)
        async with self.access.catalogue() as catalogue:
            dataset = await only(catalogue, asked.source).get(pid)
            # What it was made from, or was made from it, may be in another catalogue.
            self.answer(await related(catalogue, dataset))


async def related(catalogue: Catalogue, dataset: Dataset) -> RelatedAnswer:
    """What ``dataset`` was made from and what was made from it, as this user may see it."""
    from nearfield.catalogue import find

    now = datetime.now(UTC)
    at_once = asyncio.Semaphore(8)

    async def look(pid: str) -> DatasetSummary | NearfieldError:
        async with at_once:
            try:
                return summary_of(await catalogue.get(pid), now)
            except CatalogueError as error:
                return error

    pids = dataset.input_datasets[:MAX_RELATED]
    looked = dict(zip(pids, await asyncio.gather(*map(look, pids)), strict=True))
    try:
        page = await find(catalogue, Query(input_dataset=dataset.pid, limit=MAX_RELATED))
        derived = page.datasets
    except (UsageError, CatalogueError):
        derived = ()  # a source that cannot be asked so, or does not answer
    return RelatedAnswer(
        inputs=tuple(one for one in looked.values() if isinstance(one, DatasetSummary)),
        derived=tuple(summary_of(one, now) for one in derived),
        # Not told apart: that something exists is already a word about it.
        missing=tuple(pid for pid, one in looked.items() if isinstance(one, _NOT_THERE)),
        unknown=tuple(
            pid for pid, one in looked.items() if not isinstance(one, (DatasetSummary, *_NOT_THERE))
        ),
    )
