"""Where a session listens: its port range, its address, and who was there first."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nearfield.config import Cluster, Config, HardwareConfig, ProfileConfig, parse_config
from nearfield.errors import ConfigError
from nearfield.scheduler import SessionTask
from nearfield.scheduler.node import ports
from nearfield.scheduler.node.session import NotStarted
from nearfield.scheduler.sessions import session_spec


@pytest.fixture
def held() -> Iterator[int]:
    """A port that somebody listens on, with a free one after it."""
    for _ in range(50):
        with socket.create_server(("127.0.0.1", 0)) as mine:
            port = int(mine.getsockname()[1])
            if port < 65535 and not ports.taken("127.0.0.1", port + 1):
                yield port
                return
    raise AssertionError("no two ports in a row")


@pytest.mark.enable_socket
def test_a_port_of_the_range_that_nobody_listens_on(held: int) -> None:
    for _ in range(20):
        assert ports.free_port("127.0.0.1", (held, held + 1)) == held + 1
    # Somebody who listens on one address alone still has the port.
    assert ports.free_port("0.0.0.0", (held, held + 1)) == held + 1


@pytest.mark.enable_socket
def test_a_range_that_is_used_up_is_a_reason(held: int) -> None:
    with pytest.raises(NotStarted, match=f"no free port in {held}-{held} on ") as caught:
        ports.free_port("127.0.0.1", (held, held))
    assert caught.value.record["reason"] == "port"
    with pytest.raises(NotStarted, match="no free port in"):
        ports.free_port("127.0.0.1", (held, held + 1), tried=[held + 1])


@pytest.mark.enable_socket
def test_an_address_of_somebody_else_is_a_reason() -> None:
    for given in (None, (20000, 20010)):
        with pytest.raises(NotStarted, match=r"cannot listen at 192\.0\.2\.1 on "):
            ports.free_port("192.0.2.1", given)


def test_a_name_is_looked_up_on_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(name: str, *_: object, **__: object) -> list[object]:
        asked.append(name)
        if name == "na1-ib":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 0))]
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("SLURMD_NODENAME", "na1")
    assert ports.own_address("0.0.0.0") == "0.0.0.0"
    assert ports.own_address("{node}-ib") == "10.0.0.7"
    with pytest.raises(NotStarted, match=r"na1\.x is no address on this node"):
        ports.own_address("{node}.x")
    assert asked == ["na1-ib", "na1.x"]


def test_the_clusters_network_is_the_sessions() -> None:
    cluster = Cluster.model_validate({"ports": {"least": 20000, "most": 20999}, "bind": "{node}"})
    config = Config(
        clusters={"lab": cluster},
        hardware={"small": HardwareConfig(cluster="lab")},
        profiles={"p": ProfileConfig(environment="default", hardware="small")},
    )
    task = session_spec(config, name="nearfield-1", user="a", profile_name="p").task
    assert isinstance(task, SessionTask)
    assert (task.ports, task.bind_address) == ((20000, 20999), "{node}")
    assert 20000 in cluster.ports
    assert 21000 not in cluster.ports


@pytest.mark.parametrize(
    "settings",
    [
        "{ports: {least: 80, most: 90}}",
        "{ports: {least: 3000, most: 2000}}",
        "{ports: {least: 3000, most: 70000}}",
        "{bind: 'a b'}",
        "{bind: '-x'}",
    ],
)
def test_no_network(settings: str) -> None:
    with pytest.raises(ConfigError, match=r"clusters\.local"):
        parse_config(f"clusters: {{local: {settings}}}")
