"""Opens a file of a dataset wherever it is: on a storage, or over HTTPS and WebDAV in pieces.

Nothing is copied: what is read is fetched. A file on tape is not opened, and so not recalled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from nearfield.availability import INODE_BYTES, availability_of
from nearfield.catalogue._drivers import TokensOf, own_tokens
from nearfield.config import Config
from nearfield.datasets import DataFile, Dataset
from nearfield.errors import BlockedError, DataFileError, UsageError
from nearfield.extras import install_extra

T = TypeVar("T")

_WEB = {"http": "http", "https": "https", "dav": "http", "davs": "https"}
_WEB |= {"webdav": "http", "webdavs": "https"}
_PORTS = {"http": 80, "https": 443}
# HDF5 reads headers in small pieces: one request for each would take minutes.
_BLOCK = 1 << 20
_SECONDS = 60.0


def open_data(
    config: Config, dataset: Dataset, path: str | None = None, *, tokens: TokensOf | None = None
) -> BinaryIO:
    """A file of ``dataset`` for reading, its root file without ``path``; close it when done.

    Over the network the token of the dataset's catalogue is sent, and only to the catalogue's own
    address and to the ``doors`` that ``nearfield.yaml`` names for it.

    Raises:
        UsageError: the dataset has no such file.
        DataFileError: it is on tape, or nowhere that this machine reaches.
        BlockedError: the package for remote files is not installed, or there is no token.
    """
    file = _file(dataset, path)
    try:
        facts = Path(file.path).stat()
    except OSError:
        facts = None
    if facts is not None:
        if facts.st_size > INODE_BYTES and facts.st_blocks == 0:
            raise _on_tape(file)
        return Path(file.path).open("rb")
    one = dataset.model_copy(update={"files": (file,)})
    if availability_of(config, one) == "tape":
        raise _on_tape(file)
    url = _web_address(file)
    if url is None:
        raise DataFileError(
            file.path,
            "is not on this machine, and its catalogue gives no address to fetch it from",
            hint="start a session where its storage is",
        )
    return _fetched(config, dataset, file, url, tokens or own_tokens)


def _file(dataset: Dataset, path: str | None) -> DataFile:
    if path is None:
        if dataset.root_file is None:
            raise UsageError(f"dataset {dataset.pid} has no files")
        return dataset.root_file
    for file in dataset.files:
        if path in (file.path, file.url):
            return file
    raise UsageError(f"dataset {dataset.pid} has no file {path!r}", hint="see its .files")


def _on_tape(file: DataFile) -> DataFileError:
    return DataFileError(
        file.path, "is on tape", hint="have it recalled first, by the way that your site has for it"
    )


def _web_address(file: DataFile) -> str | None:
    scheme, dots, rest = (file.url or "").partition("://")
    web = _WEB.get(scheme.lower())
    return f"{web}://{rest}" if dots and web else None


def _fetched(
    config: Config, dataset: Dataset, file: DataFile, url: str, tokens: TokensOf
) -> BinaryIO:
    try:
        from aiohttp import ClientResponseError
        from fsspec.implementations.http import HTTPFileSystem
    except ImportError as error:
        raise BlockedError(
            f"{url}: files over the network need the package {error.name}",
            hint=install_extra("remote"),
        ) from error
    source = _token_source(config, dataset, url, tokens)
    for fresh in (False, True):
        token = _run(source.token(fresh=fresh)) if source is not None else None
        # No cache of instances: it would keep the token, and give it away with the instance.
        web = HTTPFileSystem(
            client_kwargs={"headers": {"Authorization": f"Bearer {token}"}} if token else {},
            block_size=_BLOCK,
            cache_type="readahead",
            skip_instance_cache=True,
        )
        try:
            opened = web.open(url, "rb")
        except (ClientResponseError, FileNotFoundError) as error:
            # "Not found" is what fsspec makes of every answer that is no success.
            answer = error if isinstance(error, ClientResponseError) else error.__cause__
            status = answer.status if isinstance(answer, ClientResponseError) else 404
            if status == 401 and token and not fresh:
                continue
            missing = status in (404, 410)
            what = "is not at its address" if missing else f"cannot be fetched: {status}"
            raise _refused(file, dataset, what) from None
        except Exception as error:
            # aiohttp's own words may hold the request, and with it the token.
            raise _refused(file, dataset, f"cannot be fetched: {type(error).__name__}") from None
        if opened.size is None:
            opened.close()
            raise _refused(file, dataset, "is given as a whole only: its server knows no ranges")
        return opened  # type: ignore[no-any-return]
    raise AssertionError  # the loop returns or raises


def _refused(file: DataFile, dataset: Dataset, what: str) -> DataFileError:
    where = f" (from {dataset.source})" if dataset.source else ""
    return DataFileError(file.url or file.path, what + where, hint="log in again, or try later")


def _token_source(config: Config, dataset: Dataset, url: str, tokens: TokensOf) -> Any:
    """The token source of the dataset's catalogue, if that address may have its token."""
    settings = config.catalogues.get(dataset.source or "")
    if settings is None or settings.token == "none":  # noqa: S105
        return None
    if _origin(url) is None:
        return None  # a name and password in an address, or no address
    if _origin(url) == _origin(settings.url) or any(_below(url, door) for door in settings.doors):
        return tokens(dataset.source or "", settings)
    return None


def _below(url: str, door: str) -> bool:
    path, above = urlsplit(url).path, urlsplit(door).path.rstrip("/")
    steps = ".." in path.split("/") or "%2e" in path.lower()
    inside = path == above or path.startswith(f"{above}/")
    return _origin(url) == _origin(door) and inside and not steps


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        address = urlsplit(url)
        port = address.port or _PORTS.get(address.scheme)
    except ValueError:
        return None
    if not address.hostname or address.username is not None:
        return None
    return address.scheme, address.hostname.lower(), port


def _run(question: Coroutine[Any, Any, T]) -> T:
    """In a notebook cell a loop is running already: then in a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="nearfield") as pool:
        return pool.submit(asyncio.run, question).result(timeout=_SECONDS)
