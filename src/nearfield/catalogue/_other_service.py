"""Another hub's catalogue service as one source of several: asked as patiently as any other."""

from __future__ import annotations

from typing import Any

import httpx

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._wire import error_of
from nearfield.catalogue.remote import ServiceCatalogue
from nearfield.errors import CatalogueError, SourceStatusError

# Whole records with thousands of files each, by the page.
MAX_BODY = 32_000_000
_SAID = frozenset({400, 403, 404, 409, 412})


class OtherService(ServiceCatalogue):
    """The service at ``catalogues.NAME.url``; every error names the source."""

    def __init__(self, name: str, client: SourceClient) -> None:
        self.name, self.url, self._source = name, client.url, client

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _response(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            # A run id makes a derived dataset the same one, however often it is sent.
            answer = await self._source.ask(
                method, path, idempotent=True, max_body=MAX_BODY, **options
            )
        except SourceStatusError as error:
            said = error.said if isinstance(error.said, dict) else {}
            message, hint = said.get("error"), said.get("hint")
            if error.status not in _SAID or not isinstance(message, str):
                raise self._strange() from error
            shown = hint if isinstance(hint, str) else None
            raise error_of(error.status, f"{self.name}: {message}", shown) from error
        return httpx.Response(
            answer.status, content=answer.content, headers={"content-type": answer.media_type}
        )

    def _strange(self) -> CatalogueError:
        return CatalogueError(
            f"{self.name}: an answer that is not a catalogue service's",
            hint="check its url, and that both sides run the same version of nearfield",
        )
