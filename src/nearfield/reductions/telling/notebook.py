"""The bar in a notebook: frames done, how fast, how long still.

Where the kernel has Nearfield's widgets it is one of them, with a button that ends it. What stays
in the notebook at the end is plain HTML, which any page shows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib.metadata import entry_points
from typing import Any, Protocol

from nearfield.errors import ReductionCancelledError
from nearfield.reductions.telling.pace import Pace
from nearfield.reductions.watching import Told

GROUP = "nearfield.progress"
"""Entry points that make a widget; the first one is taken."""
_PAUSE = 0.1
"""Seconds between two pictures."""
_COLOURS = {
    "going": "var(--jp-brand-color1,#1976d2)",
    "done": "var(--jp-success-color1,#388e3c)",
    "stopped": "var(--jp-warn-color1,#f57c00)",
    "failed": "var(--jp-error-color1,#d32f2f)",
}


class Widget(Protocol):
    """What shows the progress, as an object that IPython displays."""

    def show(self, share: float, words: str) -> None:
        """From 0 to 1, and in words."""

    def close(self) -> None:
        """It is replaced by plain HTML."""


class Bar:
    """As plain HTML, and a line of text where there is none."""

    def __init__(self, share: float, words: str, state: str = "going") -> None:
        self._share, self._words, self._state = share, words, state

    def __repr__(self) -> str:
        return f"reduce: {self._words}"

    def _repr_html_(self) -> str:
        percent = f"{100 * self._share:.1f}"
        return (
            '<div style="max-width:700px;padding:.25em 0">'
            '<div style="display:flex;justify-content:space-between;gap:1em;'
            'font-variant-numeric:tabular-nums"><span>'
            f"{escape(self._words)}</span><span>{100 * self._share:.0f} %</span></div>"
            f'<div role="progressbar" aria-label="Reduction" aria-valuenow="{percent}" '
            'aria-valuemin="0" aria-valuemax="100" style="height:6px;margin-top:4px;'
            'border-radius:3px;overflow:hidden;background:rgba(128,128,128,.25)">'
            f'<div style="height:100%;width:{percent}%;background:{_COLOURS[self._state]}"></div>'
            "</div></div>"
        )


class Interrupted(KeyboardInterrupt):
    """One line in a notebook, instead of the way through all of this."""

    def _render_traceback_(self) -> list[str]:
        return [f"KeyboardInterrupt: {self}"]


@contextmanager
def bar(pace: Pace) -> Iterator[Told]:
    """Displayed at once; what it says at the end stays."""
    from IPython.display import display

    widget = _widget()
    show: Any = display
    if widget is not None:
        widget.show(0, pace.words())
    handle = show(widget or Bar(0, pace.words()), display_id=True)
    last = 0.0

    def told(done: int, total: int) -> None:
        nonlocal last
        pace.told(done)
        if done < total and (now := time.monotonic()) - last >= _PAUSE:
            last = now
            if widget is not None:
                widget.show(pace.share, pace.words())
            else:
                handle.update(Bar(pace.share, pace.words()))

    state, words = "failed", "Ended by an error"
    try:
        yield told
        state, words = "done", pace.all_in_all()
    except KeyboardInterrupt:
        state, words = "stopped", "Cancelled"
        raise Interrupted("the reduction was cancelled") from None
    except ReductionCancelledError:
        state, words = "stopped", "Cancelled"
        raise
    finally:
        if state != "done":
            words = f"{words} after {pace.done:,} of {pace.total:,} frames"
        handle.update(Bar(pace.share, words, state))
        if widget is not None:
            widget.close()


def _widget() -> Widget | None:
    """``None`` where there is none. Nobody sees a run's notebook while it is executed."""
    if os.environ.get("NEARFIELD_RUN"):
        return None
    for found in entry_points(group=GROUP):
        try:
            made: Widget = found.load()()
        except Exception:  # plain HTML tells the same
            return None
        return made
    return None
