"""Datasets as a terminal shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from nearfield.cli._output import one_line
from nearfield.showing.facts import size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nearfield.datasets import Dataset


def print_datasets(datasets: Sequence[Dataset]) -> None:
    """One line each."""
    from nearfield.cli._output import table

    table(
        ["PID", "title", "technique", "time", "size"],
        [
            [
                dataset.pid,
                one_line(dataset.name),
                one_line(", ".join(dataset.techniques)) or "-",
                _time(dataset),
                size_of(dataset.size),
            ]
            for dataset in datasets
        ],
    )


def print_dataset(dataset: Dataset) -> None:
    """All of one: what it is, where it lies, what it was made from."""
    said: list[tuple[str, str | None]] = [
        ("PID", dataset.pid),
        ("type", dataset.type),
        ("title", dataset.name),
        ("description", dataset.description),
        ("source", dataset.source),
        ("also in", ", ".join(dataset.also_in)),
        ("DOI", dataset.doi),
        ("page", dataset.landing_page),
        ("licence", dataset.license),
        ("by", "; ".join(dataset.creators)),
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
        ("its data", dataset.availability),
        ("folder", dataset.source_folder),
        ("size", f"{size_of(dataset.size)} in {_files(len(dataset.files))}"),
        ("visible to", visible_to(dataset)),
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
        typer.echo(f"  {file.role:<7}{size_of(file.size):>10}  {one_line(file.path)}{checksum}")
    if dataset.arrays:
        typer.echo("arrays:")
    for array in dataset.arrays:
        shape = " × ".join(map(str, array.shape))  # noqa: RUF001  # for people
        units = f" in {array.units}" if array.units else ""
        mark = "  (signal)" if array.signal else ""
        typer.echo(f"  {one_line(array.path)}  {shape}  {array.dtype}{one_line(units)}{mark}")


def visible_to(dataset: Dataset) -> str | None:
    """Who may see the record, as the catalogue says."""
    access = dataset.access
    if access.open_at(datetime.now(UTC)):
        return "everybody"
    later = f"everybody from {access.embargo_until}" if access.public else None
    named = [
        access.owner,
        *(f"@{g}" for g in (access.owner_group, *access.access_groups) if g),
        later,
    ]
    return ", ".join(name for name in named if name) or None


def _time(dataset: Dataset) -> str:
    time = dataset.start_time or dataset.created
    return time.isoformat(sep=" ", timespec="seconds") if time else "-"


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
