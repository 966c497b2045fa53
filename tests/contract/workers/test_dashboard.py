"""Dask's web pages: on this machine's own address, and only when they are asked for."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import nearfield
from nearfield.workers import listening
from panels.server import lab_server
from workerlab.broker import LocalBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    with LocalBroker(tmp_path, pending=True) as broker:
        yield broker


def status(port: int, page: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def elsewhere(port: int) -> bool:
    """Does it listen at another address of this machine?"""
    with socket.socket() as tried:
        tried.settimeout(2)
        return tried.connect_ex(("127.0.0.2", port)) == 0


@pytest.mark.parametrize("jobs", [None, 1])
def test_no_pages_unless_asked_for(broker: LocalBroker, jobs: int | None) -> None:
    with nearfield.cluster(jobs=jobs) as cluster:
        port = cluster.scheduler.http_server.port
        pages = ["/status", "/info/main/workers.html", "/json/counts.json", "/metrics"]
        assert {page: status(port, page) for page in pages} == dict.fromkeys(pages, 404)
        assert not elsewhere(port)
        if jobs:
            assert "status" not in repr(cluster)


def test_the_dashboard_is_below_the_users_own_server(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/hub-1/user/alice/")
    with nearfield.cluster(jobs=1, dashboard=True) as cluster:
        port = cluster.scheduler.http_server.port
        assert cluster.dashboard_link == f"/hub-1/user/alice/proxy/{port}/status"
        assert f'href="{cluster.dashboard_link}"' in cluster._repr_html_()
        assert status(port, "/status") == 200
        assert not elsewhere(port)


def test_it_is_reached_through_the_server_and_with_its_token_alone(
    broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/")
    with (
        nearfield.cluster(jobs=1, dashboard=True) as cluster,
        lab_server(tmp_path / "lab", {}) as server,
    ):
        page = server.url + cluster.dashboard_link
        known = httpx.get(page, headers={"Authorization": f"token {server.token}"}, timeout=30)
        assert (known.status_code, "Dask" in known.text) == (200, True)
        assert httpx.get(page, timeout=30).status_code in {302, 403}


def test_outside_of_a_hub_it_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert listening.link() == "http://127.0.0.1:{port}/status"
