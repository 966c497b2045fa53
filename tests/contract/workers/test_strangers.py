"""Who else is on the node or the network is told nothing by a cluster, and tells it nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from distributed import Scheduler
from distributed.comm import connect
from distributed.security import Security

import nearfield
from nearfield.errors import BlockedError
from workerlab.broker import LocalBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    with LocalBroker(tmp_path) as broker:
        yield broker


def listening(pid: int | str) -> set[str]:
    """Addresses (hexadecimal, as the kernel writes them) at which a process listens by TCP."""
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            field = line.split()
            if field[3] == "0A":
                sockets[f"socket:[{field[9]}]"] = field[1]
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(fd.readlink()))
        except FileNotFoundError:
            continue
    return {sockets[link] for link in links if link in sockets}


def refused(address: str, **how: Any) -> str:
    async def knock() -> None:
        comm = await connect(address, timeout=10, **how)
        await comm.close()

    with pytest.raises(OSError) as told:
        asyncio.run(knock())
    return str(told.value)


def test_a_scheduler_lets_in_its_own_key_alone(broker: LocalBroker) -> None:
    with nearfield.cluster(jobs=1) as cluster:
        address = cluster.scheduler_address
        own = cluster.security.get_connection_args("client")

        async def welcome() -> None:
            await (await connect(address, timeout=10, **own)).close()

        asyncio.run(welcome())
        neighbour = Security.temporary().get_connection_args("client")
        assert "certificate does not match" in refused(address, **neighbour)
        without = ssl.create_default_context()
        without.check_hostname, without.verify_mode = False, ssl.CERT_NONE
        refused(address, ssl_context=without)
        refused(address.replace("tls://", "tcp://"))


def test_a_worker_speaks_with_its_own_scheduler_alone() -> None:
    """Its certificate is bound to the cluster as well: nobody gets work by taking the port."""
    ours, theirs = Security.temporary(), Security.temporary()

    async def meet() -> None:
        here = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
        async with Scheduler(**here, protocol="tls://", security=theirs) as neighbour:
            arguments = ours.get_connection_args("worker")
            await connect(neighbour.address, timeout=2, **arguments)

    with pytest.raises(OSError, match="TLS certificate does not match"):
        asyncio.run(meet())


def test_without_a_dashboard_nothing_is_told_and_only_this_machine_asked() -> None:
    before = listening("self")
    with nearfield.cluster(threads=2) as cluster:
        found = listening("self") - before
        assert {address.split(":")[0] for address in found} <= {"0100007F"}
        assert urlsplit(cluster.scheduler_address).scheme == "inproc"
        for address in found:
            for page in ("status", "metrics", "json/identity.json", "info/main/workers.html"):
                assert page_at(int(address.split(":")[1], 16), page).startswith(b"HTTP/1.1 404")


def page_at(port: int, page: str) -> bytes:
    """All that is answered, until the other side has closed."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as asking:
        asking.sendall(f"GET /{page} HTTP/1.0\r\n\r\n".encode())
        while more := asking.recv(4096):
            said += more
    return said


def test_a_socket_of_another_account_is_told_no_key(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the variable is inherited by a job with another /tmp, anybody may listen there."""
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(BlockedError, match="belongs to another account"):
        nearfield.cluster(jobs=1)
    assert broker.started == []


def test_a_node_whose_address_is_of_version_6(broker: LocalBroker) -> None:
    broker.pending = True
    broker.hello = {"address": "fd00::7", "bind": "::1", "ports": (20000, 60000)}
    with nearfield.cluster(jobs=1) as cluster:
        port = urlsplit(cluster.scheduler_address).port
        assert broker.started[0]["scheduler"] == f"tls://[fd00::7]:{port}"
