"""The client of ``nearfield catalogue serve``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from nearfield.catalogue._protocol import Capabilities, Thumbnail
from nearfield.catalogue._tls import tls_context
from nearfield.catalogue._tokens import TokenSource
from nearfield.catalogue._wire import error_of, links_from_body, query_to_params
from nearfield.catalogue.sqlite import not_found
from nearfield.config.sources import ServiceSource
from nearfield.datasets import DataFile, Dataset, DatasetFiles, DerivedDataset
from nearfield.errors import CatalogueError, CatalogueUnavailableError
from nearfield.querying import DatasetSummary, Facets, Page, Query, SummaryPage

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_FILES: TypeAdapter[tuple[DataFile, ...]] = TypeAdapter(tuple[DataFile, ...])
_FACETS: TypeAdapter[Facets] = TypeAdapter(Facets)
_PID: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_PAGE: TypeAdapter[Page] = TypeAdapter(Page)
_SUMMARIES: TypeAdapter[SummaryPage] = TypeAdapter(SummaryPage)
_DATASET: TypeAdapter[Dataset] = TypeAdapter(Dataset)
_T = TypeVar("_T")
_D = TypeVar("_D", Dataset, DatasetSummary)
_PICTURES: tuple[Literal["image/png", "image/jpeg", "image/webp"], ...] = (
    "image/png",
    "image/jpeg",
    "image/webp",
)


class ServiceCatalogue:
    """The shared catalogue, with the rights of the token's owner.

    The token is sent in the ``Authorization`` header and nowhere else; it is in no message.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        name: str = "catalogue",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name, self.url = name, url.rstrip("/")
        # trust_env=False: no proxy of the environment sees tokens for a service on this host.
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=TIMEOUT,
            verify=tls_context(),
            transport=transport,
            trust_env=False,
        )

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: ServiceSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> ServiceCatalogue:
        """Another hub's service, as ``catalogues:`` in ``nearfield.yaml`` names it."""
        from nearfield.catalogue._http import SourceClient
        from nearfield.catalogue._other_service import OtherService

        return OtherService(
            name,
            SourceClient(
                name, settings.url, token=token, timeout=settings.timeout, transport=transport
            ),
        )

    def __repr__(self) -> str:
        return f"ServiceCatalogue({self.url!r}, name={self.name!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(derive=True, text_search=True, client_pids=True)

    async def search(self, query: Query) -> Page:
        answer = await self._ask("GET", "/datasets", params=query_to_params(query))
        page = self._read(_PAGE, answer)
        return page.model_copy(update={"datasets": tuple(map(self._named, page.datasets))})

    async def summaries(self, query: Query, pids: Sequence[str] = ()) -> SummaryPage:
        """As :meth:`search`, of each dataset what a list shows; with ``pids`` only of those."""
        params = [*query_to_params(query), *(("pid", pid) for pid in pids)]
        page = self._read(_SUMMARIES, await self._ask("GET", "/summaries", params=params))
        return page.model_copy(update={"datasets": tuple(map(self._named, page.datasets))})

    async def facets(self, query: Query) -> Facets:
        answer = await self._ask("GET", "/facets", params=query_to_params(query))
        return self._read(_FACETS, answer)

    async def get(self, pid: str) -> Dataset:
        answer = await self._ask("GET", _path_of(pid))
        return self._named(self._read(_DATASET, answer))

    def _named(self, one: _D) -> _D:
        """The service knows itself by its own name; here it has the configured one."""
        return one.model_copy(update={"source": self.name})

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        answer = await self._ask("GET", f"{_path_of(pid)}/files")
        return self._read(_FILES, answer)

    async def links(self, pid: str) -> DatasetFiles:
        """What of a dataset is linked into a session; small, whatever the record holds."""
        said = self._read(_OBJECT, await self._ask("GET", f"{_path_of(pid)}/links"))
        try:
            return links_from_body(said)
        except ValueError as error:
            raise self._strange() from error

    async def derive(self, dataset: DerivedDataset) -> str:
        answer = await self._ask(
            "POST",
            "/datasets",
            # Without what it does not say: an older service refuses fields that it does not know.
            content=dataset.model_dump_json(exclude_defaults=True).encode(),
            headers={"Content-Type": "application/json"},
        )
        return self._read(_PID, answer)["pid"]

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        answer = await self._response("GET", f"{_path_of(pid)}/thumbnail")
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        for known in _PICTURES:
            if media_type == known and answer.content:
                return Thumbnail(known, answer.content)
        if answer.status_code != 204:
            raise self._strange()
        return None

    async def register(self, dataset: Dataset) -> None:
        """Write a raw record, replacing one of its PID: for who may write in this catalogue.

        Raises:
            DatasetNotPermittedError: the token's owner is no writer.
            UsageError: the record is not one that is taken.
        """
        # The service says where a record came from, how large it is and what is wrong with it.
        said = dataset.model_dump_json(
            exclude_defaults=True, exclude={"source", "size", "warnings", "thumbnail"}
        )
        await self._ask(
            "PUT",
            _path_of(dataset.pid),
            content=said.encode(),
            headers={"Content-Type": "application/json"},
        )

    async def delete(self, pid: str) -> None:
        """Take a record out: a writer any, others their own results.

        Raises:
            DatasetNotFoundError, DatasetNotPermittedError, CatalogueError: it is not there, not
            yours, or results refer to it.
        """
        await self._ask("DELETE", _path_of(pid))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **options: Any) -> bytes:
        return (await self._response(method, path, **options)).content

    async def _response(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, self.url + path, **options)
        except httpx.HTTPError as error:
            raise CatalogueUnavailableError(
                f"catalogue {self.url}: no answer: {str(error) or type(error).__name__}",
                hint="is the service running? try again later",
            ) from error
        except httpx.InvalidURL as error:
            raise CatalogueError(f"catalogue {self.url}: not a URL: {error}") from error
        if answer.is_success:
            return answer
        raise self._failure(answer)

    def _failure(self, answer: httpx.Response) -> Exception:
        status = answer.status_code
        try:
            said = answer.json()
            message, hint = str(said["error"]), said.get("hint")
        except (ValueError, KeyError, TypeError, AttributeError):
            # Not the service: a proxy on the way, or the wrong URL.
            message, hint = f"answered {status} {answer.reason_phrase}", "check catalogue.url"
            if status == 404:
                return CatalogueError(f"catalogue {self.url}: {message}", hint=hint)
        if status in (400, 403, 404, 409):
            return error_of(status, message, hint)
        return error_of(status, f"catalogue {self.url}: {message}", hint)

    def _read(self, adapter: TypeAdapter[_T], body: bytes) -> _T:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            raise self._strange() from error

    def _strange(self) -> CatalogueError:
        return CatalogueError(
            f"catalogue {self.url}: an answer that is not a catalogue's",
            hint="check catalogue.url, and that both sides run the same version of nearfield",
        )


def _path_of(pid: str) -> str:
    """The PID as one segment of a path."""
    if pid in ("", ".", ".."):
        # Every HTTP client takes these for steps in the path, however they are encoded.
        raise not_found(pid)
    return f"/datasets/{quote(pid, safe='')}"
