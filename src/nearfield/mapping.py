"""From what catalogues say of where data lie to the site's own storages.

A source may write the folder of a dataset as a path on another machine, as a dCache door or as a
web address. ``storages.NAME.also`` in ``nearfield.yaml`` lists the prefixes that are this storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from nearfield.config import Config
from nearfield.datasets import DataFile, Dataset, path_problem

_PORTS = {"http": 80, "https": 443, "dav": 80, "davs": 443, "webdav": 80, "webdavs": 443}
_SAME = {"dav": "http", "webdav": "http", "davs": "https", "webdavs": "https"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A place on one of the site's storages."""

    storage: str
    path: str
    """Absolute and normal, at or below the storage's prefix."""


def mapped(config: Config, said: str | None) -> Mapped | None:
    """Where ``said`` is here: a path, ``host:/path``, or a URL. ``None``: on no storage.

    The longest prefix wins. Nothing leads out of a storage: ``..`` in it is on none.
    """
    parts = said and _parts(said)
    if not parts:
        return None
    best: tuple[int, str, str] | None = None
    for name, storage in config.storages.items():
        for prefix in (str(storage.prefix), *storage.also):
            below = _parts(prefix)
            if below is None or parts[0] != below[0]:
                continue
            long = len(below[1])
            if parts[1][:long] == below[1] and (best is None or long > best[0]):
                path = "/".join([str(storage.prefix).rstrip("/"), *parts[1][long:]]) or "/"
                best = (long, name, path)
    if best is None or path_problem(best[2]) is not None:
        return None
    return Mapped(best[1], best[2])


def placed(config: Config, dataset: Dataset) -> Dataset:
    """``dataset`` with its storage, and with the paths that its files have on this site.

    What is on no storage stays as the source says it.
    """
    if not config.storages:
        return dataset
    folder = mapped(config, dataset.source_folder)
    files = tuple(placed_file(config, file) for file in dataset.files)
    root = dataset.root_file
    of_root = files[dataset.files.index(root)].path if root is not None else None
    found = mapped(config, of_root) or folder
    changes: dict[str, object] = {}
    if files != dataset.files:
        changes["files"] = files
    if folder is not None and folder.path != dataset.source_folder:
        changes["source_folder"] = folder.path
    name = found.storage if found is not None else _known(config, dataset.storage)
    if name != dataset.storage:
        changes["storage"] = name
    return dataset.model_copy(update=changes) if changes else dataset


def placed_file(config: Config, file: DataFile) -> DataFile:
    """``file`` with its path here, told by its path or by its address."""
    found = mapped(config, file.path) or mapped(config, file.url)
    if found is None or found.path == file.path:
        return file
    return file.model_copy(update={"path": found.path})


def _known(config: Config, name: str | None) -> str | None:
    """Another site's storage is no storage of this one, whatever its name."""
    return name if name in config.storages else None


def _parts(said: str) -> tuple[str, list[str]] | None:
    """Where it is (``""`` for a path) and the names on the way; ``None`` where it is no place."""
    if "\0" in said or len(said) > 8000:
        return None
    if "://" in said:
        return _of_url(said)
    if said.startswith("/"):
        return "", _names(said)
    host, colon, path = said.partition(":")
    if colon and path.startswith("/") and host and "/" not in host:
        return f"{host.lower()}:", _names(path)
    return None


def _of_url(said: str) -> tuple[str, list[str]] | None:
    scheme = said.partition("://")[0].lower()
    try:
        address = urlsplit(said)
        host, port = (address.hostname or "").lower(), address.port
    except ValueError:
        return None
    path = unquote(address.path, errors="surrogateescape")
    if "\0" in path or "%2f" in address.path.lower():
        return None  # a name with a slash in it is none of a file
    if scheme == "file":
        # On whatever machine: a site says in `also` what else it takes for its own.
        return ("", _names(path)) if host in ("", "localhost") else (f"file://{host}", _names(path))
    port = port or _PORTS.get(scheme)
    return f"{_SAME.get(scheme, scheme)}://{host}:{port}", _names(path)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]
