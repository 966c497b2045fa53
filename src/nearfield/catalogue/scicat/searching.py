"""Searches: counted and cut by the source where it can, else looked through here."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nearfield.catalogue.scicat.backend import Backend, both
from nearfield.catalogue.scicat.mapping import Record, dataset_of, text_of
from nearfield.catalogue.scicat.where import NOTHING, Known, Where, after, all_of, where_of
from nearfield.datasets import Dataset
from nearfield.errors import SourceStatusError, UsageError
from nearfield.querying import Page, Query, SourceState
from nearfield.querying.matching import holds

MAX_SCAN = 2000
"""Records that are looked through here where the source cannot tell for certain."""
SCAN_PAGE = 200
_T = TypeVar("_T")


@dataclass
class Found:
    """Datasets of one look, and what could not be read."""

    datasets: list[Dataset] = field(default_factory=list)
    bad: int = 0
    last: Record | None = None


class Searcher:
    """The searches of one catalogue."""

    def __init__(self, backend: Backend, frontend: str | None) -> None:
        self.backend, self._frontend = backend, frontend
        self._computes = True

    async def plan(self, query: Query) -> Where:
        """The conditions that the source is given."""
        backend = self.backend
        names = {condition.name for condition in query.conditions}
        instruments, keys = await asyncio.gather(
            backend.instruments(), asyncio.gather(*map(self._keys, sorted(names)))
        )
        paths = dict(zip(sorted(names), keys, strict=True))
        known = Known(instruments, paths, self._computes)
        return where_of(query, backend.names, known)

    async def search(self, query: Query) -> Page:
        """One page.

        Raises as :meth:`SourceClient.json`.
        """
        return await self.planned(query, self._search)

    async def planned(self, query: Query, work: Callable[[Query, Where], Awaitable[_T]]) -> _T:
        """Do ``work`` with the conditions; once more where they were meant for another backend."""
        version = self.backend.version
        try:
            found = await work(query, await self.plan(query))
        except SourceStatusError as error:
            # A backend that computes nothing in filters: it is looked through here instead.
            told = query.since or query.until or query.cursor or query.conditions
            if self.backend.version == version:
                if error.status != 400 or not told or not self._computes:
                    raise
                self._computes = False
        else:
            if self.backend.version == version:
                return found
        # Else it turned out to be an older one, whose fields have other names.
        return await work(query, await self.plan(query))

    async def counted(self, where: Where) -> int | None:
        """How many match, where the source can tell; ``None`` where it cannot."""
        if where.surely is None:
            return None
        if where.exact:
            return await self.backend.count(where.maybe)
        try:
            may, sure = await both(
                self.backend.count(where.maybe), self.backend.count(where.surely)
            )
        except SourceStatusError as error:
            if error.status != 400:
                raise
            # It does not take one of the two: then nothing is certain.
            return None
        return may if may == sure else None

    async def scan(self, query: Query, where: Where) -> tuple[Found, bool]:
        """Look through what may match, the newest first; False: there may be more."""
        found = Found()
        if where.maybe == NOTHING:
            return found, True
        for skip in range(0, MAX_SCAN, SCAN_PAGE):
            page = await self.backend.page(
                where.maybe, limit=SCAN_PAGE, skip=skip, scientific=bool(query.conditions)
            )
            part = await self.read(page)
            found.datasets += [one for one in part.datasets if holds(query, one)]
            found.bad += part.bad
            if len(page) < SCAN_PAGE:
                return found, True
        return found, False

    async def read(self, page: list[Any]) -> Found:
        """Records as datasets; one that is none never fails the others."""
        instruments = await self.backend.instruments()
        found = Found()
        for record in page:
            try:
                if not isinstance(record, dict):
                    raise ValueError("not a record")
                dataset = dataset_of(
                    record,
                    source=self.backend.name,
                    instruments=instruments,
                    frontend=self._frontend,
                )
            except ValueError:
                found.bad += 1
                continue
            found.datasets.append(dataset)
            found.last = record
        return found

    async def _search(self, query: Query, where: Where) -> Page:
        start = _place(self.backend.name, query) or {}
        if "t" in start and not self._computes:
            start = {"o": start["s"], "n": start["n"]}
        skip = start.get("o", query.offset)
        conditions = where.maybe
        if "t" in start:
            conditions = all_of([c for c in (where.maybe, after(start["t"], start["p"])) if c])
        if "t" in start or where.exact:
            # Counted while the page is on its way.
            asked = self.backend.page(conditions, limit=query.limit, skip=skip)
            known = _known(start["n"]) if "t" in start else self.backend.count(where.maybe)
            page, total = await asyncio.gather(asked, known)
        else:
            counted = await self.counted(where)
            if counted is None:
                return await self._scanned(query, where, skip)
            total = counted
            page = await self.backend.page(conditions, limit=query.limit, skip=skip)
        found = await self.read(page)
        seen = start.get("s", skip) + len(page)
        return Page(
            datasets=tuple(found.datasets),
            total=total,
            offset=query.offset,
            next=self._next(query, page, total, seen),
            sources=self._states(found.bad, total, None),
        )

    def _next(self, query: Query, page: list[Any], total: int, seen: int) -> str | None:
        """Where the next page begins: after the last record of this one, whatever is added."""
        if len(page) < query.limit or seen >= total:
            return None
        last = page[-1] if isinstance(page[-1], dict) else {}
        made, pid = text_of(last, "creationTime"), text_of(last, "pid")
        if self.backend.version == "v3" or not self._computes or made is None or pid is None:
            # Such a source can only count off.
            return _written(query, {"o": seen, "n": total})
        return _written(query, {"t": made, "p": pid, "n": total, "s": seen})

    async def _scanned(self, query: Query, where: Where, skip: int) -> Page:
        found, whole = await self.scan(query, where)
        shown = found.datasets[skip : skip + query.limit]
        after_it = skip + len(shown)
        more = after_it < len(found.datasets)
        note = None if whole else f"only the newest {MAX_SCAN} that may fit were looked through"
        return Page(
            datasets=tuple(shown),
            total=len(found.datasets),
            total_exact=whole,
            offset=query.offset,
            next=_written(query, {"o": after_it, "n": len(found.datasets)}) if more else None,
            sources=self._states(found.bad, len(found.datasets), note),
        )

    def _states(self, bad: int, total: int, note: str | None) -> tuple[SourceState, ...]:
        notes = [note] if note else []
        if bad:
            notes.append(f"{bad} records could not be read and are left out")
        state = SourceState(
            source=self.backend.name,
            state="answered",
            message="; ".join(notes) or None,
            total=total,
            total_exact=note is None,
        )
        return (state,)

    async def _keys(self, name: str) -> tuple[str, ...]:
        """The source's names of values that a condition means."""
        wanted = name.casefold()
        # The source looks for a part of a name; ours may hold what it writes otherwise.
        part = name.rpartition("/")[2]
        every = await self.backend.metadata_keys(part)
        return tuple(key for key in every if _is_meant(wanted, key.casefold()))[:20]


