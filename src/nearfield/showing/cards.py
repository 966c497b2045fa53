"""HTML for notebooks: no script, no style sheet, colours of the page around it.

Every text of a record is escaped; titles come from anybody.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from nearfield.datasets import Dataset
from nearfield.querying import SourceState
from nearfield.showing.facts import facts, page_of, size_of, when

if TYPE_CHECKING:
    from nearfield.catalogue import Thumbnail

MAX_PICTURE = 500_000
_TITLE = 300
# Half-transparent grey is a line on light and on dark alike.
_LINE = "1px solid rgba(128,128,128,.5)"
_CARD = (
    f"display:flex;gap:1em;align-items:flex-start;border:{_LINE};border-radius:4px;"
    "padding:.75em 1em;max-width:60em;color:inherit;background:transparent"
)


def card(dataset: Dataset, picture: Thumbnail | None = None) -> str:
    """One dataset: thumbnail, title, facts, rights, the way to its page."""
    rows = "".join(
        f'<dt style="font-weight:bold;white-space:nowrap">{escape(label)}</dt>'
        f'<dd style="margin:0;overflow-wrap:anywhere">{escape(_cut(value))}</dd>'
        for label, value in facts(dataset)
    )
    warnings = "".join(f"<li>{escape(_cut(text))}</li>" for text in dataset.warnings[:5])
    return (
        f'<div style="{_CARD}">{_picture(picture)}<div style="flex:1;min-width:0">'
        '<div style="font-weight:bold;font-size:1.1em;overflow-wrap:anywhere">'
        f"<bdi>{escape(_cut(dataset.name))}</bdi></div>"
        f'<div style="overflow-wrap:anywhere"><code>{escape(dataset.pid)}</code>'
        f" {_link(dataset)}</div>"
        '<dl style="display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em;'
        f'margin:.5em 0 0">{rows}</dl>'
        + (f'<ul style="margin:.5em 0 0">{warnings}</ul>' if warnings else "")
        + "</div></div>"
    )


def listing(datasets: Sequence[Dataset], words: str, states: Sequence[SourceState]) -> str:
    """A page of results as a table, and how the sources did."""
    head = "".join(
        f'<th scope="col" style="text-align:left;padding:.2em .8em .2em 0">{name}</th>'
        for name in ("title", "PID", "time", "size", "source")
    )
    rows = "".join(_row(dataset) for dataset in datasets)
    told = "".join(
        f"<li>{escape(state.source)}: {escape(_cut(state.message or state.state))}</li>"
        for state in states
        if state.state != "answered"
    )
    return (
        '<div style="color:inherit;background:transparent">'
        f'<table style="border-collapse:collapse;color:inherit"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table><div>{escape(words)}</div>"
        + (f"<ul>{told}</ul>" if told else "")
        + "</div>"
    )


def _row(dataset: Dataset) -> str:
    values = (
        # Its own direction, and nothing of it reaches the columns beside.
        f"<bdi>{escape(_cut(dataset.name))}</bdi>",
        f"<code>{escape(dataset.pid)}</code>",
        escape(when(dataset) or "–"),  # noqa: RUF001  # for people
        escape(size_of(dataset.size) if dataset.size else "–"),  # noqa: RUF001
        escape(dataset.source or "–"),  # noqa: RUF001
    )
    cells = "".join(
        f'<td style="text-align:left;padding:.2em .8em .2em 0;border-top:{_LINE}">{value}</td>'
        for value in values
    )
    return f"<tr>{cells}</tr>"


def _picture(picture: Thumbnail | None) -> str:
    if picture is None or len(picture.content) > MAX_PICTURE:
        return ""
    data = base64.b64encode(picture.content).decode("ascii")
    return (
        f'<img alt="" src="data:{escape(picture.media_type)};base64,{data}"'
        ' style="max-width:12em;max-height:12em;margin:0">'
    )


def _link(dataset: Dataset) -> str:
    page = page_of(dataset)
    if page is None:
        return ""
    return (
        f'<a href="{escape(page)}" target="_blank" rel="noopener noreferrer"'
        ' style="text-decoration:underline">its page</a>'
    )


def _cut(text: str) -> str:
    return text if len(text) <= _TITLE else text[:_TITLE] + "…"
