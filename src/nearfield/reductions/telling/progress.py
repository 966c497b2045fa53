"""Where progress is shown: a terminal, a notebook, the lines of a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from nearfield.reductions.telling.pace import Pace
from nearfield.reductions.watching import Told

SECONDS = 10.0
"""Between two lines."""


def shown(progress: bool | Told, pace: Pace) -> AbstractContextManager[Told | None]:
    """``True`` is a bar in a terminal and in a notebook, a line now and then elsewhere."""
    if progress is False:
        return nullcontext()
    if callable(progress):
        return nullcontext(progress)
    if in_notebook():
        from nearfield.reductions.telling.notebook import bar

        return bar(pace)
    return _terminal(pace) if sys.stderr.isatty() else _lines(pace)


def in_notebook() -> bool:
    """Is this a kernel's process, whose output a front-end shows?"""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def _terminal(pace: Pace) -> Iterator[Told]:
    from tqdm import tqdm

    form = "{desc}: {percentage:3.0f}%|{bar}| {postfix}"
    with tqdm(total=pace.total, desc="reduce", bar_format=form, leave=True) as bar:
        bar.set_postfix_str(pace.words())

        def told(done: int, total: int) -> None:
            pace.told(done)
            words = pace.words() if done < total else pace.all_in_all()
            bar.set_postfix_str(words, refresh=False)
            bar.update(done - bar.n)

        yield told


@contextmanager
def _lines(pace: Pace, clock: Callable[[], float] = time.monotonic) -> Iterator[Told]:
    """One every ten seconds, and one at the end of what took as long."""
    last, said = clock(), False

    def told(done: int, total: int) -> None:
        nonlocal last, said
        pace.told(done)
        if done < total and clock() - last >= SECONDS:
            print(f"reduce: {pace.words()}", file=sys.stderr, flush=True)
            last, said = clock(), True

    yield told
    if said:
        print(f"reduce: {pace.all_in_all()}", file=sys.stderr, flush=True)
