"""What the options before the command say."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from nearfield.config import Config


@dataclass
class Settings:
    """``--config`` and ``--debug``."""

    config_path: Path | None = None
    debug: bool = False

    @cached_property
    def config(self) -> Config:
        from nearfield.config import load_config

        return load_config(self.config_path)


@contextmanager
def asking(catalogue: Path | None) -> Iterator[None]:
    """A hint to search names the catalogue file that the command was given."""
    from nearfield.errors import DatasetNotFoundError

    try:
        yield
    except DatasetNotFoundError as error:
        error.hint = f"search with: {search_command(catalogue)}"
        raise


def search_command(catalogue: Path | None, words: str = " TEXT") -> str:
    """What to type to find a dataset in the same catalogue."""
    given = f" --catalogue {shlex.quote(str(catalogue))}" if catalogue else ""
    return f"nearfield catalogue search{words}{given}"


def settings(context: typer.Context) -> Settings:
    """The settings of the running command."""
    found = context.find_object(Settings)
    return found if found is not None else Settings()


def warn_of_network(file: Path) -> None:
    """A catalogue that several hosts can reach is told before it is written."""
    from nearfield.catalogue.network_files import ADVICE, network_kind
    from nearfield.cli._output import complain, one_line

    if kind := network_kind(file):
        complain(f"warning: catalogue {one_line(str(file))} is on {kind}\n  {ADVICE}")
