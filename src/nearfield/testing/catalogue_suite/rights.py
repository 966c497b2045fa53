"""The table of rights: owner, group, public, embargoed, anonymous; see, and derive from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from nearfield.catalogue import Catalogue
from nearfield.datasets import Dataset
from nearfield.errors import (
    CatalogueError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
)
from nearfield.querying import Query
from nearfield.testing.catalogue_expectations import facets_of
from nearfield.testing.catalogue_suite.base import AsUser, ContractBase, refuses_or_supports
from nearfield.testing.catalogue_suite.seed import (
    ALICE,
    ALICES,
    ANONYMOUS,
    BOBS,
    CHEMISTS,
    EMBARGOED,
    GUESTS,
    PEOPLE,
    PUBLIC,
    SEED,
    SEEN_BY,
    a_result,
)

HIDDEN = (DatasetNotFoundError, DatasetNotPermittedError)
CELLS = [
    pytest.param(who, number, id=f"{who}-{dataset.pid.partition('/')[0]}")
    for who in PEOPLE
    for number, dataset in enumerate(SEED)
]


class RightsContract(ContractBase):
    """Who sees what and may derive from it, wherever it is asked."""

    def may_derive(self, who: str, dataset: Dataset) -> bool:
        """Override where a source asks for more than to see all inputs."""
        return who != "anonymous" and dataset in self.seen_by(who)

    def asking(self, as_user: AsUser, who: str) -> Catalogue:
        if who == "anonymous" and not self.anonymous:
            pytest.skip("this source answers nobody without an account")
        return as_user(PEOPLE[who])

    def test_the_table(self) -> None:
        if self.held(EMBARGOED) == EMBARGOED:
            for who in PEOPLE:
                assert tuple(self.seen_by(who)) == SEEN_BY[who]

    @pytest.mark.parametrize("who", sorted(PEOPLE))
    async def test_what_is_found(self, as_user: AsUser, who: str) -> None:
        catalogue, seen = self.asking(as_user, who), self.seen_by(who)
        assert set(await self.pids(catalogue)) == {one.pid for one in seen}
        facets = await catalogue.facets(Query())
        for name in ("type", "technique", "instrument", "format"):
            assert facets[name] == facets_of(seen, name)

    @pytest.mark.parametrize(("who", "number"), CELLS)
    async def test_what_is_shown(self, as_user: AsUser, who: str, number: int) -> None:
        catalogue, dataset = self.asking(as_user, who), self.held(SEED[number])
        if dataset in self.seen_by(who):
            assert (await catalogue.get(dataset.pid)).pid == dataset.pid
            assert await catalogue.files(dataset.pid) == dataset.files
            assert await catalogue.thumbnail(dataset.pid) is None
            return
        for ask in (catalogue.get, catalogue.files, catalogue.thumbnail):
            with pytest.raises(HIDDEN) as refused:
                await ask(dataset.pid)
            assert str(dataset.title) not in str(refused.value)

    @pytest.mark.parametrize(("who", "number"), CELLS)
    async def test_what_may_be_derived_from(self, as_user: AsUser, who: str, number: int) -> None:
        catalogue, dataset = self.asking(as_user, who), self.held(SEED[number])
        self.needs_derive(catalogue)
        wanted = a_result(f"run-of-{who}", input_datasets=(dataset.pid,))
        if self.may_derive(who, dataset):
            made = await catalogue.get(await self.derive(catalogue, wanted))
            assert made.input_datasets == (dataset.pid,)
            return
        with pytest.raises(NearfieldError):
            await self.derive(catalogue, wanted)
        assert await self.pids(as_user(PEOPLE["admin"]), type="derived") == []

    async def test_what_is_hidden_is_told_as_what_is_not_there(self, as_user: AsUser) -> None:
        """That something exists is already a word about it."""
        alice, hidden = as_user(ALICE), BOBS.pid

        async def told(work: Callable[[str], Awaitable[object]], pid: str) -> tuple[str, str]:
            with pytest.raises(HIDDEN) as refused:
                await work(pid)
            said = str(refused.value).replace(self.named(pid), "PID")
            return type(refused.value).__name__, said

        for ask in (alice.get, alice.files, alice.thumbnail):
            assert await told(ask, hidden) == await told(ask, self.absent)
        self.needs_derive(alice)

        async def derive(pid: str) -> object:
            return await self.derive(alice, a_result(input_datasets=(ALICES.pid, pid)))

        assert await told(derive, hidden) == await told(derive, self.absent)

    async def test_nobody_derives_without_an_account(self, as_user: AsUser) -> None:
        with pytest.raises(NearfieldError):
            await self.derive(as_user(ANONYMOUS), a_result(input_datasets=(PUBLIC.pid,)))

    async def test_nobody_is_answered_where_an_account_is_needed(self, as_user: AsUser) -> None:
        if self.anonymous:
            pytest.skip("this source answers everybody")
        for ask in (as_user(ANONYMOUS).search, as_user(ANONYMOUS).facets):
            with pytest.raises(CatalogueError):
                await ask(Query())

    @pytest.mark.parametrize("condition", [{"text": "vanadium"}, {"proposal": "P-1234"}])
    async def test_a_condition_opens_nothing(
        self, as_user: AsUser, condition: dict[str, str]
    ) -> None:
        await refuses_or_supports(as_user(ALICE), Query.model_validate(condition))
        assert BOBS.pid not in await self.pids(as_user(ALICE), **condition)

    async def test_a_result_is_no_more_public_than_its_inputs(
        self, alice: Catalogue, bob: Catalogue
    ) -> None:
        self.needs_derive(alice)
        private = a_result("run-private", input_datasets=(PUBLIC.pid, ALICES.pid))
        shared = a_result("run-shared1", input_datasets=(CHEMISTS.pid, GUESTS.pid))
        public = await self.derive(alice, a_result("run-public1", input_datasets=(PUBLIC.pid,)))
        if alice.capabilities.results_of == "one":
            for mixed in (private, shared):
                with pytest.raises(CatalogueError):
                    await self.derive(alice, mixed)
            own = await self.derive(alice, a_result("run-private"))
            made = {own, public}
        else:
            last = await self.derive(alice, shared)
            made = {await self.derive(alice, private), last, public}
            access = (await alice.get(last)).access
            shown = {"chemists"} if alice.capabilities.results_of == "groups" else set()
            assert {access.owner_group, *access.access_groups} - {None} == shown
            assert access.owner == "alice"
        assert set(await self.pids(bob, type="derived")) == {public}
        assert set(await self.pids(alice, type="derived")) == made

    async def test_an_embargo_is_inherited(self, as_user: AsUser) -> None:
        """What was made from data under embargo is under embargo."""
        bob = as_user(PEOPLE["bob"])
        self.needs_derive(bob)
        await self.derive(bob, a_result(input_datasets=(EMBARGOED.pid,)))
        assert await self.pids(as_user(ALICE), type="derived") == []
