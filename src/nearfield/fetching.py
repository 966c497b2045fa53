"""Opens a file of a dataset wherever it is: on a storage, or over HTTPS and WebDAV in pieces.

Nothing is copied: what is read is fetched. A file on tape is not opened, and so not recalled.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from nearfield.availability import INODE_BYTES, availability_of
from nearfield.catalogue._drivers import TokensOf, own_tokens
from nearfield.config import Config, Source
from nearfield.datasets import DataFile, Dataset, path_problem
from nearfield.errors import DataFileError, UsageError
from nearfield.mapping import mapped
from nearfield.web_file import open_web

_WEB = {"http": "http", "https": "https", "dav": "http", "davs": "https"}
_WEB |= {"webdav": "http", "webdavs": "https"}
_PORTS = {"http": 80, "https": 443}


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
    facts = _facts(config, dataset, file)
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


def local_file(config: Config, dataset: Dataset, path: str | None = None) -> str:
    """Where a file of ``dataset`` is on this machine, its root file without ``path``.

    Raises:
        UsageError: the dataset has no such file.
        DataFileError: it is on tape, or on no storage of this machine.
    """
    file = _file(dataset, path)
    one = dataset.model_copy(update={"files": (file,), "availability": None})
    where = availability_of(config, one)
    if where == "tape":
        raise _on_tape(file)
    if not Path(file.path).is_file():
        raise DataFileError(
            file.path,
            "is not on this machine, and only a file that is can be read at full speed",
            hint="start a session where its storage is, or copy it from nearfield.open_file",
        )
    return file.path


def _file(dataset: Dataset, path: str | None) -> DataFile:
    if path is None:
        if dataset.root_file is None:
            raise UsageError(f"dataset {dataset.pid} has no files")
        return dataset.root_file
    for file in dataset.files:
        if path in (file.path, file.url):
            return file
    raise UsageError(f"dataset {dataset.pid} has no file {path!r}", hint="see its .files")


def _facts(config: Config, dataset: Dataset, file: DataFile) -> os.stat_result | None:
    """Of the file on this machine; ``None`` where it is not here.

    In another catalogue's record a path may be anything, and a path of that name something else
    here: where the site names its storages, only what lies on them.
    """
    if path_problem(file.path) is not None:
        return None  # nothing of the folder that the notebook happens to be in
    foreign = dataset.source in config.catalogues and config.storages
    if foreign and mapped(config, file.path) is None:
        return None
    try:
        facts = Path(file.path).stat()
    except OSError:
        return None
    # To open a pipe would wait for ever.
    return facts if stat.S_ISREG(facts.st_mode) else None


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
    settings = _giving(config, dataset, url)
    source = tokens(dataset.source or "", settings) if settings is not None else None
    return open_web(
        url,
        source,
        lambda where: settings is not None and _may_have(settings, where),
        lambda what: _refused(file, dataset, what),
    )


def _refused(file: DataFile, dataset: Dataset, what: str) -> DataFileError:
    where = f" (from {dataset.source})" if dataset.source else ""
    return DataFileError(file.url or file.path, what + where, hint="log in again, or try later")


def _giving(config: Config, dataset: Dataset, url: str) -> Source | None:
    """The dataset's catalogue, if that address may have its token."""
    settings = config.catalogues.get(dataset.source or "")
    if settings is None or settings.token == "none":  # noqa: S105
        return None
    return settings if _may_have(settings, url) else None


def _may_have(settings: Source, url: str) -> bool:
    if _origin(url) is None:
        return False  # a name and password in an address, or no address
    return _origin(url) == _origin(settings.url) or any(_below(url, d) for d in settings.doors)


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
