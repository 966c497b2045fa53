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
    CHEMISTS,
    GUESTS,
    PUBLIC,
    CatalogueContract,
)
from nearfield.testing.fake_catalogue import FakeCatalogue, FakeStore

HOME = (PUBLIC, CHEMISTS, GUESTS)
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

    def held(self, dataset: Dataset) -> Dataset:
        """The federation says which source gave it."""
        name = "home" if dataset in HOME else "far"
        return dataset.model_copy(update={"source": name})
