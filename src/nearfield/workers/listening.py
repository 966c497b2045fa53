"""Where a scheduler listens: for its workers by TLS, and its web pages on this machine alone.

Dask's dashboard asks nobody who they are. So it is there only when asked for, at 127.0.0.1, and is
reached through the user's own server on the hub; whoever has an account on the node sees it too.
"""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import dask.config

from nearfield.errors import BlockedError
from nearfield.extras import install_extra
from nearfield.workers.broker import Offer

PAGES = "127.0.0.1:0"


def options(offer: Offer, dashboard: bool) -> dict[str, Any]:
    """Of ``distributed.Scheduler``.

    Raises:
        BlockedError: all ports that the site's firewall lets through are taken.
    """
    return {
        "protocol": "tls://",
        "host": in_url(offer.bind),
        "port": 0 if offer.ports is None else _free(offer.bind, *offer.ports),
        "dashboard": dashboard,
        "dashboard_address": PAGES,
    }


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def pages(dashboard: bool) -> Iterator[None]:
    """In which a scheduler is made.

    Raises:
        BlockedError: there can be no dashboard, as a package is missing.
    """
    if not dashboard:
        # Its web server has further pages, which tell names of tasks to everybody on the node.
        routes = ("distributed.scheduler.http.routes", "distributed.worker.http.routes")
        with dask.config.set({name: [] for name in routes}):
            yield
        return
    if find_spec("bokeh") is None:
        raise BlockedError("the dashboard needs the package bokeh", hint=install_extra("dashboard"))
    dask.config.set({"distributed.dashboard.link": link()})
    yield


def link() -> str:
    """The dashboard's address for Dask to fill in: below the user's own server where there is one.

    It has to have jupyter-server-proxy.
    """
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if not prefix:
        return "http://127.0.0.1:{port}/status"
    return prefix.rstrip("/") + "/proxy/{port}/status"


def _free(host: str, least: int, most: int) -> int:
    """One that can be taken now; from a random one on, as many schedulers may share a node."""
    count = most - least + 1
    first = random.randrange(count)  # noqa: S311 - no secret
    for number in range(count):
        port = least + (first + number) % count
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise BlockedError(f"cannot listen on {host}:{port}: {error}") from error
        return port
    raise BlockedError(
        f"all ports from {least} to {most} are taken on this node",
        hint="they are those that the site's firewall lets workers through",
    )
