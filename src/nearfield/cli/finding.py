"""``nearfield catalogue search`` and ``show``: one catalogue, or several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from nearfield.cli._context import asking, settings
from nearfield.cli._output import one_line

if TYPE_CHECKING:
    from nearfield.catalogue import Catalogue
    from nearfield.config import Config
    from nearfield.datasets import Dataset
    from nearfield.querying import DatasetSummary, NearValues, Page, Query, SourceState

T = TypeVar("T")

_File = Annotated[
    Path | None,
    typer.Option("--catalogue", help="The embedded catalogue's file.", show_default="configured"),
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``nearfield catalogue``."""
    app.command()(search)
    app.command()(show)


def search(
    *,
    context: typer.Context,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Words, and conditions: technique:saxs year:2024 energy>8keV"),
    ] = None,
    type_: Annotated[
        Literal["raw", "derived"] | None, typer.Option("--type", help="Raw or derived only.")
    ] = None,
    technique: Annotated[str | None, typer.Option(help="As `show` writes it.")] = None,
    instrument: Annotated[
        str | None, typer.Option(help="Words of its name; =NAME for just this one.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Ask this catalogue alone; may be given again.")
    ] = None,
    limit: Annotated[
        int,
        typer.Option(min=1, max=1000, help="How many to show; of each catalogue, without --json."),
    ] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on: `next` of the JSON before.")] = None,
    catalogue: _File = None,
    as_json: _Json = False,
) -> None:
    """Find datasets by words and properties, newest first, in all catalogues at once."""
    from nearfield.querying.language import parse

    said = parse(" ".join(text or ()))
    query = said.model_copy(
        update={
            "type": type_ or said.type,
            "technique": (technique,) if technique else said.technique,
            "instrument": (instrument,) if instrument else said.instrument,
            "source": tuple(source) if source else said.source,
            "limit": limit,
            "cursor": cursor,
        }
    )
    config = settings(context).config
    if as_json:
        _search_as_json(config, catalogue, query)
    elif catalogue is None and config.catalogues:
        _stream(config, query)
    else:
        _list(config, catalogue, query)


def show(
    context: typer.Context,
    pid: Annotated[str, typer.Argument(metavar="PID", help="As `search` shows it.")],
    source: Annotated[str | None, typer.Option(help="The catalogue that holds it.")] = None,
    catalogue: _File = None,
    as_json: _Json = False,
) -> None:
    """Show one dataset: what it is, where it lies, what it was made from."""
    from nearfield.availability import with_availability
    from nearfield.catalogue import only
    from nearfield.cli._cards import print_dataset
    from nearfield.cli._output import emit_json

    async def ask(found: Catalogue) -> Dataset:
        return await only(found, source).get(pid)

    config = settings(context).config
    with asking(catalogue):
        dataset = with_availability(config, _run(config, catalogue, ask))
    if as_json:
        emit_json(dataset.model_dump(mode="json"))
    else:
        print_dataset(dataset)


def _search_as_json(config: Config, file: Path | None, query: Query) -> None:
    from nearfield.catalogue import find
    from nearfield.cli._output import emit_json

    page = _run(config, file, lambda catalogue: find(catalogue, query))
    emit_json(
        {
            "total": page.total,
            "total_exact": page.total_exact,
            "datasets": [dataset.model_dump(mode="json") for dataset in page.datasets],
            "next": page.next,
            "sources": [state.model_dump(mode="json") for state in page.sources],
            "near": [near.model_dump(mode="json") for near in page.near],
        }
    )


