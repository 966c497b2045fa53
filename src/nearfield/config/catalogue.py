"""``catalogue:`` and ``storages:``: where datasets are found, and where their files lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from nearfield.config._base import AbsolutePath, ConfigModel, Constraint, Name, SlurmWord
from nearfield.config.serving import ServeConfig


def user_data_dir() -> Path:
    """``$NEARFIELD_HOME`` or the XDG data folder of this user."""
    if home := os.environ.get("NEARFIELD_HOME"):
        return Path(home)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local/share") / "nearfield"


class CatalogueConfig(ConfigModel):
    """Where datasets are found."""

    name: Name = "embedded"
    driver: Literal["embedded", "service"] = "embedded"
    path: Path | None = None
    """``embedded``: the SQLite file. A file is for one user; several share a service."""
    url: str | None = None
    """``service``: where ``nearfield catalogue serve`` answers."""
    timeout: float = Field(default=3.0, gt=0, le=60)
    """Seconds that a search in several catalogues waits for this one."""
    rules: AbsolutePath | None = None
    """A file of facility rules: which fields of files and sidecars say what in the catalogue."""
    serve: ServeConfig = ServeConfig()
    """``nearfield catalogue serve``: what it answers to whom."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.driver == "service" and not self.url:
            raise ValueError("driver 'service' needs url")
        return self

    @property
    def file(self) -> Path:
        return self.path or user_data_dir() / "catalogue.sqlite"


Elsewhere = Annotated[
    str,
    StringConstraints(
        pattern=r"^(/|[A-Za-z][A-Za-z0-9+.-]*://[^\s/]|[\w.-]+:/([^\s/]|$))\S*$", max_length=2000
    ),
]
"""A place as another machine names it."""


class Place(ConfigModel):
    """Where in a cluster a storage is near."""

    cluster: Name
    partition: SlurmWord | None = None
    constraint: Constraint | None = None


class Storage(ConfigModel):
    """A path prefix and where it is near."""

    prefix: AbsolutePath
    places: tuple[Place, ...] = ()
    """Empty: near everywhere."""
    also: tuple[Elsewhere, ...] = ()
    """What catalogues write for ``prefix``: a path elsewhere, ``host:/path``, or the address of a
    door (``https://…``, ``davs://…``, ``root://…``)."""
    read_only: bool = True
    """Raw areas stay read-only in every session; a processed area says ``read_only: false``."""