def _is_meant(wanted: str, key: str) -> bool:
    key = key.removesuffix(".value").removesuffix(".v")
    nested = key.replace(".", "/")
    return any(one == wanted or one.endswith(f"/{wanted}") for one in (key, nested)) or (
        key.rpartition(".")[2] == wanted
    )


async def _known(total: int) -> int:
    return total


def _place(name: str, query: Query) -> Mapping[str, Any] | None:
    """Where a cursor points to.

    Raises:
        UsageError: it is none of this search's.
    """
    if query.cursor is None:
        return None
    if query.offset:
        raise UsageError(f"{name}: a cursor and an offset", hint="give one of them")
    wrong = UsageError(f"{name}: a cursor of another search", hint="search again from the start")
    try:
        said = json.loads(base64.urlsafe_b64decode(query.cursor.encode()))
    except (ValueError, binascii.Error) as error:
        raise wrong from error
    kinds: dict[str, Callable[[Any], bool]] = {
        "t": lambda v: isinstance(v, str),
        "p": lambda v: isinstance(v, str),
        "n": lambda v: isinstance(v, int),
        "s": lambda v: isinstance(v, int),
        "o": lambda v: isinstance(v, int) and v >= 0,
    }
    good = isinstance(said, dict) and said.pop("q", None) == _digest(query)
    whole = good and (set(said) in ({"o", "n"}, {"t", "p", "n", "s"}))
    if not whole or not all(kinds[key](value) for key, value in said.items()):
        raise wrong
    return dict(said)


def _written(query: Query, said: dict[str, Any]) -> str:
    text = json.dumps({**said, "q": _digest(query)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _digest(query: Query) -> str:
    # Without times: "the last 12 hours" are others with every page.
    paging = {"cursor", "offset", "limit", "source", "since", "until"}
    rest = query.model_dump_json(exclude=paging)
    return hashlib.sha256(rest.encode()).hexdigest()[:16]
