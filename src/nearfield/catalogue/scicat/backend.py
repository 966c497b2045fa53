"""SciCat's routes: what each version calls them, and which are for people without a log-in."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from nearfield.catalogue._http import SourceClient, segment
from nearfield.catalogue.scicat.identity import Account, SureTokens
from nearfield.catalogue.scicat.where import V3, V4, Names
from nearfield.errors import CatalogueError, SourceLoginError, SourceStatusError

Record = dict[str, Any]
Where = Mapping[str, Any]
_T = TypeVar("_T")
_RECORDS: TypeAdapter[list[Any]] = TypeAdapter(list[Any])
_RECORD: TypeAdapter[Record | None] = TypeAdapter(Record | None)
_COUNT: TypeAdapter[dict[str, int]] = TypeAdapter(dict[str, int])
MAX_FILES_BODY = 64_000_000
BLOCKS = 100
KEPT = 600.0
"""Seconds that the names of instruments are kept."""
# What a list needs of a record; scientific metadata may be long, and is asked for where it counts.
LIST_FIELDS = (
    *("pid", "type", "datasetName", "description", "techniques", "dataFormat", "instrumentIds"),
    *("creationLocation", "sampleIds", "proposalIds", "principalInvestigators", "license"),
    *("startTime", "endTime", "creationTime", "keywords", "datasetlifecycle", "sourceFolder"),
    *("size", "owner", "ownerGroup", "accessGroups", "isPublished", "inputDatasets"),
    "relationships",
    "usedSoftware",
    # Of no interest here; the document of the public route wants them.
    *("contactEmail", "createdBy", "updatedBy", "createdAt", "updatedAt", "version"),
)


class Backend:
    """One SciCat, asked as one user."""

    def __init__(
        self, client: SourceClient, api: Literal["auto", "v3", "v4"], logins: SureTokens | None
    ) -> None:
        self._client, self._logins, self._anonymous = client, logins, logins is None
        self.version: Literal["v3", "v4"] = "v3" if api == "v3" else "v4"
        self._sure = api != "auto"
        self._instruments: tuple[float, dict[str, str]] | None = None

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def names(self) -> Names:
        return V4 if self.version == "v4" else V3

    @property
    def anonymous(self) -> bool:
        return self._anonymous

    async def count(self, where: Where) -> int:
        async def ask() -> int:
            path = f"{self._datasets}/count"
            found = await self._client.json(
                "GET", path, params=_filter({"where": where}), adapter=_COUNT
            )
            return int(found.get("count", 0))

        return await self._in_either(ask)

    async def page(
        self, where: Where, *, limit: int, skip: int = 0, scientific: bool = False
    ) -> list[Any]:
        """Records, newest first."""

        async def ask() -> list[Any]:
            said: dict[str, Any] = {"where": where}
            if self.version == "v4":
                more = ("scientificMetadata",) if scientific else ()
                said["fields"] = [*LIST_FIELDS, "jobParameters.nearfield", *more]
                said["limits"] = {
                    "limit": limit,
                    "skip": skip,
                    "sort": {"creationTime": "desc", "pid": "asc"},
                }
            else:
                order = "creationTime:desc"
                said["limits"] = {"limit": limit, "skip": skip, "order": order}
            return await self._records(self._datasets, said)

        return await self._in_either(ask)

    async def record(self, pid: str) -> Record | None:
        """One whole record by SciCat's PID; ``None`` where it is not there for this user."""

        async def ask() -> Record | None:
            found: Record | None = await self._client.json(
                "GET", f"{self._datasets}/{segment(pid)}", adapter=_RECORD
            )
            if found is not None and not isinstance(found.get("pid"), str):
                raise CatalogueError(
                    f"{self.name}: an answer that is no dataset", hint="check its url"
                )
            return found

        try:
            return await self._in_either(ask)
        except SourceStatusError as error:
            # The same for what is not there and what is not for this user.
            if error.status in (403, 404):
                return None
            raise

    async def blocks(self, pid: str) -> list[Any]:
        """The lists of files of one dataset."""

        async def ask() -> list[Any]:
            if self.version == "v3":
                path = f"/api/v3/datasets/{segment(pid)}/origdatablocks"
                found: list[Any] = await self._client.json(
                    "GET", path, adapter=_RECORDS, max_body=MAX_FILES_BODY
                )
                return found
            every: list[Any] = []
            while True:
                limits = {"limit": BLOCKS, "skip": len(every), "sort": {"createdAt": "asc"}}
                part = await self._records(
                    self._of("origdatablocks"),
                    {"where": {"datasetId": pid}, "limits": limits},
                    max_body=MAX_FILES_BODY,
                )
                every += part
                if len(part) < BLOCKS:
                    return every

        return await self._in_either(ask)

    async def attachments(self, pid: str, *, pictures: bool) -> list[Any]:
        """Pictures of one dataset, or without ``pictures`` only which there are."""

        async def ask() -> list[Any]:
            if self.version == "v3":
                path = f"/api/v3/datasets/{segment(pid)}/attachments"
                found: list[Any] = await self._client.json("GET", path, adapter=_RECORDS)
                return found
            said: dict[str, Any] = {
                "where": {
                    "relationships.targetId": pid,
                    "relationships.targetType": "dataset",
                },
                "limits": {"limit": 5, "skip": 0, "sort": {"createdAt": "asc"}},
            }
            if not pictures:
                fields = ("ownerGroup", "createdAt", "updatedAt", "caption", "isPublished", "aid")
                said["fields"] = list(fields)
            return await self._records(self._of("attachments"), said)

        return await self._in_either(ask)

    async def publications(self, pid: str) -> list[Any]:
        """What was published of one dataset."""

        async def ask() -> list[Any]:
            field = "datasetPids" if self.version == "v4" else "pidArray"
            path = f"/api/{self.version}/publisheddata"
            return await self._records(path, {"where": {field: pid}, "limits": {"limit": 5}})

        return await self._in_either(ask)

    async def facets(
        self, fields: Mapping[str, Any], facets: list[str], *, public: bool = False
    ) -> Record:
        """Counts as the backend makes them, ``all`` included."""

        async def ask() -> Record:
            params = {"fields": json.dumps(fields), "facets": json.dumps(facets)}
            open_to_all = public or self._anonymous
            path = f"/api/{self.version}/datasets/fullfacet"
            if open_to_all and self.version == "v4":
                path = "/api/v4/datasets/public/fullfacet"
            elif open_to_all:
                params["fields"] = json.dumps({**fields, "isPublished": True})
            found = await self._client.json("GET", path, params=params, adapter=_RECORDS)
            return found[0] if found and isinstance(found[0], dict) else {}

        return await self._in_either(ask)

    async def metadata_keys(self, part: str) -> list[str]:
        """Names of scientific values that hold ``part``."""

        async def ask() -> list[str]:
            params = {"fields": json.dumps({"metadataKey": part}), "limits": json.dumps({})}
            found = await self._client.json(
                "GET", f"{self._datasets}/metadataKeys", params=params, adapter=_RECORDS
            )
            return [name for name in found if isinstance(name, str)]

        return await self._in_either(ask)

    async def instruments(self) -> dict[str, str]:
        """Names by identifier; none where they may not be seen."""
        if self._instruments is not None and time.monotonic() < self._instruments[0]:
            return self._instruments[1]
        try:
            said = await self._client.json("GET", "/api/v3/instruments", adapter=_RECORDS)
        except SourceStatusError:
            said = []
        except CatalogueError:
            if not self._anonymous:
                raise
            said = []
        names = {
            one["pid"]: one["name"]
            for one in said
            if isinstance(one, dict)
            and isinstance(one.get("pid"), str)
            and isinstance(one.get("name"), str)
        }
        self._instruments = (time.monotonic() + KEPT, names)
        return names

    async def account(self) -> Account:
        """Whose token it is."""
        if self._logins is None:
            raise SourceLoginError(
                f"{self.name}: asks for a log-in",
                hint="give it a token: see 'token' in its settings",
            )
        return await self._logins.account()

    async def create(self, body: Record, *, again: bool) -> Record:
        """Make a dataset; ``again``: the request may be repeated, as it names its PID."""

        async def ask() -> Record:
            found = await self._client.json(
                "POST",
                f"/api/{self.version}/datasets",
                body=body,
                adapter=_RECORD,
                idempotent=again,
                seconds=60,
            )
            return found or {}

        return await self._in_either(ask)

    async def add_block(self, pid: str, body: Record) -> None:
        """List files of a dataset."""

        async def ask() -> None:
            if self.version == "v4":
                path, said = "/api/v4/origdatablocks", {"datasetId": pid, **body}
            else:
                path, said = f"/api/v3/datasets/{segment(pid)}/origdatablocks", body
            await self._client.json("POST", path, body=said, seconds=60)

        await self._in_either(ask)

    async def delete(self, pid: str) -> None:
        """Take a dataset away, where the account may."""
        await self._client.json("DELETE", f"/api/{self.version}/datasets/{segment(pid)}")

    @property
    def _datasets(self) -> str:
        return self._of("datasets")

    def _of(self, collection: str) -> str:
        """In v4 what is public has routes of its own, and the others want a log-in."""
        public = "/public" if self._anonymous and self.version == "v4" else ""
        return f"/api/{self.version}/{collection}{public}"

    async def _records(
        self, path: str, said: Mapping[str, Any], max_body: int = 8_000_000
    ) -> list[Any]:
        found: list[Any] = await self._client.json(
            "GET", path, params=_filter(said), adapter=_RECORDS, max_body=max_body
        )
        return found

    async def _in_either(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """With v4; with v3 from then on where the backend knows no v4."""
        try:
            return await ask()
        except SourceStatusError as error:
            if self._logins is not None and error.status == 403 and _by_guard(error):
                # So it answers to strangers: is the token still good?
                self._logins.doubt()
                return await ask()
            unknown = error.status == 404 and "Cannot " in error.message
            if self._sure or self.version == "v3" or not unknown:
                raise
            self.version = "v3"
            return await ask()


def _by_guard(error: SourceStatusError) -> bool:
    """Refused before anybody looked at the record."""
    said = error.said
    return isinstance(said, dict) and said.get("message") == "Forbidden resource"


def _filter(said: Mapping[str, Any]) -> dict[str, str]:
    return {"filter": json.dumps(said, ensure_ascii=False, separators=(",", ":"))}


async def both(one: Awaitable[_T], other: Awaitable[_T]) -> tuple[_T, _T]:
    """Two answers, asked for at the same time."""
    first, second = await asyncio.gather(one, other)
    return first, second
