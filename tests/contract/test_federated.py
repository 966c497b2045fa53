"""A federation is a catalogue: two fakes with the contract's datasets split between them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nearfield.catalogue import Catalogue
from nearfield.catalogue._asking import FederatedSource
from nearfield.catalogue.federated import FederatedCatalogue
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


class TestFederated(CatalogueContract):
    @pytest.fixture
    def as_user(self) -> Callable[[Principal], Catalogue]:
        home = FakeStore({dataset.pid: dataset for dataset in HOME})
        far = FakeStore({dataset.pid: dataset for dataset in FAR})

        def make(user: Principal) -> Catalogue:
            return FederatedCatalogue(
                [
                    FederatedSource("home", FakeCatalogue(user, store=home, name="home")),
                    FederatedSource("far", FakeCatalogue(user, store=far, name="far")),
                ]
            )

        return make

    def source_of(self, catalogue: Catalogue, dataset: Dataset) -> str:
        if dataset.type == "derived":
            return dataset.source if dataset.source in ("home", "far") else "nowhere"
        return "far" if dataset.pid in {one.pid for one in FAR} else "home"
