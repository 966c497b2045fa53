"""A SciCat with what the contract suite seeds; every request is held to the published document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.datasets import Principal
from nearfield.testing.catalogue_contract import ALICE
from nearfield.testing.fake_scicat import FakeSciCat
from sourcelab.scicat import asking, checked, filled

Asking = Callable[..., SciCatCatalogue]


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path / "home"))


@pytest.fixture
def scicat() -> FakeSciCat:
    return filled()


@pytest.fixture
async def ask(scicat: FakeSciCat) -> AsyncIterator[Asking]:
    """Catalogues that ask ``scicat`` (or another one) as alice (or somebody else)."""
    made: list[SciCatCatalogue] = []

    def make(
        user: Principal = ALICE, fake: FakeSciCat | None = None, **settings: Any
    ) -> SciCatCatalogue:
        made.append(asking(user, checked(fake or scicat), **settings))
        made[-1]._writer.sleep = _at_once
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


async def _at_once(seconds: float) -> None:
    """Nobody waits in a unit test; the others get on with their work."""
    for _ in range(50):
        await asyncio.sleep(0)
