"""Whose names a session's certificate bears, and how it reaches the session."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nearfield.errors import BlockedError, NearfieldError, SchedulerUnavailableError
from nearfield.scheduler.commands import Result
from nearfield.scheduler.policy import ENVIRONMENT
from nearfield_spawners import certificates
from nearfield_spawners.certificates import certificate_texts, node_alt_names


class Queries:
    def __init__(self, out: str, code: int = 0) -> None:
        self.out, self.code, self.asked = out, code, 0

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        self.asked += 1
        assert (command, *args) == ("sinfo", "-h", "-N", "-o", "%N")
        return Result(self.code, self.out, "")


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_known", {})


def scheduler(queries: Any) -> Any:
    return SimpleNamespace(cluster="lab", queries=queries)


async def test_the_names_of_all_nodes_asked_for_once() -> None:
    queries = Queries("na2\nna1\nna1\n")
    assert await node_alt_names(scheduler(queries), "{node}") == ["DNS:na1", "DNS:na2"]
    assert await node_alt_names(scheduler(queries), "{node}-ib") == ["DNS:na1-ib", "DNS:na2-ib"]
    assert queries.asked == 1


async def test_a_domain_needs_no_list() -> None:
    queries = Queries("", 1)
    found = await node_alt_names(scheduler(queries), "{node}.cluster.example")
    assert found == ["DNS:*.cluster.example"]
    assert await node_alt_names(scheduler(queries), "10.0.0.7") == ["IP:10.0.0.7"]
    assert await node_alt_names(SimpleNamespace(cluster="local"), "{node}") == ["IP:127.0.0.1"]  # type: ignore[arg-type]
    assert queries.asked == 0


async def test_a_cluster_that_does_not_say() -> None:
    for queries in (Queries("", 1), Queries(""), Queries("-x ../y\n")):
        with pytest.raises(SchedulerUnavailableError, match="which nodes"):
            await node_alt_names(scheduler(queries), "{node}")
    many = Queries("\n".join(f"n{i}" for i in range(3001)))
    with pytest.raises(BlockedError, match="too many") as caught:
        await node_alt_names(scheduler(many), "{node}")
    assert "{node}.cluster.example" in str(caught.value.hint)


async def test_key_and_certificates_travel_as_texts(tmp_path: Path) -> None:
    paths = {}
    for kind in ("keyfile", "certfile", "cafile"):
        (tmp_path / kind).write_text(f"the {kind}")
        paths[kind] = str(tmp_path / kind)
    texts = await certificate_texts(paths)
    assert texts == {
        "NEARFIELD_TLS_KEY": "the keyfile",
        "NEARFIELD_TLS_CERT": "the certfile",
        "NEARFIELD_TLS_CA": "the cafile",
    }
    assert not texts.keys() & ENVIRONMENT
    with pytest.raises(NearfieldError, match="cannot be read"):
        await certificate_texts({})
