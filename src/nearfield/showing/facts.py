"""What is told of a dataset in a few words: the same in the text and in the card."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from nearfield.datasets import Dataset

_WHERE = {
    "online": "online",
    "remote": "not on this machine's storages: fetched over the network",
    "tape": "on tape: nothing here recalls it",
}


def facts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Labels and values; what the record does not say is left out."""
    said: tuple[tuple[str, str | None], ...] = (
        ("technique", ", ".join(dataset.techniques)),
        ("instrument", dataset.instrument),
        ("facility", dataset.facility),
        ("sample", dataset.sample),
        ("proposal", dataset.proposal),
        ("measured" if dataset.type == "raw" else "made", when(dataset)),
        ("by", _few(dataset.creators)),
        ("files", _files(dataset)),
        ("its data", _WHERE.get(dataset.availability or "")),
        ("made from", _few(dataset.input_datasets)),
        ("visible to", rights(dataset)),
        ("licence", dataset.license),
        ("in", _sources(dataset)),
    )
    for label, value in said:
        if value:
            yield label, value


def when(dataset: Dataset) -> str | None:
    """Its time, as the source has it."""
    time = dataset.start_time or dataset.created
    return time.isoformat(sep=" ", timespec="minutes") if time else None


def rights(dataset: Dataset) -> str | None:
    """Who may see it, as the catalogue says."""
    access = dataset.access
    if access.open_at(datetime.now(UTC)):
        return "everybody"
    groups = [group for group in (access.owner_group, *access.access_groups) if group]
    names = [access.owner, *(f"group {group}" for group in groups)]
    if access.public and access.embargo_until:
        names.append(f"everybody from {access.embargo_until:%Y-%m-%d} on")
    return ", ".join(name for name in names if name) or None


def page_of(dataset: Dataset) -> str | None:
    """Its landing page, if it is one of the web; a DOI has one anyway."""
    if dataset.landing_page:
        try:
            address = urlsplit(dataset.landing_page)
        except ValueError:
            return None
        if address.scheme in ("http", "https") and address.hostname:
            return dataset.landing_page
    return f"https://doi.org/{quote(dataset.doi, safe='/')}" if dataset.doi else None


def size_of(size: int) -> str:
    """Bytes for a person: powers of ten, as storage is sold."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} PB"


def _files(dataset: Dataset) -> str | None:
    if not dataset.files:
        return size_of(dataset.size) if dataset.size else None
    number = len(dataset.files)
    return f"{size_of(dataset.size)} in {number} file{'s' * (number != 1)}"


def _few(values: tuple[str, ...]) -> str:
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return ", ".join(values[:3]) + more


def _sources(dataset: Dataset) -> str | None:
    if dataset.source is None:
        return None
    also = f", also in {', '.join(dataset.also_in)}" if dataset.also_in else ""
    return dataset.source + also
