"""What the options before the command say."""

from __future__ import annotations

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


def settings(context: typer.Context) -> Settings:
    """The settings of the running command."""
    found = context.find_object(Settings)
    return found if found is not None else Settings()
