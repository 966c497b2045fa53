"""What a driver's tests say of its source, and how the suite asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from nearfield.catalogue import Catalogue
from nearfield.datasets import DataFile, Dataset, DerivedDataset, Principal
from nearfield.errors import UnsupportedQueryError
from nearfield.querying import Query
from nearfield.testing.catalogue_expectations import found_in, refused_filters
from nearfield.testing.catalogue_suite.seed import ALICE, BOB, PEOPLE, SEED

AsUser = Callable[[Principal], Catalogue]


class ContractBase:
    """Yours to override: the fixture ``as_user``, and what your source does by its nature."""

    stable_pages: ClassVar[bool] = True
    """False where the source can only count off: a page after a write may repeat a dataset."""
    ranks: ClassVar[bool] = True
    """False where the source cannot order by relevance and gives its own order."""
    anonymous: ClassVar[bool] = True
    """False where nobody is answered without an account."""
    absent: ClassVar[str] = "absent-404"
    """A PID that the source could have given, and has not."""

    @pytest.fixture
    def as_user(self) -> AsUser:
        """Gives one catalogue, holding ``SEED``, to each user."""
        raise NotImplementedError("override the fixture 'as_user'")

    @pytest.fixture
    def alice(self, as_user: AsUser) -> Catalogue:
        return as_user(ALICE)

    @pytest.fixture
    def bob(self, as_user: AsUser) -> Catalogue:
        return as_user(BOB)

    def held(self, dataset: Dataset) -> Dataset:
        """``dataset`` as this kind of source holds it, without what it has no word for."""
        return dataset

    def named(self, pid: str) -> str:
        """What the source itself calls it. Override where it gives the names."""
        return pid

    def listed(self, dataset: Dataset) -> Dataset:
        """``dataset`` as a page of a search shows it, where that is less than the record."""
        return self.held(dataset)

    def sees(self, user: Principal, dataset: Dataset) -> bool:
        """Does the source show ``dataset`` to this user? Override where records do not tell."""
        return self.held(dataset).access.visible_to(user)

    def prepared(self, wanted: DerivedDataset) -> DerivedDataset:
        """``wanted`` where its files are, for a source that takes their bytes."""
        return wanted

    async def derive(self, catalogue: Catalogue, wanted: DerivedDataset) -> str:
        """Put ``wanted`` where its files are, and derive it."""
        return await catalogue.derive(self.prepared(wanted))

    def kept(self, files: tuple[DataFile, ...]) -> tuple[DataFile, ...]:
        """Files of a result as this kind of source gives them back."""
        return files

    def seen_by(self, who: str) -> list[Dataset]:
        """What of ``SEED`` one of ``PEOPLE`` sees, as the source holds it."""
        return [self.held(dataset) for dataset in SEED if self.sees(PEOPLE[who], dataset)]

    def needs_derive(self, catalogue: Catalogue) -> None:
        """The rest of the test is about results."""
        if not catalogue.capabilities.derive:
            pytest.skip(f"{catalogue.name} takes no derived datasets")

    def source_of(self, catalogue: Catalogue, dataset: Dataset) -> str:
        """What ``dataset`` says of where it came from; a federation tells which of its sources."""
        return catalogue.name

    async def pids(self, catalogue: Catalogue, text: str = "", **conditions: object) -> list[str]:
        """What is found, all on one page."""
        page = await catalogue.search(Query.model_validate({"text": text, **conditions}))
        assert page.total == len(page.datasets)
        assert page.next is None
        for dataset in page.datasets:
            assert dataset.source == self.source_of(catalogue, dataset)
        return [dataset.pid for dataset in page.datasets]

    async def finds(
        self, catalogue: Catalogue, found: list[str], text: str = "", **conditions: object
    ) -> None:
        """``ALICE`` finds just these in SEED; or what of it is in what such a source holds."""
        query = Query.model_validate({"text": text, **conditions})
        await refuses_or_supports(catalogue, query)
        seen = [dataset for dataset in SEED if self.sees(ALICE, dataset)]
        held = [self.held(dataset) for dataset in seen]
        if held != seen or not catalogue.capabilities.finds_words:
            found = found_in(held, query, catalogue.capabilities)
        assert await self.pids(catalogue, text, **conditions) == found
        counts = (await catalogue.facets(query)).counts["type"]
        assert sum(counts.values()) == len(found)

    def assert_held(self, catalogue: Catalogue, found: Dataset, seeded: Dataset) -> None:
        """``found`` is what was seeded, as the source holds it, and bears the source's name."""
        source = self.source_of(catalogue, seeded)
        assert found == self.held(seeded).model_copy(update={"source": source})


async def refuses_or_supports(catalogue: Catalogue, query: Query) -> None:
    """Ends the test where the driver cannot apply ``query``, if it says so as it must."""
    cannot = refused_filters(catalogue.capabilities, query)
    if not cannot:
        return
    for ask in (catalogue.search, catalogue.facets):
        with pytest.raises(UnsupportedQueryError) as refused:
            await ask(query)
        assert set(refused.value.conditions) == cannot
        assert catalogue.name in str(refused.value)
    pytest.skip(f"{catalogue.name} cannot search by {', '.join(sorted(cannot))}, and says so")
