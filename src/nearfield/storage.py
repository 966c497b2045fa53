"""Which storage a path belongs to."""

from __future__ import annotations

from pathlib import PurePosixPath

from nearfield.config import Config, Place, Storage


def locate(config: Config, path: str) -> tuple[str | None, str]:
    """The storage that holds ``path`` and the path relative to it.

    The longest prefix wins. A path in no storage belongs to the whole file system: the result
    is ``(None, path without its leading slash)``.
    """
    # In plain strings: a rescan asks this of every file.
    odd = "//" in path or "/./" in path or path.endswith(("/", "/.")) or path.startswith("./")
    here = str(PurePosixPath(path)) if odd else path
    best: tuple[str, str] | None = None
    for name, storage in config.storages.items():
        prefix = str(storage.prefix).rstrip("/")
        if f"{here}/".startswith(f"{prefix}/") and (best is None or len(prefix) > len(best[0])):
            best = (prefix, name)
    if best is None:
        return None, here.lstrip("/")
    return best[1], here[len(best[0]) :].lstrip("/") or "."


def near(storage: Storage, cluster: str) -> bool:
    """Does any node of ``cluster`` have this storage?"""
    return not storage.places or any(place.cluster == cluster for place in storage.places)


def place_in(storage: Storage, cluster: str) -> Place | None:
    """Where in ``cluster`` it is near; None if everywhere there, or nowhere."""
    return next((place for place in storage.places if place.cluster == cluster), None)
