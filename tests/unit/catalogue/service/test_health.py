"""``GET health`` says whether the file can be used, not only that a process is there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.service import make_app
from nearfield.catalogue.serving import health


@pytest.fixture
async def asked(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(health, "KEPT", 0.0)
    transport = httpx.ASGITransport(make_app(store, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://c.test") as made:
        assert (await made.get("/health")).json() == {"status": "ok"}
        yield made


async def test_a_file_that_is_gone(asked: httpx.AsyncClient, store: CatalogueStore) -> None:
    moved = store.path.rename(store.path.with_name("moved"))
    said = await asked.get("/health")
    assert (said.status_code, "gone" in said.json()["error"]) == (503, True)
    moved.rename(store.path)
    assert (await asked.get("/health")).status_code == 200


async def test_a_copy_that_was_put_in_its_place(
    asked: httpx.AsyncClient, store: CatalogueStore, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = store.path.with_name("copy")
    store.backup(copy)
    copy.replace(store.path)
    for _ in range(2):
        said = await asked.get("/health")
        assert (said.status_code, "replaced" in said.json()["error"]) == (503, True)
    assert capsys.readouterr().err.count("replaced") == 1
    # Nobody without a token is told where it is.
    assert str(store.path) not in said.text


async def test_a_damaged_file(asked: httpx.AsyncClient, store: CatalogueStore) -> None:
    while not store._readers.empty():
        store._readers.get_nowait().close()
    store.path.with_name(f"{store.path.name}-wal").unlink(missing_ok=True)
    with store.path.open("r+b") as file:
        file.write(b"\xff" * 4096)
    said = await asked.get("/health")
    assert said.status_code == 503
    assert str(store.path) not in said.text


async def test_a_finding_counts_for_a_second(store: CatalogueStore) -> None:
    now = [0.0]
    handle = health.health_handler(store, lambda: now[0])
    assert (await handle(None)).status_code == 200  # type: ignore[arg-type]
    store.path.rename(store.path.with_name("moved"))
    assert (await handle(None)).status_code == 200  # type: ignore[arg-type]
    now[0] = 1.0
    assert (await handle(None)).status_code == 503  # type: ignore[arg-type]
