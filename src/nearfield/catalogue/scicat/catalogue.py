"""A SciCat backend as a catalogue."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any

import httpx

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._protocol import (
    ALL_FILTERS,
    TEXT_FIELDS,
    Capabilities,
    Thumbnail,
    check_supported,
)
from nearfield.catalogue._tokens import TokenSource
from nearfield.catalogue.scicat.accounts import AccountTokens, ExchangedTokens
from nearfield.catalogue.scicat.backend import Backend
from nearfield.catalogue.scicat.counting import facets_of
from nearfield.catalogue.scicat.identity import SureTokens
from nearfield.catalogue.scicat.mapping import Record, dataset_of, files_of, text_of
from nearfield.catalogue.scicat.pids import inside
from nearfield.catalogue.scicat.searching import Searcher
from nearfield.catalogue.scicat.writing import Writer
from nearfield.catalogue.sqlite import not_found
from nearfield.config.sources import SciCatSource
from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.errors import CatalogueError, SourceLoginError, SourceStatusError
from nearfield.querying import Facets, Page, Query

_FILTERS = ALL_FILTERS - {"storage", "availability"}
_PICTURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/webp": (b"RIFF",),
}
MAX_PICTURE = 2_000_000
_REGISTERED = frozenset({"registered", "amended"})


class SciCatCatalogue:
    """One SciCat, with the rights of the token's owner; without a token what is public."""

    def __init__(
        self,
        client: SourceClient,
        settings: SciCatSource,
        logins: SureTokens | None,
    ) -> None:
        self.name = client.name
        self._client, self._settings, self._logins = client, settings, logins
        self._backend = Backend(client, settings.api, logins)
        self._searcher = Searcher(self._backend, settings.frontend)
        self._writer = Writer(self._backend, settings, self._resolved)

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: SciCatSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> SciCatCatalogue:
        """The source that the configuration calls ``name``.

        A token of the hub's is the identity provider's, and is exchanged for one of SciCat's.

        Raises:
            CatalogueError: its url is none.
        """
        url = settings.url.rstrip("/")
        plain = SourceClient(name, url, timeout=settings.timeout, transport=transport)
        asked = token
        if settings.account is not None:
            asked = AccountTokens(plain, settings.account)
        elif token is not None and settings.token == "hub":  # noqa: S105
            asked = ExchangedTokens(plain, token)
        logins = None if asked is None else SureTokens(plain, asked)
        client = SourceClient(
            name, url, token=logins, timeout=settings.timeout, transport=transport
        )
        return cls(client, settings, logins)

    def __repr__(self) -> str:
        return f"SciCatCatalogue({self._client.url!r}, name={self.name!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            derive=not self._backend.anonymous,
            text_search=True,
            client_pids=self._writer.client_pids,
            filters=_FILTERS,
            # Names of files are in documents of their own.
            text_fields=TEXT_FIELDS - {"file"},
            run_ids="all" if self._writer.client_pids else "user",
        )

    async def search(self, query: Query) -> Page:
        """The records of a list are lean: without files, scientific values, job parameters."""
        check_supported(self.name, self.capabilities, query)
        if self._not_asked(query):
            return Page(datasets=(), total=0, offset=query.offset)
        return await self._searcher.search(query)

    async def facets(self, query: Query) -> Facets:
        check_supported(self.name, self.capabilities, query)
        if self._not_asked(query):
            return Facets()
        return await facets_of(self._searcher, query)

    async def get(self, pid: str) -> Dataset:
        record = await self._record(pid)
        own = str(record["pid"])
        blocks, pictures, published = await asyncio.gather(
            self._backend.blocks(own),
            self._if_any(self._backend.attachments(own, pictures=False)),
            self._if_any(self._backend.publications(own)),
        )
        found = await self._resolved(record, blocks)
        # Two writers may have listed the same files, and the backend adds both up.
        if found.files:
            found = found.model_copy(update={"size": sum(file.size for file in found.files)})
        return found.model_copy(
            update={"thumbnail": bool(pictures), "doi": _doi(published) or found.doi}
        )

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        record = await self._record(pid)
        return files_of(record, await self._backend.blocks(str(record["pid"])))

    async def derive(self, dataset: DerivedDataset) -> str:
        return await self._writer.derive(dataset)

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        record = await self._record(pid)
        found = await self._if_any(self._backend.attachments(str(record["pid"]), pictures=True))
        for one in found:
            said = text_of(one, "thumbnail") if isinstance(one, dict) else None
            if said is not None and (picture := _picture(said)) is not None:
                return picture
        return None

    async def aclose(self) -> None:
        await self._client.aclose()
        if self._logins is not None:
            await self._logins.aclose()

    def _not_asked(self, query: Query) -> bool:
        names = {name.casefold() for name in query.source}
        return bool(names) and self.name.casefold() not in names

    async def _record(self, pid: str) -> Record:
        own = inside(pid)
        record = None if own is None else await self._backend.record(own)
        if record is None or record.get("pid") != own:
            raise not_found(pid)
        return record

    async def _resolved(self, record: Record, blocks: list[Any]) -> Dataset:
        try:
            return dataset_of(
                record,
                source=self.name,
                instruments=await self._backend.instruments(),
                frontend=self._settings.frontend,
                files=files_of(record, [one for one in blocks if isinstance(one, dict)]),
            )
        except ValueError as error:
            raise CatalogueError(
                f"{self.name}: the record of this dataset cannot be read",
                hint="tell the source's administrators",
            ) from error

    async def _if_any(self, asked: Any) -> list[Any]:
        """What is nice to have: a refusal is no failure."""
        try:
            found: list[Any] = await asked
        except (SourceStatusError, SourceLoginError):
            return []
        return found


def _doi(published: list[Any]) -> str | None:
    """Of what is registered: others have a DOI that leads nowhere yet."""
    for one in published:
        if isinstance(one, dict) and one.get("status") in _REGISTERED:
            return text_of(one, "doi")
    return None


def _picture(said: str) -> Thumbnail | None:
    """``data:image/png;base64,…``; the bytes decide whether it is one."""
    head, _, body = said.partition(",")
    kind = head.removeprefix("data:").partition(";")[0].strip().lower()
    if len(body) > MAX_PICTURE * 4 // 3 + 4 or "base64" not in head:
        return None
    try:
        content = base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        return None
    for media_type in ("image/png", "image/jpeg", "image/webp"):
        if kind == media_type and content.startswith(_PICTURES[media_type]):
            return Thumbnail(media_type, content)
    return None
