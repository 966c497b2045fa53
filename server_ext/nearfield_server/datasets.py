"""``GET datasets…``: a search, its counts and completions, and one record with all that it has."""

from __future__ import annotations

import time
from contextlib import aclosing
from datetime import UTC, datetime

from jupyter_server.auth.decorator import authorized
from pydantic import TypeAdapter, ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from nearfield.catalogue import Catalogue
from nearfield.datasets import Dataset, Pid
from nearfield.errors import DatasetNotFoundError, DatasetNotPermittedError
from nearfield.querying import DatasetSummary, Query, summary_of
from nearfield_server.access import only
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
from nearfield_server.searching import Told, complete, query_of, stream, used
from nearfield_server.snippets import snippet_of

NDJSON = "application/x-ndjson"
MAX_RELATED = 100
_PID: TypeAdapter[str] = TypeAdapter(Pid)


class SearchHandler(Handler):
    """``GET datasets``: all at once, or line by line as it is found."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        asked = self.asked(SearchAsked)
        query = query_of(asked.q, asked)
        streamed = NDJSON in self.request.headers.get("Accept", "")
        told, began = Told(), time.monotonic()
        try:
            async with self.access.catalogue() as catalogue:
                await self._tell(catalogue, query, told, streamed=streamed)
        except StreamClosedError:
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
        async with aclosing(stream(catalogue, query)) as events:
            async for event in events:
                told.hear(event)
                if streamed:
                    await self._line(event.model_dump_json())

    async def _line(self, text: str) -> None:
        if not self._headers_written:
            self.set_header("Content-Type", NDJSON)
            self.set_header("Cache-Control", "no-store")
            # nginx would keep the lines back until it has many.
            self.set_header("X-Accel-Buffering", "no")
        self.write(text + "\n")
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
        asked = self.asked(CompletionsAsked)
        async with self.access.catalogue() as catalogue:
            self.answer(await complete(catalogue, asked.q, asked.at))


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
        pid, asked = self.pid(pid), self.asked(OneAsked)
        async with self.access.catalogue() as catalogue:
            dataset = await only(catalogue, asked.source).get(pid)
        self.tell_opened(dataset, "record")
        self.answer({**dataset.model_dump(mode="json"), "snippet": snippet_of(dataset)})


class FilesHandler(OfOneHandler):
    """``GET datasets/PID/files``."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
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
        pid, asked = self.pid(pid), self.asked(OneAsked)
        async with self.access.catalogue() as catalogue:
            source = only(catalogue, asked.source)
            dataset = await source.get(pid)
            self.answer(await related(source, dataset))


async def related(catalogue: Catalogue, dataset: Dataset) -> RelatedAnswer:
    """What ``dataset`` was made from and what was made from it, as this user may see it."""
    now = datetime.now(UTC)
    inputs: list[DatasetSummary] = []
    missing: list[str] = []
    for pid in dataset.input_datasets[:MAX_RELATED]:
        try:
            inputs.append(summary_of(await catalogue.get(pid), now))
        except (DatasetNotFoundError, DatasetNotPermittedError):
            # Not told apart: that something exists is already a word about it.
            missing.append(pid)
    page = await catalogue.search(Query(input_dataset=dataset.pid, limit=MAX_RELATED))
    return RelatedAnswer(
        inputs=tuple(inputs),
        derived=tuple(summary_of(one, now) for one in page.datasets),
        missing=tuple(missing),
    )
