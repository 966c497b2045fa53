"""``nearfield catalogue scan --watch``: scan, wait for changes, scan again, until told to end."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

from nearfield.catalogue import ScanReport
from nearfield.catalogue.watching import when_to_scan
from nearfield.cli._output import complain, one_line, progress
from nearfield.errors import CatalogueUnavailableError


def watch(
    scan: Callable[..., ScanReport],
    as_json: Callable[[ScanReport], dict[str, object]],
    folder: Path,
    catalogue: Path,
    interval: float,
    *,
    json_lines: bool,
) -> None:
    """Scan until SIGTERM or Ctrl-C. Prints a line for each scan that found something new.

    The first scan may take hours and tells how far it is; the scan under way is finished, unless
    the signal comes again.
    """
    stop, scanning = threading.Event(), threading.Event()
    told: set[tuple[str, str]] = set()

    def end(_: int, __: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        if scanning.is_set():
            complain("ends after this scan; once more ends it now, and the next goes on from there")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    for turn, _ in enumerate(
        when_to_scan(folder, interval=interval, stop=stop, own=catalogue, on_poll=complain)
    ):
        scanning.set()
        try:
            with progress("scan") if turn == 0 else nullcontext() as tell:
                report = scan(on_progress=tell)
        except CatalogueUnavailableError as error:
            # Somebody else is writing: the next turn finds the same changes.
            complain(str(error))
            continue
        finally:
            scanning.clear()
        failed = {(one.path, one.reason) for one in report.failed}
        for path, reason in sorted(failed - told):
            if not json_lines:
                print(f"failed: {one_line(path)}: {one_line(reason)}", file=sys.stderr)
        news = bool(report.registered or report.updated or failed != told or turn == 0)
        told = failed
        if news:
            print(json.dumps(as_json(report)) if json_lines else _line(report), flush=True)
        if stop.is_set():
            return


def _line(report: ScanReport) -> str:
    counts = {
        "registered": report.registered,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "missing": report.missing,
        "failed": len(report.failed),
    }
    return (
        ", ".join(f"{number} {what}" for what, number in counts.items() if number) or "no dataset"
    )
