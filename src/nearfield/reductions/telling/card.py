"""What a notebook shows above a result: its cost before it is computed, and what one has to know.

xarray shows a dataset; IPython is told to show those of reductions with a few lines above.
"""

from __future__ import annotations

import json
import sys
from html import escape
from typing import Any

import xarray as xr

from nearfield.reductions.cost import cost_of
from nearfield.reductions.lazy import RESULT, Result
from nearfield.reductions.telling.amounts import frames, size
from nearfield.reductions.threads import cores

_NAMED = 3
"""Files that are named of many."""
_STYLE = (
    "border:1px solid rgba(128,128,128,.5);border-radius:4px;padding:.5em .8em;margin:0 0 .6em;"
    "max-width:700px;box-sizing:border-box"
)


def shown_in_ipython() -> None:
    """From here on, where this is IPython."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    for kind, show in (("text/html", html), ("text/plain", pretty)):
        known = shell.display_formatter.formatters[kind]
        if xr.Dataset not in known.type_printers:  # somebody's own stays
            known.for_type(xr.Dataset, show)


def html(dataset: xr.Dataset) -> str:
    """xarray's page, below a card where there is something to say."""
    page: str = dataset._repr_html_()
    costs, notes = _costs(dataset), _notes(dataset)
    if not costs and not notes:
        return page
    said = [f"<div>{escape(line)}</div>" for line in costs[1:]]
    if costs:
        said.insert(0, f"<strong>{escape(costs[0])}</strong>")
    said += [
        '<div><span aria-hidden="true" style="color:var(--jp-warn-color0,#b45309)">\u25b2</span> '
        f"{escape(note)}</div>"
        for note in notes
    ]
    return f'<div style="{_STYLE}">{"".join(said)}</div>{page}'


def pretty(dataset: xr.Dataset, printer: Any, cycle: bool) -> None:
    """The same in a terminal, below xarray's text."""
    printer.text("\n".join([repr(dataset), *_costs(dataset), *_notes(dataset)]))


def _costs(dataset: xr.Dataset) -> list[str]:
    """Nothing of what is computed, or is no result of a reduction."""
    result = dataset.encoding.get(RESULT)
    if not isinstance(result, Result) or result.computed:
        return []
    plan, cost = result.plan, cost_of(result.plan, result.workers or cores())
    of = plan.stack.shape[0]
    which = frames(of) if plan.frames.count == of else f"{plan.frames.count:,} of {frames(of)}"
    return [
        f"Not computed yet: {cost.takes}",
        f"{which}; reads {size(cost.bytes_read)}, decodes {size(cost.bytes_decoded)}; {cost.by}",
        "Computed, all in one pass, when a value is looked at; with progress by "
        ".nearfield.compute()",
    ]


def _notes(dataset: xr.Dataset) -> list[str]:
    if RESULT not in dataset.encoding:
        return []
    attrs, notes = dataset.attrs, []
    if attrs.get("partial"):
        count = frames(int(attrs.get("frame_count", 0)))
        notes.append(f"Partial: the file was written just now, maybe still is; {count} were there")
    if missing := attrs.get("missing_file_count"):
        named = _some(attrs["missing_files"], int(missing))
        notes.append(f"Missing files, whose frames are the fill value: {named}")
    if unreadable := attrs.get("unreadable_frames"):
        notes.append(f"Could not be read, and are left out: {_some(unreadable)}")
    return notes


def _some(listed: str, count: int | None = None) -> str:
    texts = json.loads(listed)
    more = (count or len(texts)) - _NAMED
    return "; ".join(texts[:_NAMED]) + (f"; and {more:,} more" if more > 0 else "")
