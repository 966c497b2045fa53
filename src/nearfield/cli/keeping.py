"""``nearfield catalogue backup``: a copy of the embedded catalogue while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearfield.cli._context import settings
from nearfield.cli._output import one_line


def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy.")],
    catalogue: Annotated[
        Path | None,
        typer.Option(
            "--catalogue", help="The embedded catalogue's file.", show_default="configured"
        ),
    ] = None,
) -> None:
    """Copy the embedded catalogue as it is at this moment, while others read and write it."""
    from nearfield.catalogue import CatalogueStore

    config = settings(context).config
    file = catalogue if catalogue is not None else config.catalogue.file
    store = CatalogueStore(file, config.catalogue.name, create=False)
    try:
        store.backup(target)
    finally:
        store.close()
    typer.echo(f"{one_line(str(file))} is copied to {one_line(str(target))}")


def add_to(app: typer.Typer) -> None:
    """The command, below ``nearfield catalogue``."""
    app.command()(backup)
