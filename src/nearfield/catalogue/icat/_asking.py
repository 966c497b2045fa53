"""Questions to an ICAT, in one session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

import httpx
from pydantic import TypeAdapter, ValidationError

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._http_answers import TooLongError
from nearfield.catalogue._tokens import TokenSource
from nearfield.catalogue.icat import _jpql as jpql
from nearfield.catalogue.icat._entities import Named
from nearfield.catalogue.icat._session import IcatSession, expired, in_form, in_url
from nearfield.config.sources import IcatSource
from nearfield.errors import CatalogueError, SourceStatusError, UsageError

_ROWS: TypeAdapter[list[Any]] = TypeAdapter(list[Any])
_IDS: TypeAdapter[list[int]] = TypeAdapter(list[int])


WRITING = 60.0
"""Seconds for one transaction; ten thousand files take a while."""


STATUS = 2.0
"""Seconds that the data service has: nobody waits longer to see a record."""


class TooManyError(CatalogueError):
    """More than the server gives at once: it counts each parameter and its type as well."""


class IcatServer:
    """The two calls of the entity manager: search, and write all or nothing."""

    def __init__(
        self,
        name: str,
        settings: IcatSource,
        token: TokenSource | None,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.name = name
        self._entrance = SourceClient(
            name, settings.url, timeout=settings.timeout, transport=transport
        )
        self._session = IcatSession(
            self._entrance, settings.authenticator, settings.username, token
        )
        self._reads, self._writes = (
            SourceClient(
                name,
                settings.url,
                token=self._session,
                timeout=seconds,
                transport=transport,
                authorize=place,
                expired=expired,
            )
            for place, seconds in ((in_url, settings.timeout), (in_form, WRITING))
        )
        self._ids = (
            SourceClient(
                name,
                settings.ids,
                token=self._session,
                timeout=min(settings.timeout, STATUS),
                transport=transport,
                authorize=in_url,
                expired=expired,
            )
            if settings.ids is not None
            else None
        )
        self._techniques: tuple[Named, ...] | None = None

    async def rows(self, query: str) -> list[Any]:
        """What a query finds.

        Raises:
            UsageError: longer than a URL may be.
            TooManyError: of fewer rows there would be an answer.
            CatalogueError: as SourceClient says, or ICAT refuses the query.
        """
        if len(quote_plus(query)) > jpql.MAX_QUERY:
            raise UsageError(
                f"{self.name}: a search of too many or too long conditions",
                hint="search with fewer words and values",
            )
        try:
            found = await self._reads.json(
                "GET", "icat/entityManager", params={"query": query}, adapter=_ROWS
            )
        except TooLongError as error:
            raise TooManyError(error.message, hint=error.hint) from error
        except SourceStatusError as error:
            if code_of(error) == "VALIDATION":
                raise TooManyError(
                    f"{self.name}: more than it gives at once",
                    hint="ask for fewer datasets at once",
                ) from error
            if code_of(error) == "BAD_PARAMETER":
                raise CatalogueError(
                    error.message,
                    hint="icat.server 5 or later is needed; take an older one's PaNOSC search API",
                ) from error
            raise
        assert isinstance(found, list)  # noqa: S101 - the adapter's promise, for mypy
        return found

    async def count(self, query: str) -> int:
        """The number that a query for one number finds; of nothing that may be seen it is 0.

        Raises:
            CatalogueError: not a number.
        """
        found = await self.rows(query)
        if not found:
            return 0
        if len(found) != 1 or not isinstance(found[0], int) or found[0] < 0:
            raise CatalogueError(f"{self.name}: a count that is no number")
        return found[0]

    async def write(self, entities: Sequence[dict[str, Any]]) -> list[int]:
        """Create entities, in one transaction; their ids.

        Raises:
            SourceStatusError: refused, and nothing was written.
            CatalogueUnavailableError: no answer; whether it was written is not known.
        """
        said = json.dumps(entities, ensure_ascii=False)
        found: list[int] = await self._writes.json(
            "POST", "icat/entityManager", form={"entities": said}, adapter=_IDS
        )
        return found

    async def remove(self, entities: Sequence[dict[str, Any]]) -> None:
        """Delete what was made, where that is allowed; what stays is of no harm."""
        try:
            await self._reads.ask(
                "DELETE", "icat/entityManager", params={"entities": json.dumps(entities)}
            )
        except CatalogueError:
            return

    async def is_archived(self, dataset: int) -> bool:
        """Does the data service say that its files are not on disk? False where it says nothing."""
        if self._ids is None:
            return False
        try:
            answer = await self._ids.ask(
                "GET", "ids/getStatus", params={"datasetIds": str(dataset)}, max_body=1000
            )
        except CatalogueError:
            return False
        return answer.content.strip() in (b"ARCHIVED", b"RESTORING")

    async def techniques(self) -> tuple[Named, ...]:
        """All techniques that it knows; asked once."""
        if self._techniques is None:
            self._techniques = self._named(await self.rows("SELECT t FROM Technique t"))
        return self._techniques

    def _named(self, rows: list[Any]) -> tuple[Named, ...]:
        found = []
        for row in rows:
            try:
                found.append(Named.model_validate(row["Technique"]))
            except (ValidationError, TypeError, KeyError):
                continue
        return tuple(found)

    async def aclose(self) -> None:
        await self._session.aclose()
        for client in (self._reads, self._writes, self._entrance, self._ids):
            if client is not None:
                await client.aclose()


def code_of(error: SourceStatusError) -> str | None:
    """ICAT's own word for what went wrong (``IcatExceptionType``)."""
    code = error.said.get("code") if isinstance(error.said, dict) else None
    return code if isinstance(code, str) else None
