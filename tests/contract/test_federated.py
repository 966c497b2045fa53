"""A federation is a catalogue: the contract's datasets split between two of a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nearfield.catalogue import (
    Catalogue,
    CatalogueStore,
    FederatedCatalogue,
    FederatedSource,
    SqliteCatalogue,
)
from nearfield.datasets import Dataset, Principal
from nearfield.testing.catalogue_contract import (
    ALICES,
    BOBS,
    SEED,
    CatalogueContract,
)
from nearfield.testing.fake_catalogue import FakeCatalogue, FakeStore

HOME = tuple(dataset for dataset in SEED if dataset not in (ALICES, BOBS))
FAR = (ALICES, BOBS)


class FederatedContract(CatalogueContract):
    """The federation says of each dataset which source gave it."""

    def source_of(self, catalogue: Catalogue, dataset: Dataset) -> str:
        if dataset.type == "derived":
            return dataset.source if dataset.source in ("home", "far") else "nowhere"
        return "far" if dataset.pid in {one.pid for one in FAR} else "home"


class TestFakes(FederatedContract):
    @pytest.fixture
    def as_user(self) -> Callable[[Principal], Catalogue]:
        home = FakeStore({dataset.pid: dataset for dataset in HOME})
        far = FakeStore({dataset.pid: dataset for dataset in FAR})

        def make(user: Principal) -> Catalogue:
            return federation(
                FakeCatalogue(user, store=home, name="home"),
                FakeCatalogue(user, store=far, name="far"),
            )

        return make


class TestSqlite(FederatedContract):
    @pytest.fixture
    def as_user(self, tmp_path: Path) -> Iterator[Callable[[Principal], Catalogue]]:
        stores = [CatalogueStore(tmp_path / f"{name}.sqlite", name) for name in ("home", "far")]
        for store, datasets in zip(stores, (HOME, FAR), strict=True):
            store.register(datasets)

        yield lambda user: federation(*(SqliteCatalogue(store, user) for store in stores))
        for store in stores:
            store.close()


def federation(*catalogues: Catalogue) -> Catalogue:
    # With time enough on a busy machine: what a time-out does is tested elsewhere.
    return FederatedCatalogue([FederatedSource(one.name, one, 60) for one in catalogues])
