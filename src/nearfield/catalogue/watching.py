"""When to scan a folder again: when something below it changes, and every so often.

The kernel tells of changes that this host makes. What other hosts write to a network file system
it does not see, and it watches no more folders than ``fs.inotify.max_user_watches``: so the
folder is scanned every ``interval`` seconds as well, which costs 30 µs for a file that has not
changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Detectors write many files in a row: a scan waits until there is so much quiet, or so long.
QUIET_MS = 500
MOST_MS = 5000


def when_to_scan(
    root: Path,
    *,
    interval: float,
    stop: threading.Event,
    own: Path | None = None,
    on_poll: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Yields each time that ``root`` is to be scanned, at once for the first and second time.

    Args:
        interval: at most so many seconds between two scans.
        stop: set it to end.
        own: the catalogue's file; what happens to it and its logs is no change of the data.
        on_poll: told why, where changes cannot be watched and only the interval counts.
    """
    yield None
    try:
        changes = _changes(root, interval, stop, own)
        for _ in changes:
            if stop.is_set():
                return
            yield None
    except (OSError, ImportError, RuntimeError) as error:
        if on_poll is not None:
            on_poll(f"changes cannot be watched ({error}): scanning every {interval:.0f} s")
        while not stop.wait(interval):
            yield None


def _changes(
    root: Path, interval: float, stop: threading.Event, own: Path | None
) -> Iterator[None]:
    from watchfiles import Change, watch

    mine = None if own is None else str(own.resolve())

    def of_data(_: Change, path: str) -> bool:
        return mine is None or not path.startswith(mine)

    # Once more as soon as it watches: what was written during the first scan nobody has seen.
    last = time.monotonic() - interval
    for found in watch(
        root,
        watch_filter=of_data,
        debounce=MOST_MS,
        step=QUIET_MS,
        rust_timeout=max(100, min(500, int(interval * 1000))),
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=True,
        # What it may not read the scan reports: it is no reason not to watch the rest.
        ignore_permission_denied=True,
    ):
        if found or time.monotonic() - last >= interval:
            yield None
            last = time.monotonic()
