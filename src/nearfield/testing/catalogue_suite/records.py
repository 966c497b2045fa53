"""One dataset: the whole record, and PIDs of every shape."""

from __future__ import annotations

import pytest

from nearfield.catalogue import Catalogue
from nearfield.errors import DatasetNotFoundError
from nearfield.querying import Query
from nearfield.testing.catalogue_suite.base import ContractBase
from nearfield.testing.catalogue_suite.seed import ALICES, BOBS, CHEMISTS, GUESTS, LAPSED, PUBLIC

_SEEN = (PUBLIC, ALICES, CHEMISTS, GUESTS, LAPSED)


class RecordsContract(ContractBase):
    """What is kept is given back."""

    async def test_get_gives_back_the_whole_record(self, alice: Catalogue) -> None:
        for dataset in _SEEN:
            self.assert_held(alice, await alice.get(dataset.pid), dataset)
            assert await alice.files(dataset.pid) == self.held(dataset).files

    async def test_search_and_get_tell_the_same(self, alice: Catalogue) -> None:
        for found in (await alice.search(Query())).datasets:
            seeded = next(one for one in _SEEN if one.pid == found.pid)
            listed = self.listed(seeded).model_copy(
                update={"source": self.source_of(alice, seeded)}
            )
            assert found == listed

    async def test_a_pid_like_a_route(self, bob: Catalogue) -> None:
        self.assert_held(bob, await bob.get(BOBS.pid), BOBS)
        assert await bob.files(BOBS.pid) == self.held(BOBS).files

    @pytest.mark.parametrize("pid", ["nope/404", "x", "..", "a?b#c%2F", "bob-5"])
    async def test_no_such_dataset(self, alice: Catalogue, pid: str) -> None:
        for ask in (alice.get, alice.files, alice.thumbnail):
            with pytest.raises(DatasetNotFoundError):
                await ask(pid)
