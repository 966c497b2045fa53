"""Which storage a path belongs to."""

from __future__ import annotations

from pathlib import PurePosixPath

from nearfield.config import Config, Place, Storage


def locate(config: Config, path: str) -> tuple[str | None, str]:
    """The storage that holds ``path`` and the path relative to it.

    The longest prefix wins. A path in no storage belongs to the whole file system: the result
    is ``(None, path without its leading slash)``.
    """
    here = PurePosixPath(path)
    best: tuple[int, str, Storage] | None = None
    for name, storage in config.storages.items():
        if here.is_relative_to(storage.prefix) and (
            best is None or len(storage.prefix.parts) > best[0]
        ):
            best = (len(storage.prefix.parts), name, storage)
    if best is None:
        return None, str(here).lstrip("/")
    return best[1], str(here.relative_to(best[2].prefix))


def near(storage: Storage, cluster: str) -> bool:
    """Does any node of ``cluster`` have this storage?"""
    return not storage.places or any(place.cluster == cluster for place in storage.places)


def place_in(storage: Storage, cluster: str) -> Place | None:
    """Where in ``cluster`` it is near; None if everywhere there, or nowhere."""
    return next((place for place in storage.places if place.cluster == cluster), None)
