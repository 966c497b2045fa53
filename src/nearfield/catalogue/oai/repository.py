"""One repository, asked politely: one request at a time, as slowly as it wants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import httpx

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._http_answers import Answer
from nearfield.catalogue.oai.answers import OAI, RecordPage, page_of, parse, text_of
from nearfield.errors import CatalogueError, UsageError

MAX_PAGE = 32_000_000
TIMEOUT = 300.0
"""Seconds for one page, waits that the repository asks for (Retry-After) included."""
# The best first: more of a dataset is said in DataCite.
_FORMATS = ("oai_datacite", "datacite", "oai_dc")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a repository says of itself."""

    name: str
    seconds: bool
    """Are its datestamps in seconds? Else in days."""
    deletions: bool
    """Does it tell of deleted records?"""


class Repository:
    """The verbs that a harvest needs. Errors name the repository's host."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
            raise UsageError(
                f"{url!r}: not the base URL of a repository",
                hint="write it without '?verb=…': https://zenodo.org/oai2d",
            )
        self.url = url
        self.host = httpx.URL(url).host
        self._client = SourceClient(
            self.host, url, timeout=timeout, transport=transport, answered=_answered
        )

    async def identify(self) -> Identity:
        """Raises CatalogueError."""
        root, _ = await self._ask(verb="Identify")
        body = root.find(f"{OAI}Identify")
        if body is None or text_of(body, "protocolVersion") != "2.0":
            raise CatalogueError(
                f"{self.host}: not a repository of OAI-PMH 2.0", hint="check the address"
            )
        return Identity(
            name=text_of(body, "repositoryName") or self.host,
            seconds=text_of(body, "granularity") == "YYYY-MM-DDThh:mm:ssZ",
            deletions=text_of(body, "deletedRecord") in ("persistent", "transient"),
        )

    async def best_format(self) -> str:
        """The format that says most of a dataset. Raises CatalogueError where none is known."""
        root, _ = await self._ask(verb="ListMetadataFormats")
        offered = {found.text for found in root.iter(f"{OAI}metadataPrefix")}
        for known in _FORMATS:
            if known in offered:
                return known
        raise CatalogueError(
            f"{self.host}: offers none of the formats {', '.join(_FORMATS)}",
            hint="nearfield reads no other",
        )

    async def records(self, **arguments: str | None) -> RecordPage:
        """One page of ListRecords. Raises CatalogueError, ProtocolError."""
        root, mended = await self._ask(verb="ListRecords", **arguments)
        return page_of(self.host, root, mended=mended)

    async def aclose(self) -> None:
        """Release connections."""
        await self._client.aclose()

    async def _ask(self, **arguments: str | None) -> tuple[Element, bool]:
        params = {name: value for name, value in arguments.items() if value is not None}
        answer = await self._client.ask(
            "GET", self.url, params=params, headers={"Accept": "text/xml"}, max_body=MAX_PAGE
        )
        return parse(self.host, answer.content)


def _answered(answer: Answer) -> bool:
    """The protocol's errors are answers; Invenio sends them with 422, others with 400 or 404."""
    refused = 400 <= answer.status < 500 and answer.status not in (401, 403, 429)
    return 200 <= answer.status < 300 or (refused and b"<OAI-PMH" in answer.content[:2000])
