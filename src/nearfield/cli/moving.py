"""``nearfield catalogue import`` and ``export``: records as lines of JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearfield.cli._context import settings, warn_of_network
from nearfield.cli._output import one_line

if TYPE_CHECKING:
    from nearfield.catalogue import CatalogueStore
    from nearfield.catalogue.moving import Imported

_CATALOGUE = typer.Option(
    "--catalogue", help="The embedded catalogue's file.", show_default="configured"
)


def import_(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="One record of JSON a line; '-' reads a pipe.")
    ],
    catalogue: Annotated[Path | None, _CATALOGUE] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output.")
    ] = False,
) -> None:
    """Register records that something else has written, replacing those of the same PID.

    A record is as 'catalogue show --json' prints it; 'pid' alone must be there. Lines that hold
    none are left out and told, and the exit code is 1.
    """
    from nearfield.catalogue.moving import import_lines
    from nearfield.cli._output import emit_json, progress
    from nearfield.errors import DataFileError

    store = _open(context, catalogue, create=True)
    try:
        with progress("import") as tell:
            if str(source) == "-":
                done = import_lines(store, sys.stdin, lambda number: tell(number, None))
            else:
                try:
                    with source.open(encoding="utf-8", errors="replace") as lines:
                        done = import_lines(store, lines, lambda number: tell(number, None))
                except OSError as error:
                    raise DataFileError(str(source), error.strerror or str(error)) from error
    finally:
        store.close()
    if as_json:
        emit_json(_as_json(done))
    else:
        for number, words in done.problems:
            typer.echo(f"line {number}: {one_line(words)}", err=True)
        typer.echo(f"{done.registered} registered, {done.failed} failed")
    if done.failed:
        raise typer.Exit(1)


def export(context: typer.Context, catalogue: Annotated[Path | None, _CATALOGUE] = None) -> None:
    """Print every record of the embedded catalogue, one line of JSON each, as of one moment."""
    from nearfield.catalogue.moving import export_lines

    store = _open(context, catalogue, create=False)
    try:
        for line in export_lines(store):
            sys.stdout.write(line + "\n")
    finally:
        store.close()


def add_to(app: typer.Typer) -> None:
    """The commands, below ``nearfield catalogue``."""
    app.command("import")(import_)
    app.command()(export)


def _open(context: typer.Context, catalogue: Path | None, *, create: bool) -> CatalogueStore:
    from nearfield.catalogue import CatalogueStore

    config = settings(context).config
    file = catalogue if catalogue is not None else config.catalogue.file
    warn_of_network(file)
    return CatalogueStore(file, config.catalogue.name, create=create)


def _as_json(done: Imported) -> dict[str, Any]:
    return {
        "registered": done.registered,
        "failed": done.failed,
        "problems": [{"line": line, "reason": words} for line, words in done.problems],
    }
