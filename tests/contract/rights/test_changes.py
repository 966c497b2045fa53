"""Rights that change while a session is open: from the next question on, in every part of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.datasets import Access, Dataset
from nearfield.testing.catalogue_contract import EMBARGOED
from rightslab.asking import FAR
from rightslab.sources import Source, on_disk

PARTS = ("", "/files", "/related", "/tree", "/slice?path=/number", "/thumbnail")
LONG_AGO, FAR_OFF = datetime(2000, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def driver() -> str:
    return "service"


@pytest.fixture(params=["stranger"])
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(held: Source) -> CatalogueStore:
    assert held.store is not None
    return held.store


@pytest.fixture
def embargoed(store: CatalogueStore, tmp_path: Path) -> Iterator[Dataset]:
    [found] = [one for one in on_disk(tmp_path) if one.pid == EMBARGOED.pid]
    store.register([found])
    yield found
    store.register([found])


def with_access(dataset: Dataset, **fields: object) -> Dataset:
    access = Access.model_validate({**dataset.access.model_dump(), **fields})
    return dataset.model_copy(update={"access": access})


def statuses(session: httpx.Client, pid: str) -> set[int]:
    return {
        session.get(f"datasets/{pid}{part}{'&' if '?' in part else '?'}source={FAR}").status_code
        for part in PARTS
    }


def found(session: httpx.Client, pid: str) -> bool:
    said = session.get("datasets", params={"q": f"source:{FAR}"}).json()
    return pid in {one["pid"] for one in said["datasets"]}


def test_an_embargo_is_lifted_and_put_back(
    session: httpx.Client, store: CatalogueStore, embargoed: Dataset
) -> None:
    assert statuses(session, embargoed.pid) == {404}
    store.register([with_access(embargoed, embargo_until=LONG_AGO)])
    assert statuses(session, embargoed.pid) == {200}
    assert found(session, embargoed.pid)
    store.register([with_access(embargoed, embargo_until=FAR_OFF)])
    # The server has made a picture of it, and keeps that to itself.
    assert statuses(session, embargoed.pid) == {404}
    assert not found(session, embargoed.pid)
