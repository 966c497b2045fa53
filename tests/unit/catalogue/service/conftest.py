"""The service over a fake hub, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._hub_auth import (
    HubAuthenticator,
)
from nearfield.catalogue.service import make_app
from nearfield.testing.catalogue_contract import SEED
from nearfield.testing.fake_hub import PREFIX, FakeHub


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
async def authenticator(hub: FakeHub, clock: list[float]) -> AsyncIterator[HubAuthenticator]:
    made = HubAuthenticator(
        "http://hub.test/hub/api",
        "own-token",
        transport=httpx.MockTransport(hub),
        clock=lambda: clock[0],
        groups_of=lambda name: frozenset({"unix"} if name == "alice" else ()),
    )
    yield made
    await made.aclose()


@pytest.fixture
async def client(
    store: CatalogueStore, authenticator: HubAuthenticator
) -> AsyncIterator[httpx.AsyncClient]:
    store.register(SEED)
    transport = httpx.ASGITransport(make_app(store, authenticator, PREFIX + "/"))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://c.test{PREFIX}") as made:
        made.headers["authorization"] = "Bearer alice-token"
        yield made
