"""``nearfield catalogue``: register data, find it, look at it, serve it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearfield.cli import checks, finding, harvest, keeping, moving
from nearfield.cli._context import search_command, settings, warn_of_network
from nearfield.cli._output import one_line

if TYPE_CHECKING:
    from nearfield.catalogue import ScanReport
    from nearfield.config import Config

app = typer.Typer(help="Register data, find it, look at it, serve it.", no_args_is_help=True)
finding.add_to(app)
checks.add_to(app)
keeping.add_to(app)
moving.add_to(app)
harvest.add_to(app)

_File = Annotated[
    Path | None,
    typer.Option("--catalogue", help="The embedded catalogue's file.", show_default="configured"),
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command()
def scan(
    *,
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the data.")],
    catalogue: _File = None,
    recall: Annotated[bool, typer.Option(help="Open files that are on tape.")] = False,
    public: Annotated[bool, typer.Option(help="Let everybody see the records.")] = False,
    owner: Annotated[str | None, typer.Option(help="Owner, instead of the files'.")] = None,
    group: Annotated[str | None, typer.Option(help="Group, instead of the files'.")] = None,
    keep_watching: Annotated[
        bool, typer.Option("--watch", help="Scan again whenever something changes, until ended.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=1, help="With --watch: seconds between scans, changes or not.")
    ] = 60,
    as_json: _Json = False,
) -> None:
    """Register every dataset below DIR. Exits 1 if anything could not be registered."""
    from nearfield.catalogue import AccessRule, CatalogueStore
    from nearfield.catalogue import scan as scan_folder
    from nearfield.cli._output import emit_json, progress

    config = settings(context).config
    file = _embedded_file(config, catalogue)
    if not folder.is_dir():
        from nearfield.errors import UsageError

        raise UsageError(f"{folder}: not a folder", hint="name the folder that holds the data")
    warn_of_network(file)
    store = CatalogueStore(file, config.catalogue.name)

    def once(**options: Any) -> ScanReport:
        return scan_folder(
            store,
            folder,
            config,
            recall=recall,
            rule=AccessRule(owner=owner, group=group, public=public),
            workers=len(os.sched_getaffinity(0)),
            **options,
        )

    try:
        if keep_watching:
            from nearfield.cli._watch import watch

            watch(once, _report_as_json, folder, file, interval, json_lines=as_json)
            return
        with progress("scan") as tell:
            report = once(on_progress=tell)
    finally:
        store.close()
    if as_json:
        emit_json(_report_as_json(report))
    else:
        _print_report(report, folder, file)
        if report.known:
            typer.echo(f"their PIDs:  {search_command(catalogue, '')}")
    if report.failed:
        raise typer.Exit(1)


@app.command()
def serve(
    context: typer.Context,
    bind: Annotated[
        str | None,
        typer.Option(help="HOST:PORT to listen on.", show_default="$JUPYTERHUB_SERVICE_URL"),
    ] = None,
    catalogue: _File = None,
    public_only: Annotated[
        bool, typer.Option("--public-only", help="Without a hub: the public interfaces alone.")
    ] = False,
) -> None:
    """Serve the embedded catalogue to all users of a hub, as a service that the hub manages."""
    from nearfield.catalogue.service import serve as run_service

    config = settings(context).config
    # Where accounts are not simply the hub's names, the hub says whose is whose.
    account_path = None if config.identity.trivial else "/nearfield/account"
    file = _embedded_file(config, catalogue)
    warn_of_network(file)
    run_service(
        file,
        config.catalogue.name,
        bind,
        account_path=account_path,
        settings=config.catalogue.serve,
        public_only=public_only,
    )


def _embedded_file(config: Config, file: Path | None) -> Path:
    return file if file is not None else config.catalogue.file


def _report_as_json(report: ScanReport) -> dict[str, Any]:
    return {
        "registered": report.registered,
        "unchanged": report.unchanged,
        "updated": report.updated,
        "missing": report.missing,
        "ignored": report.ignored,
        "failed": [{"path": found.path, "reason": found.reason} for found in report.failed],
    }


def _print_report(report: ScanReport, folder: Path, file: Path) -> None:
    from nearfield.catalogue import DATA_SUFFIXES

    for path in report.missing_paths:
        typer.echo(f"missing: {one_line(path)}", err=True)
    for found in report.failed:
        typer.echo(f"failed: {one_line(found.path)}: {one_line(found.reason)}", err=True)
    counts = {
        "registered": report.registered,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "missing": report.missing,
        "failed": len(report.failed),
        "other file" if report.ignored == 1 else "other files": report.ignored,
    }
    said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    if report.known or report.failed:
        typer.echo(said)
    else:
        typer.echo(f"no dataset found in {one_line(str(folder))}" + (f": {said}" if said else ""))
        typer.echo("recognised: HDF5 (NeXus, openPMD, CXI), ORSO, EDF, CBF, TIFF;")
        typer.echo(f"by {' '.join(sorted(DATA_SUFFIXES))},")
        typer.echo("or by the first bytes of a file")
    typer.echo(f"catalogue: {file}")
