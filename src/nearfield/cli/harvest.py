"""``nearfield catalogue harvest``: the records of a repository, by OAI-PMH."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearfield.cli._context import settings, warn_of_network
from nearfield.cli._output import one_line

if TYPE_CHECKING:
    from nearfield.catalogue.oai import HarvestReport


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nearfield catalogue``."""
    app.command()(harvest)


def harvest(
    *,
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The repository's base URL, without '?verb=…'.")
    ],
    format_: Annotated[
        str | None,
        typer.Option("--format", help="oai_datacite, oai_dc, …", show_default="the best offered"),
    ] = None,
    set_: Annotated[str | None, typer.Option("--set", help="Only this set.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Everything, not only what changed since last time.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds for one page, waits included.")
    ] = 300,
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
    """Register a repository's datasets, and later what has changed there.

    Ended in the middle, it goes on where it was. Exits 1 if a record could not be registered.
    """
    from nearfield.catalogue import CatalogueStore
    from nearfield.catalogue.oai import Repository, Wanted
    from nearfield.catalogue.oai import harvest as harvest_into
    from nearfield.cli._output import emit_json, progress
    from nearfield.errors import BlockedError
    from nearfield.extras import install_extra

    try:
        import defusedxml  # noqa: F401
    except ImportError as error:
        raise BlockedError(
            "nothing can be harvested: defusedxml is not installed",
            hint=install_extra("hub"),
        ) from error
    config = settings(context).config
    repository = Repository(url, timeout=timeout)
    file = catalogue or config.catalogue.file
    warn_of_network(file)
    store = CatalogueStore(file, config.catalogue.name)

    async def work() -> HarvestReport:
        try:
            with progress("harvest") as tell:
                return await harvest_into(
                    store, repository, Wanted(format_, set_, full), on_progress=tell
                )
        finally:
            await repository.aclose()

    try:
        report = asyncio.run(work())
    finally:
        store.close()
    if as_json:
        emit_json(_as_json(report))
    else:
        _print(report)
    if report.failures:
        raise typer.Exit(1)


def _as_json(report: HarvestReport) -> dict[str, Any]:
    return {
        "repository": report.repository,
        "format": report.format,
        "since": report.since,
        "resumed": report.resumed,
        "pages": report.pages,
        "registered": report.registered,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
        "other": report.other,
        "failures": report.failures,
        "failed": [
            {"identifier": identifier, "reason": reason} for identifier, reason in report.failed
        ],
        "deletions_told": report.deletions_told,
        "mended": report.mended,
    }


def _print(report: HarvestReport) -> None:
    for identifier, reason in report.failed:
        typer.echo(f"failed: {one_line(identifier or '?')}: {one_line(reason)}", err=True)
    counts = {
        "registered": report.registered,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
        "failed": report.failures,
        "of something else than datasets": report.other,
    }
    said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    since = f" changed since {report.since}" if report.since else ""
    name = one_line(report.repository)
    typer.echo(f"{name} ({report.format}){since}: {said or 'nothing new'}")
    if report.mended:
        typer.echo(
            f"{report.mended} of its pages hold signs that XML does not have: marked",
            err=True,
        )
    if not report.deletions_told:
        typer.echo("it does not tell of deleted records: they stay in the catalogue", err=True)
