"""``nearfield catalogue``: register data, find it, look at it, serve it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nearfield.cli._context import asking, search_command, settings
from nearfield.cli._output import one_line

if TYPE_CHECKING:
    from nearfield.catalogue import Catalogue, ScanReport
    from nearfield.config import Config
    from nearfield.datasets import Dataset

app = typer.Typer(help="Register data, find it, look at it, serve it.", no_args_is_help=True)

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
    store = CatalogueStore(file, config.catalogue.name)
    try:
        with progress("scan") as tell:
            report = scan_folder(
                store,
                folder,
                config,
                on_progress=tell,
                recall=recall,
                rule=AccessRule(owner=owner, group=group, public=public),
                workers=len(os.sched_getaffinity(0)),
            )
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
def search(
    *,
    context: typer.Context,
    text: Annotated[list[str] | None, typer.Argument(help="Words that all must be found.")] = None,
    type_: Annotated[
        Literal["raw", "derived"] | None, typer.Option("--type", help="Raw or derived only.")
    ] = None,
    technique: Annotated[str | None, typer.Option(help="As `show` writes it.")] = None,
    instrument: Annotated[str | None, typer.Option(help="As `show` writes it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")] = 50,
    catalogue: _File = None,
    as_json: _Json = False,
) -> None:
    """Find datasets by words and properties, newest first."""
    from nearfield.cli._output import emit_json
    from nearfield.querying import Query

    query = Query(
        text=" ".join(text or ()),
        type=type_,
        technique=technique,
        instrument=instrument,
        limit=limit,
    )
    config = settings(context).config

    async def ask(found: Catalogue) -> tuple[Any, int]:
        page = await found.search(query)
        everything = page if page.total else await found.search(Query(limit=1))
        return page, everything.total

    page, everything = _run(config, catalogue, ask)
    if as_json:
        emit_json(
            {
                "total": page.total,
                "datasets": [dataset.model_dump(mode="json") for dataset in page.datasets],
            }
        )
        return
    if not page.total:
        wanted = repr(query.text) if query.text else "these conditions"
        where = _describe(config, catalogue)
        typer.echo(f"no dataset matches {wanted}; {_datasets(everything)} in {where}")
        return
    _print_datasets(page.datasets)
    if page.total > len(page.datasets):
        typer.echo(f"{len(page.datasets)} of {page.total} shown: --limit shows more", err=True)


@app.command()
def show(
    context: typer.Context,
    pid: Annotated[str, typer.Argument(metavar="PID", help="As `search` shows it.")],
    catalogue: _File = None,
    as_json: _Json = False,
) -> None:
    """Show one dataset: what it is, where it lies, what it was made from."""
    from nearfield.cli._output import emit_json

    async def ask(found: Catalogue) -> Dataset:
        return await found.get(pid)

    with asking(catalogue):
        dataset = _run(settings(context).config, catalogue, ask)
    if as_json:
        emit_json(dataset.model_dump(mode="json"))
    else:
        _print_dataset(dataset)


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


def _run(config: Config, file: Path | None, ask: Any) -> Any:
    """Open the catalogue, ask it, close it."""
    import asyncio

    from nearfield.catalogue import open_catalogue

    async def work() -> Any:
        found = open_catalogue(config, file=file)
        try:
            return await ask(found)
        finally:
            await found.aclose()

    return asyncio.run(work())


def _describe(config: Config, file: Path | None) -> str:
    if file is None and config.catalogue.driver == "service":
        return str(config.catalogue.url)
    return str(_embedded_file(config, file))


def _datasets(number: int) -> str:
    return f"{number} dataset is" if number == 1 else f"{number} datasets are"


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


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
        typer.echo(f"recognised: HDF5 (NeXus, openPMD); by {' '.join(sorted(DATA_SUFFIXES))},")
        typer.echo("or by the first bytes of a file")
    typer.echo(f"catalogue: {file}")


def _print_datasets(datasets: tuple[Dataset, ...]) -> None:
    from nearfield.cli._output import table

    table(
        ["PID", "title", "technique", "time", "size"],
        [
            [
                dataset.pid,
                one_line(dataset.name),
                one_line(", ".join(dataset.techniques)) or "-",
                _time(dataset),
                human_size(dataset.size),
            ]
            for dataset in datasets
        ],
    )


def _print_dataset(dataset: Dataset) -> None:
    said: list[tuple[str, str | None]] = [
        ("PID", dataset.pid),
        ("type", dataset.type),
        ("title", dataset.name),
        ("description", dataset.description),
        ("techniques", ", ".join(dataset.techniques)),
        ("format", dataset.format),
        ("instrument", dataset.instrument),
        ("facility", dataset.facility),
        ("sample", dataset.sample),
        ("proposal", dataset.proposal),
        ("start", str(dataset.start_time) if dataset.start_time else None),
        ("end", str(dataset.end_time) if dataset.end_time else None),
        ("created", str(dataset.created) if dataset.created else None),
        ("keywords", ", ".join(dataset.keywords)),
        ("storage", dataset.storage),
        ("folder", dataset.source_folder),
        ("size", f"{human_size(dataset.size)} in {_files(len(dataset.files))}"),
        ("visible to", _visible_to(dataset)),
        ("run", dataset.run_id),
    ]
    for label, value in said:
        if label in ("title", "techniques", "start", "size") or value:
            typer.echo(f"{label:<12}{one_line(value) if value else '-'}")
    for label, lines in (
        ("inputs", dataset.input_datasets),
        ("software", dataset.used_software),
        ("warnings", dataset.warnings),
    ):
        if lines:
            typer.echo(f"{label}:")
            for line in lines:
                typer.echo(f"  {one_line(line)}")
    typer.echo("files:")
    for file in dataset.files:
        checksum = f"  sha256:{file.sha256}" if file.sha256 else ""
        typer.echo(f"  {file.role:<7}{human_size(file.size):>10}  {one_line(file.path)}{checksum}")
    if dataset.arrays:
        typer.echo("arrays:")
    for array in dataset.arrays:
        shape = " × ".join(map(str, array.shape))  # noqa: RUF001  # for people
        units = f" in {array.units}" if array.units else ""
        mark = "  (signal)" if array.signal else ""
        typer.echo(f"  {one_line(array.path)}  {shape}  {array.dtype}{one_line(units)}{mark}")


def _visible_to(dataset: Dataset) -> str | None:
    access = dataset.access
    if access.public:
        return "everybody"
    named = [access.owner, *(f"@{g}" for g in (access.owner_group, *access.access_groups) if g)]
    return ", ".join(name for name in named if name) or None


def _time(dataset: Dataset) -> str:
    time = dataset.start_time or dataset.created
    return time.isoformat(sep=" ", timespec="seconds") if time else "-"


def human_size(size: int) -> str:
    """Bytes for a person: ``1.9 MB``, powers of ten as storage is sold."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} PB"
