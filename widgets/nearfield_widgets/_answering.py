"""What the front-end of a widget asks, answered from a catalogue.

Questions are ``{"id", "method", "params"}``; answers are ``{"id", "heard"}`` at once,
``{"id", "event"}`` as often as there is one and ``{"id", "result" | "error", "done"}`` last. An
error is what the REST API says, too: ``{"message", "hint", "reason", "position"}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearfield.catalogue import Catalogue, complete_in, only, related, stream_search
from nearfield.datasets import Dataset, Pid
from nearfield.errors import (
    NearfieldError,
    QuerySyntaxError,
    UsageError,
)
from nearfield.querying import summary_of
from nearfield.querying.language import parse
from nearfield.querying.reasons import reason_of

Tell = Callable[[dict[str, Any], list[bytes]], None]

# The first that fits.


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Text(_Params):
    q: str = Field(default="", max_length=10_000)


class _Search(_Text):
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=8000)
    order: Literal["newest", "relevance"] = "newest"


class _Typed(_Text):
    at: int = Field(default=0, ge=0)


class _One(_Params):
    pid: Pid
    source: str | None = None


class _Files(_One):
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=20, ge=1, le=1000)


class Answering:
    """Answers the questions of one widget; each is a task that can be given up."""

    def __init__(self, opening: Callable[[], Catalogue], tell: Tell) -> None:
        self._opening, self._tell = opening, tell
        self._catalogue: Catalogue | None = None
        self._lock = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._methods: Mapping[str, tuple[type[_Params], Callable[..., Awaitable[None]]]] = {
            "search": (_Search, self._search),
            "facets": (_Text, self._facets),
            "completions": (_Typed, self._completions),
            "dataset": (_One, self._dataset),
            "files": (_Files, self._files),
            "related": (_One, self._related),
            "thumbnail": (_One, self._thumbnail),
        }

    async def catalogue(self) -> Catalogue:
        """The catalogue, opened when first asked for.

        Raises:
            NearfieldError: it cannot be opened.
        """
        async with self._lock:
            if self._catalogue is None:
                self._catalogue = await asyncio.to_thread(self._opening)
            return self._catalogue

    async def hear(self, question: Any) -> None:
        """Answer one message of the front-end, or give up what it says."""
        if not isinstance(question, dict) or not isinstance(question.get("id"), str):
            return
        key = question["id"]
        if question.get("method") == "cancel":
            if (task := self._tasks.pop(key, None)) is not None:
                task.cancel()
            return
        # Without this a catalogue that is slow looks like a kernel that is not there.
        self._tell({"id": key, "heard": True}, [])
        self._tasks[key] = asyncio.ensure_future(self._answer(key, question))
        try:
            await asyncio.wait([self._tasks[key]])
        finally:
            self._tasks.pop(key, None)

    @property
    def in_use(self) -> bool:
        """Is there anything that ``aclose`` would end?"""
        return bool(self._tasks) or self._catalogue is not None

    async def aclose(self) -> None:
        """Give up all questions and close the catalogue."""
        for task in list(self._tasks.values()):
            task.cancel()
        if self._catalogue is not None:
            await self._catalogue.aclose()
            self._catalogue = None

    async def _answer(self, key: str, question: dict[str, Any]) -> None:
        try:
            if (known := self._methods.get(str(question.get("method")))) is None:
                raise UsageError(f"no method {str(question.get('method'))[:40]!r}")
            model, work = known
            await work(key, model.model_validate(question.get("params") or {}))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            self._fail(key, UsageError(f"{where}: {error.errors()[0]['msg']}"))
        except NearfieldError as error:
            self._fail(key, error)
        except Exception as error:
            self._fail(key, NearfieldError(f"{type(error).__name__}: {error}"))

    def _fail(self, key: str, error: NearfieldError) -> None:
        said: dict[str, Any] = {
            "message": error.message,
            "hint": error.hint,
            "reason": reason_of(error),
        }
        if isinstance(error, QuerySyntaxError):
            said["position"] = error.position
        self._tell({"id": key, "error": said, "done": True}, [])

    def _say(self, key: str, result: Any, buffers: list[bytes] | None = None) -> None:
        if isinstance(result, BaseModel):
            result = result.model_dump(mode="json")
        self._tell({"id": key, "result": result, "done": True}, buffers or [])

    async def _search(self, key: str, asked: _Search) -> None:
        said = {"limit": asked.limit, "cursor": asked.cursor}
        query = parse(asked.q).model_copy(update=said)
        if asked.order != "newest":
            query = query.model_copy(update={"order": asked.order})
        async with aclosing(stream_search(await self.catalogue(), query)) as events:
            async for event in events:
                self._tell({"id": key, "event": event.model_dump(mode="json")}, [])
        self._say(key, None)

    async def _facets(self, key: str, asked: _Text) -> None:
        self._say(key, await (await self.catalogue()).facets(parse(asked.q)))

    async def _completions(self, key: str, asked: _Typed) -> None:
        self._say(key, await complete_in(await self.catalogue(), asked.q, asked.at))

    async def _dataset(self, key: str, asked: _One) -> None:
        self._say(key, await (await self._one(asked)).get(asked.pid))

    async def _files(self, key: str, asked: _Files) -> None:
        files = await (await self._one(asked)).files(asked.pid)
        shown = files[asked.offset : asked.offset + asked.limit]
        told = [one.model_dump(mode="json") for one in shown]
        self._say(key, {"files": told, "total": len(files)})

    async def _related(self, key: str, asked: _One) -> None:
        dataset = await (await self._one(asked)).get(asked.pid)
        # What it was made from, or was made from it, may be in another catalogue.
        found = await related(await self.catalogue(), dataset)
        self._say(
            key,
            {
                "inputs": _summaries(found.inputs),
                "derived": _summaries(found.derived),
                "missing": list(found.missing),
                "unknown": list(found.unknown),
            },
        )

    async def _thumbnail(self, key: str, asked: _One) -> None:
        picture = await (await self._one(asked)).thumbnail(asked.pid)
        if picture is None:
            self._say(key, {})
        else:
            self._say(key, {"media_type": picture.media_type}, [picture.content])

    async def _one(self, asked: _One) -> Catalogue:
        """The source that is named, or all of them."""
        return only(await self.catalogue(), asked.source)


def _summaries(datasets: Iterable[Dataset]) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return [summary_of(one, now).model_dump(mode="json") for one in datasets]
