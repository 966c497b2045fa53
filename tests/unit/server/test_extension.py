"""What is missing keeps no server from starting; the API then says what."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.config import Config, parse_config
from nearfield.errors import BlockedError, ConfigError, SourceLoginError
from nearfield.querying import Facets, Query
from nearfield_server import access
from nearfield_server.access import CatalogueAccess

LIGHT = """
import sys
import nearfield_server
nearfield_server._jupyter_server_extension_points()
heavy = {"pydantic", "httpx", "nearfield.catalogue", "nearfield.config"} & set(sys.modules)
assert not heavy, heavy
"""
ROUTES = """
import sys
import nearfield_server.routes
heavy = {"httpx", "h5py", "numpy", "sqlite3", "nearfield.catalogue", "pint"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("code", [LIGHT, ROUTES], ids=["what enables it", "the routes"])
def test_what_a_start_imports_is_light(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_a_part_that_cannot_be_imported_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bare_server: Callable[[Path], Awaitable[httpx.AsyncClient]],
) -> None:
    monkeypatch.setitem(sys.modules, "nearfield_server.routes", None)
    client = await bare_server(tmp_path)
    for method, path in (("GET", "datasets"), ("GET", "session"), ("POST", "runs")):
        answer = await client.request(method, f"/nearfield/api/{path}")
        assert (answer.status_code, answer.json()["reason"]) == (503, "blocked")
        assert "nearfield_server.routes" in answer.json()["message"]
    # The server itself is none the worse for it.
    assert (await client.get("/api/status")).status_code == 200
    client.cookies.clear()
    nobody = await client.get("/nearfield/api/session", headers={"Authorization": "token no"})
    assert nobody.status_code == 403


class Kept:
    """A catalogue that counts."""

    name = "lab"

    def __init__(self) -> None:
        self.closed = self.counted = 0

    async def facets(self, _query: Any) -> Facets:
        self.counted += 1
        return Facets()

    async def aclose(self) -> None:
        self.closed += 1


class Counting:
    """An opening that is counted."""

    def __init__(self) -> None:
        self.made: list[Kept] = []

    def __call__(self, _config: Config) -> Any:
        self.made.append(Kept())
        return self.made[-1]


async def test_it_is_opened_once_and_anew_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = ["a"]
    monkeypatch.setattr(access, "_stamp", lambda: stamps[-1])
    opening = Counting()
    kept = CatalogueAccess(Config, opening)
    async with kept.catalogue() as first:
        async with kept.catalogue() as second:
            assert first is second
        stamps.append("b")
        async with kept.catalogue() as third:
            assert third is not first
        # Somebody still reads from the old one.
        assert [one.closed for one in opening.made] == [0, 0]
    assert [one.closed for one in opening.made] == [1, 0]
    await kept.aclose()
    assert [one.closed for one in opening.made] == [1, 1]


async def test_it_is_opened_anew_when_its_token_is_refused() -> None:
    opening = Counting()
    kept = CatalogueAccess(Config, opening)
    with pytest.raises(SourceLoginError):
        async with kept.catalogue():
            raise SourceLoginError("lab: log in again")
    async with kept.catalogue():
        pass
    assert [one.closed for one in opening.made] == [1, 0]


async def test_counts_for_completions_are_asked_for_once_a_minute() -> None:
    now = [0.0]
    opening = Counting()
    kept = CatalogueAccess(Config, opening, lambda: now[0])

    async def count() -> None:
        async with kept.counted() as catalogue:
            await catalogue.facets(Query())

    await asyncio.gather(count(), count(), count())
    now[0] = 59.0
    await count()
    assert opening.made[0].counted == 1
    now[0] = 61.0
    await count()
    assert opening.made[0].counted == 2


async def test_a_broken_configuration_is_not_the_users_fault() -> None:
    def broken() -> Config:
        return parse_config("colour: red")

    with pytest.raises(BlockedError, match="colour") as found:
        await CatalogueAccess(broken).config()
    assert isinstance(found.value.__cause__, ConfigError)
