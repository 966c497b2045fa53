"""A hub between its first start and its end, and a test that leaves nothing on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hublab.people import PEOPLE, scan
from hublab.process import HubProcess

Hub = TypeVar("Hub", bound=HubProcess)


@contextmanager
def running(hub: Hub, data: Iterable[str] = ()) -> Iterator[Hub]:
    """``hub``, whose folder is prepared, over a catalogue of ``data`` (paths on the nodes)."""
    for path in data:
        scan(hub.cluster, hub.config_file, path, hub.folder / "catalogue.sqlite")
    hub.hand_over()
    hub.start_proxy()
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()


def leave_no_servers(hub: HubProcess) -> None:
    """Stop what a test has left, also where it left no hub."""
    if hub.hub is None or hub.hub.poll() is not None:
        hub.start()
    hub.stop_servers(*PEOPLE)
