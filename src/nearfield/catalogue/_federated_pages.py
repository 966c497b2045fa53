"""A search over several sources, page by page: where each begins, and where it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from nearfield.catalogue._asking import Answer, FederatedSource, ask, raise_if_none
from nearfield.catalogue._finding import found_in
from nearfield.catalogue._merging import Fetched, keys_of, labelled, merge
from nearfield.catalogue._positions import (
    Position,
    Positions,
    mark,
    read_cursor,
    remembered,
    write_cursor,
)
from nearfield.catalogue._protocol import Catalogue
from nearfield.config import Config
from nearfield.datasets import Dataset
from nearfield.errors import UsageError
from nearfield.mapping import placed
from nearfield.querying import (
    AlsoEvent,
    DatasetsEvent,
    EndEvent,
    Page,
    Query,
    SearchEvent,
    SourceEvent,
    SourceState,
    summary_of,
)

MOST = 1000
# A page that comes out short, because a source gave less than was asked, is filled so often.
_ROUNDS = 3


class PagedSearch:
    """One page of one search over ``sources``; made anew for each page."""

    def __init__(
        self, sources: Sequence[FederatedSource], query: Query, now: datetime, site: Config
    ) -> None:
        if query.cursor and query.offset:
            raise UsageError("cursor and offset together", hint="leave out one of them")
        if query.offset + query.limit > MOST:
            raise UsageError(
                f"offset: at most {MOST} datasets of several catalogues are passed over",
                hint="go on from page to page with the cursor `next`",
            )
        self.query, self.now, self.site = query, now, site
        self.first = query.cursor is None
        if query.cursor is None:
            self.start = Positions(sources={source.name: Position() for source in sources})
        else:
            self.start = read_cursor(query.cursor, query)
        self.positions = dict(self.start.sources)
        self.asked = [source for source in sources if source.name in self.positions]
        self.shown = list(self.start.shown)
        self.states: dict[str, SourceState] = {}
        self.pages: dict[str, Page] = {}
        self.doubles = 0

    async def page(self) -> Page:
        """Raises as ``FederatedCatalogue.search``."""
        wanted = self.query.offset + self.query.limit
        found: list[Dataset] = []
        for turn in range(_ROUNDS):
            answers = await self._ask_all(wanted - len(found))
            if turn == 0:
                raise_if_none(answers)
            lists = [self._fetched(answer) for answer in answers if answer.value is not None]
            merged = merge(
                lists,
                wanted - len(found),
                by_relevance=self.query.order == "relevance",
                known=self._known(lists),
            )
            self.doubles += merged.doubles
            self._advance(answers, merged.used)
            self._remember(merged.datasets)
            found += merged.datasets
            silent = any(answer.value is None for answer in answers)
            if len(found) >= wanted or not self.positions or silent:
                break
        total, exact = self._total()
        return Page(
            datasets=tuple(found[self.query.offset :]),
            total=max(total, len(found)),
            total_exact=exact,
            offset=self.query.offset,
            next=self._next(total, exact),
            sources=tuple(self.states.values()),
        )

    async def events(self) -> AsyncGenerator[SearchEvent, None]:
        """As ``FederatedCatalogue.stream``."""
        for source in self.asked:
            yield SourceEvent.of(SourceState(source=source.name, state="asking"))
        limit = self.query.limit
        told: dict[str, str] = {}
        earlier = set(self.start.shown)
        answers: list[Answer[Page]] = []
        tasks = [asyncio.create_task(self._ask(source, limit)) for source in self.asked]
        try:
            waiting = set(tasks)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in (task for task in tasks if task in done):
                    answer = task.result()
                    answers.append(answer)
                    for event in self._told(answer, told, earlier):
                        yield event
        finally:
            await _ended(tasks)
        wrong = [answer.error for answer in answers if isinstance(answer.error, UsageError)]
        if wrong and len(wrong) == len(answers):
            raise wrong[0]
        self._advance(answers, {name: len(page.datasets) for name, page in self.pages.items()})
        total, exact = self._total()
        yield EndEvent(total=total, total_exact=exact, next=self._next(total, exact))

    def _told(
        self, answer: Answer[Page], told: dict[str, str], earlier: set[str]
    ) -> list[SearchEvent]:
        """What is said of one source's answer; ``told`` holds the PID of what was, by its keys."""
        name = answer.source.name
        events: list[SearchEvent] = []
        fresh: list[Dataset] = []
        if answer.value is not None:
            for dataset in self._fetched(answer).datasets:
                keys = keys_of(dataset)
                pid = next((told[key] for key in keys if key in told), None)
                if pid is not None:
                    self.doubles += 1
                    events.append(AlsoEvent(pid=pid, source=name))
                elif earlier.isdisjoint(map(mark, keys)):
                    told.update(dict.fromkeys(keys, dataset.pid))
                    fresh.append(labelled(dataset, name))
        if fresh:
            self._remember(fresh)
            summaries = tuple(summary_of(dataset, self.now) for dataset in fresh)
            events.insert(0, DatasetsEvent(source=name, datasets=summaries))
        return [*events, SourceEvent.of(self.states[name])]

    async def _ask_all(self, limit: int) -> list[Answer[Page]]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._ask(source, limit))
                for source in self.asked
                if source.name in self.positions
            ]
        return [task.result() for task in tasks]

    async def _ask(self, source: FederatedSource, limit: int) -> Answer[Page]:
        position = self.positions[source.name]
        mine = self.query.model_copy(
            update={
                "source": (),
                "cursor": position.cursor,
                "offset": position.offset,
                "limit": min(MOST, position.skip + limit),
            }
        )

        async def question(catalogue: Catalogue) -> Page:
            return await found_in(catalogue, mine)

        answer = await ask(source, question)
        page = answer.value
        if page is None:
            self.states[source.name] = answer.state()
        else:
            self.pages[source.name] = page
            note = page.sources[0].message if page.sources else None
            self.states.setdefault(source.name, answer.state(page.total, page.total_exact, note))
        return answer

    def _fetched(self, answer: Answer[Page]) -> Fetched:
        name, page = answer.source.name, answer.value
        position = self.positions[name]
        assert page is not None  # noqa: S101  # for mypy: only answers are read
        return Fetched(
            source=name,
            datasets=[placed(self.site, one) for one in page.datasets[position.skip :]],
            more=_after(page, position) is not None,
            before=position.before,
        )

    def _advance(self, answers: Sequence[Answer[Page]], used: Mapping[str, int]) -> None:
        """Move each source's position behind what was used of it."""
        for answer in answers:
            name, page = answer.source.name, answer.value
            position = self.positions[name]
            if page is None:
                if self.first:
                    # It would begin somewhere in the middle of the others: left out from here on.
                    del self.positions[name]
                continue
            number = min(used.get(name, 0), len(page.datasets) - position.skip)
            moved = _moved(page, position, max(number, 0))
            if moved is None:
                del self.positions[name]
            else:
                self.positions[name] = moved

    def _known(self, lists: Sequence[Fetched]) -> set[str]:
        """Keys among these of what was shown on earlier pages."""
        marks = set(self.shown)
        keys = (key for one in lists for dataset in one.datasets for key in keys_of(dataset))
        return {key for key in keys if mark(key) in marks} if marks else set()

    def _remember(self, datasets: Sequence[Dataset]) -> None:
        self.shown += [mark(key) for dataset in datasets for key in keys_of(dataset)]

    def _total(self) -> tuple[int, bool]:
        if not self.first:
            return self.start.total, self.start.total_exact
        total = sum(page.total for page in self.pages.values()) - self.doubles
        exact = all(page.total_exact for page in self.pages.values())
        answered = all(state.state == "answered" for state in self.states.values())
        # What is further down in two sources may be the same.
        seen = len(self.positions) < 2
        return max(total, 0), exact and answered and seen

    def _next(self, total: int, exact: bool) -> str | None:
        if not self.positions:
            return None
        # One source alone shows nothing twice.
        shown = remembered(self.shown) if len(self.positions) > 1 or not self.first else ()
        positions = Positions(sources=self.positions, shown=shown, total=total, total_exact=exact)
        return write_cursor(positions, self.query)


def _moved(page: Page, position: Position, number: int) -> Position | None:
    """Behind ``number`` more datasets of this page; ``None`` behind the last of all."""
    skip, before = position.skip + number, position.before + number
    if skip < len(page.datasets):
        return position.model_copy(update={"skip": skip, "before": before})
    after = _after(page, position)
    return None if after is None else after.model_copy(update={"before": before})


def _after(page: Page, position: Position) -> Position | None:
    """Where the page behind this one begins."""
    if page.next is not None:
        return Position(cursor=page.next)
    # A source without cursors counts from the beginning.
    offset = position.offset + len(page.datasets)
    if position.cursor is None and page.datasets and offset < page.total:
        return Position(offset=offset)
    return None


async def _ended(tasks: Sequence[asyncio.Task[Answer[Page]]]) -> None:
    """No question outlives the search, however the reader left it."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