def _list(config: Config, file: Path | None, query: Query) -> None:
    """One catalogue: a table, whose columns are as wide as what is in them."""
    from nearfield.catalogue import find
    from nearfield.cli._cards import print_datasets
    from nearfield.querying import Query
    from nearfield.querying.writing import to_text

    async def ask(catalogue: Catalogue) -> tuple[Page, int]:
        page = await find(catalogue, query)
        everything = page if page.total else await catalogue.search(Query(limit=1))
        return page, everything.total

    page, everything = _run(config, file, ask)
    if not page.total:
        wanted = to_text(query)
        words = repr(wanted) if wanted else "these conditions"
        where = _describe(config, file)
        number = "1 dataset is" if everything == 1 else f"{everything} datasets are"
        typer.echo(f"no dataset matches {words}; {number} in {where}")
        _print_near(page.near)
        return
    print_datasets(page.datasets)
    if page.total > len(page.datasets):
        total = _number(page.total, page.total_exact)
        typer.echo(f"{len(page.datasets)} of {total} shown: --limit shows more", err=True)


def _stream(config: Config, query: Query) -> None:
    """Several catalogues: a line for each dataset as it comes, at the end how each one did."""
    from nearfield.catalogue import FederatedCatalogue, stream_search
    from nearfield.catalogue._asking import raise_if_no_state
    from nearfield.querying import AlsoEvent, DatasetsEvent, EndEvent, SourceEvent

    states: dict[str, SourceState] = {}
    also: dict[str, list[str]] = {}
    shown = 0

    async def read(catalogue: Catalogue) -> EndEvent | None:
        nonlocal shown
        assert isinstance(catalogue, FederatedCatalogue)  # noqa: S101  # there are `catalogues:`
        width = max(len(source.name) for source in catalogue.sources)
        end = None
        async with aclosing(stream_search(catalogue, query)) as events:
            async for event in events:
                if isinstance(event, DatasetsEvent):
                    shown += len(event.datasets)
                    for dataset in event.datasets:
                        typer.echo(_line(dataset, width))
                elif isinstance(event, AlsoEvent):
                    also.setdefault(event.pid, []).append(event.source)
                elif isinstance(event, SourceEvent):
                    states[event.source] = event.told
                else:
                    end = event
        return end

    end = _run(config, None, read)
    for pid, sources in also.items():
        typer.echo(f"{pid}: also in {', '.join(sources)}", err=True)
    for state in states.values():
        typer.echo(_state(state), err=True)
    raise_if_no_state(states.values())
    if end is not None:
        _print_near(end.near)
        total = _number(end.total, end.total_exact)
        typer.echo(
            f"{shown} of {total} shown" + (": --limit shows more" if end.next else ""), err=True
        )


def _print_near(near: Iterable[NearValues]) -> None:
    for one in near:
        typer.echo(one_line(one.words), err=True)


def _line(dataset: DatasetSummary, width: int) -> str:
    from nearfield.showing.facts import size_of

    time = dataset.created
    when = time.isoformat(sep=" ", timespec="minutes")[:16] if time else "-"
    title = one_line(dataset.title or "-")
    size = size_of(dataset.size) if dataset.size else "-"
    return f"{dataset.pid:<36}  {dataset.source or '-':<{width}}  {when:<16}  {size:>8}  {title}"


def _state(state: SourceState) -> str:
    if state.state == "answered":
        number = _number(state.total or 0, state.total_exact)
        said = f"{number} found in {state.seconds or 0:.1f} s"
        return f"{state.source}: {said}" + (
            f" ({one_line(state.message)})" if state.message else ""
        )
    hint = f"; {one_line(state.hint)}" if state.hint and state.state == "failed" else ""
    return f"{state.source}: {one_line(state.message or state.state)}{hint}"


def _number(total: int, exact: bool) -> str:
    return f"{total}" if exact else f"{total} or more"


def _describe(config: Config, file: Path | None) -> str:
    if file is None and config.catalogue.driver == "service":
        return str(config.catalogue.url)
    return str(file if file is not None else config.catalogue.file)


def _run(config: Config, file: Path | None, ask: Callable[[Catalogue], Awaitable[T]]) -> T:
    """Open the catalogue, ask it, close it."""
    from nearfield.catalogue import open_catalogue

    async def work() -> T:
        found: Any = open_catalogue(config, file=file)
        try:
            return await ask(found)
        finally:
            await found.aclose()

    return asyncio.run(work())
