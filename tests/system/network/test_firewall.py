"""A firewall on the nodes that lets through what the day-one page lists, and nothing else."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system

NODES = ("na1", "na2")
HEAD = "10.99.0.1"
TABLE = "nearfield_test"
SLURM = "16817, 16819"  # slurmctld and slurmdbd of the test cluster
SLURMD = "17001-17010"


def rules(hub: Any) -> str:
    """Inbound: slurmd, and the sessions' ports from the hub's host. Outbound: Slurm and the hub."""
    return f"""
    table inet {TABLE} {{
      chain input {{
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        tcp dport {{ {SLURMD} }} accept
        ip saddr {HEAD} tcp dport 20000-20039 accept
      }}
      chain output {{
        type filter hook output priority 0; policy drop;
        oif lo accept
        ct state established,related accept
        tcp dport {{ {SLURMD} }} accept
        ip daddr {HEAD} tcp dport {{ {SLURM}, {hub.ports["hub"]}, {hub.ports["public"]} }} accept
      }}
    }}
    """


@pytest.fixture
def firewall(cluster: Any, hub: Any) -> Iterator[None]:
    try:
        for node in NODES:
            argv = [str(cluster.tool), "exec", node, "nft", "-f", "-"]
            done = subprocess.run(
                argv, input=rules(hub), text=True, capture_output=True, timeout=30, check=False
            )
            assert done.returncode == 0, done.stderr
        yield
    finally:
        for node in NODES:
            cluster.exec_on(node, ["nft", "delete", "table", "inet", TABLE])


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def listener(cluster: Any) -> Iterator[tuple[str, int]]:
    """Somebody's server on na1, outside the range."""
    port = 30123
    argv = [str(cluster.tool), "exec", "na1", "setpriv", "--reuid=bob", "--regid=slurmlab"]
    # It ends with its standard input: a signal would reach the program that entered the node.
    code = f"import socket, sys; s = socket.create_server(('', {port})); sys.stdin.read()"
    argv += ["--clear-groups", "/usr/bin/python3", "-I", "-c", code]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE)
    address = "10.99.0.11"
    end = time.monotonic() + 10
    while not answers(address, port):
        assert time.monotonic() < end
        time.sleep(0.05)
    yield address, port
    server.communicate(timeout=10)


def test_a_session_behind_the_firewall(
    cluster: Any, listener: tuple[str, int], hub: Any, firewall: None
) -> None:
    assert not answers(*listener), "the firewall lets everything through"
    lost = cluster.exec_on("na1", ["bash", "-c", "echo >/dev/tcp/10.99.0.14/17004 && echo in"])
    assert "in" in lost.stdout, "Slurm's daemons must reach each other"
    out = cluster.exec_on(
        "na1", ["timeout", "1", "bash", "-c", f"echo >/dev/tcp/{HEAD}/{hub.ports['catalogue']}"]
    )
    assert out.returncode != 0
    answer = hub.request_server("alice", {"profile": "small"})
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    hub.wait_ready("alice")
    token = hub.user_token("alice")
    assert hub.execute("alice", token, "print(6 * 7)").strip() == "42"
    # The session itself reaches the hub's services through the proxy.
    code = (
        "import os, urllib.request as u; r = u.Request(os.environ['NEARFIELD_CATALOGUE_URL'] + "
        "'/datasets', headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}); "
        "print(u.urlopen(r, timeout=20).status)"
    )
    assert hub.execute("alice", token, code).strip() == "200"
    hub.stop_server("alice")
    assert httpx.get(f"{hub.url}/hub/api/", timeout=10).status_code == 200


def test_the_rules_are_gone(cluster: Any, listener: tuple[str, int]) -> None:
    for node in NODES:
        listed = cluster.exec_on(node, ["nft", "list", "tables"]).stdout
        assert TABLE not in listed
    assert answers(*listener)
