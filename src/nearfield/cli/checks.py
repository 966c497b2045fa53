"""``nearfield catalogue check``: what a measurement does not say that its technique needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearfield.cli._context import asking, settings
from nearfield.cli._output import emit_json, one_line

if TYPE_CHECKING:
    from nearfield.catalogue.metadata import FileMetadata
    from nearfield.config import Config
    from nearfield.datasets import Dataset


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nearfield catalogue``."""
    app.command()(check)


def check(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="FILE|PID", help="A data file, or a dataset.")],
    catalogue: Annotated[
        Path | None,
        typer.Option(
            "--catalogue", help="The embedded catalogue's file.", show_default="configured"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output.")
    ] = False,
) -> None:
    """Tell what a measurement does not say that others of its technique do. Exits 1 if anything."""
    if _is_file(what):
        _report(what, _read(what), as_json=as_json)
        return
    with asking(catalogue):
        _report(what, _ask(settings(context).config, catalogue, what), as_json=as_json)


def _ask(config: Config, file: Path | None, pid: str) -> Dataset:
    from nearfield.catalogue import open_catalogue

    async def work() -> Dataset:
        found = open_catalogue(config, file=file)
        try:
            return await found.get(pid)
        finally:
            await found.aclose()

    return asyncio.run(work())


def _is_file(what: str) -> bool:
    try:
        return Path(what).is_file()
    except OSError:
        return False


def _read(what: str) -> FileMetadata:
    """What a file says; also refused where it is on tape: checking fetches nothing."""
    from nearfield.catalogue._tree import on_tape
    from nearfield.catalogue.metadata import read_file
    from nearfield.errors import DataFileError

    if on_tape(Path(what).stat()):
        raise DataFileError(what, "on tape", hint="fetch it first; checking does not")
    return read_file(what)


def _report(what: str, found: FileMetadata | Dataset, *, as_json: bool) -> None:
    """Print the findings; exits 1 where there are some."""
    from nearfield.catalogue.metadata.checking import check as find

    findings = find(found)
    if as_json:
        emit_json(
            {
                "checked": what,
                "techniques": list(found.techniques),
                "technique_ids": list(found.technique_ids),
                "findings": [
                    {"field": one.field, "message": one.words, "schema": one.schema}
                    for one in findings
                ],
                "warnings": list(found.warnings),
            }
        )
    else:
        for one in findings:
            typer.echo(one_line(str(one)))
        for warning in found.warnings:
            typer.echo(f"as read: {one_line(warning)}")
        named = ", ".join(found.techniques) or "no technique named"
        typer.echo(f"{one_line(what)}: {one_line(named)}: {_count(len(findings))}")
    if findings:
        raise typer.Exit(1)


def _count(number: int) -> str:
    if number == 0:
        return "nothing is missing"
    return "1 field to look at" if number == 1 else f"{number} fields to look at"
