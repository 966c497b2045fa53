"""What every catalogue driver must do. Subclass it, say how to make one, and collect it.

::

    class TestMine(CatalogueContract):
        @pytest.fixture
        async def as_user(self):
            ...  # hold SEED
            yield lambda principal: MyCatalogue(...)

A source that by its nature holds less, or finds words otherwise, says so in ``capabilities`` and in
:meth:`CatalogueContract.held`; what it then must find is worked out from that by
:mod:`nearfield.testing.catalogue_expectations`, as strictly as it is written here for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from nearfield.catalogue import Catalogue
from nearfield.datasets import Access, DataFile, Dataset, DerivedDataset, Principal
from nearfield.errors import (
    CatalogueError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    UnsupportedQueryError,
    UsageError,
)
from nearfield.querying import Query
from nearfield.testing.catalogue_expectations import facets_of, found_in, refused_filters
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

ALICE = Principal(name="alice", groups=frozenset({"chemists"}))
BOB = Principal(name="bob", groups=frozenset({"physicists", "guests"}))
ADMIN = Principal(name="root", admin=True)

PUBLIC = synthetic_dataset(
    1,
    pid="public-1",
    title="Silver behenate, calibration",
    techniques=("NXsas",),
    instrument="SAXS-1",
    facility="Müller-Straße Source",
    access=Access(owner="carol", public=True),
)
ALICES = synthetic_dataset(
    2,
    pid="alice-2",
    title="X-ray reflectivity of a thin film",
    techniques=("X-ray reflectivity", "NXrefscan"),
    instrument="P08",
    sample="pentacene",
    access=Access(owner="alice"),
)
CHEMISTS = synthetic_dataset(
    3,
    pid="20.500/chem/3",
    title='odd "words": AND OR NOT near(*) -x',
    techniques=("NXsas",),
    instrument="SAXS-1",
    access=Access(owner="dora", owner_group="chemists"),
)
GUESTS = synthetic_dataset(
    4,
    pid="guests-4",
    title=None,
    description="a field of a dipole",
    format="openPMD",
    instrument=None,
    keywords=("magnet",),
    start_time=None,
    access=Access(owner="dora", owner_group="dorasgroup", access_groups=("guests", "chemists")),
)
BOBS = synthetic_dataset(
    5,
    pid="bob-5/files",
    title="vanadium at 300 K",
    proposal="P-1234",
    # A time without a zone, as old files have it.
    start_time=datetime(2024, 1, 6, 12),  # noqa: DTZ001
    access=Access(owner="bob", owner_group="physicists"),
)
SEED: tuple[Dataset, ...] = (PUBLIC, ALICES, CHEMISTS, GUESTS, BOBS)


FACETS = ("type", "technique", "instrument", "format")
WRONG_PATHS = ("", "r/x", "./x", "../x", "/r/../x", "/r/./x", "/r//x", "//r/x", "/r/", "/r/x\0y")


def _file(path: str) -> DataFile:
    return DataFile(path=path, size=1, mtime=DAY_ONE, role="result")


def a_result(run_id: str = "run-00000001", **fields: object) -> DerivedDataset:
    """A result of alice's dataset."""
    values: dict[str, object] = {
        "run_id": run_id,
        "title": "layer thickness",
        "input_datasets": (ALICES.pid,),
        "source_folder": "/home/alice/results",
        "files": (
            DataFile(
                path="/home/alice/results/out.h5",
                size=12,
                mtime=DAY_ONE,
                sha256="0" * 64,
                role="result",
            ),
        ),
        "used_software": ("nearfield",),
        "job_parameters": {"q_max": 0.15, "nested": {"list": [1, "é", None]}},
    }
    return DerivedDataset.model_validate({**values, **fields})


class CatalogueContract:
    """The suite. ``as_user`` is yours: it gives one catalogue, holding ``SEED``, to each user."""

    @pytest.fixture
    def as_user(self) -> Callable[[Principal], Catalogue]:
        raise NotImplementedError("override the fixture 'as_user'")

    @pytest.fixture
    def alice(self, as_user: Callable[[Principal], Catalogue]) -> Catalogue:
        return as_user(ALICE)

    @pytest.fixture
    def bob(self, as_user: Callable[[Principal], Catalogue]) -> Catalogue:
        return as_user(BOB)

    def held(self, dataset: Dataset) -> Dataset:
        """``dataset`` as this kind of source holds it, without what it has no word for."""
        return dataset

    def prepared(self, wanted: DerivedDataset) -> DerivedDataset:
        """``wanted`` where its files are, for a source that takes their bytes."""
        return wanted

    async def derive(self, catalogue: Catalogue, wanted: DerivedDataset) -> str:
        """Put ``wanted`` where its files are, and derive it."""
        return await catalogue.derive(self.prepared(wanted))

    def kept(self, files: tuple[DataFile, ...]) -> tuple[DataFile, ...]:
        """Files of a result as this kind of source gives them back."""
        return files

    @staticmethod
    async def pids(catalogue: Catalogue, text: str = "", **conditions: object) -> list[str]:
        query = Query.model_validate({"text": text, **conditions})
        page = await catalogue.search(query)
        assert page.total == len(page.datasets)
        return [dataset.pid for dataset in page.datasets]

    async def finds(
        self, catalogue: Catalogue, found: list[str], text: str = "", **conditions: object
    ) -> None:
        """``ALICE`` finds just these in SEED; or what of it is in what such a source holds."""
        query = Query.model_validate({"text": text, **conditions})
        if refused_filters(catalogue.capabilities, query):
            for ask in (catalogue.search, catalogue.facets):
                with pytest.raises(UnsupportedQueryError):
                    await ask(query)
            return
        held = [self.held(dataset) for dataset in SEED]
        if tuple(held) != SEED or not catalogue.capabilities.finds_words:
            found = found_in(held, ALICE, query, catalogue.capabilities)
        assert await self.pids(catalogue, text, **conditions) == found

    def test_is_a_catalogue(self, alice: Catalogue) -> None:
        assert isinstance(alice, Catalogue)
        assert alice.name

    async def test_newest_first_and_those_without_a_time_last(self, alice: Catalogue) -> None:
        assert await self.pids(alice) == [CHEMISTS.pid, ALICES.pid, PUBLIC.pid, GUESTS.pid]

    async def test_rights_count_in_totals_and_facets(self, bob: Catalogue) -> None:
        assert set(await self.pids(bob)) == {PUBLIC.pid, GUESTS.pid, BOBS.pid}
        facets = await bob.facets(Query())
        visible = [self.held(dataset) for dataset in SEED if dataset.access.visible_to(BOB)]
        assert len(visible) == 3
        for name in FACETS:
            assert facets[name] == facets_of(visible, name)

    async def test_an_admin_sees_all(self, as_user: Callable[[Principal], Catalogue]) -> None:
        assert len(await self.pids(as_user(ADMIN))) == len(SEED)

    async def test_facets_count_matches_only(self, alice: Catalogue) -> None:
        facets = await alice.facets(Query(text="film"))
        for name in FACETS:
            assert facets[name] == facets_of([self.held(ALICES)], name)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("reflectivity", [ALICES.pid]),
            ("REFLECT", [ALICES.pid]),
            ("film thin", [ALICES.pid]),
            ("film vanadium", []),
            ("x-ray", [ALICES.pid]),
            ("pentacene", [ALICES.pid]),
            ("nxsas", [CHEMISTS.pid, PUBLIC.pid]),
            ("muller strasse", []),
            ("Müller", [PUBLIC.pid]),
            ("muller", [PUBLIC.pid]),
            ("openpmd", [GUESTS.pid]),
            ("magnet dipole", [GUESTS.pid]),
            ("SAXS-1 silver", [PUBLIC.pid]),
            ("scan_00002", [ALICES.pid]),
            ("vanadium", []),
            ("hene", []),
        ],
    )
    async def test_every_word_must_begin_a_word(
        self, alice: Catalogue, text: str, found: list[str]
    ) -> None:
        await self.finds(alice, found, text)

    @pytest.mark.parametrize(
        "text",
        (
            *('"', '""', "*", "-", "film*", "(film", "film)", "AND", "NOT film", "film OR"),
            *("^film", "title:film", "film + film", "NEAR(film)", "a\0b", "☃"),
            "'; DROP TABLE dataset; --",
        ),
    )
    async def test_no_text_is_a_syntax_error(self, alice: Catalogue, text: str) -> None:
        page = await alice.search(Query(text=text))
        assert page.total <= 4
        await alice.facets(Query(text=text))

    async def test_operators_are_words(self, alice: Catalogue) -> None:
        await self.finds(alice, [CHEMISTS.pid], "AND")
        await self.finds(alice, [CHEMISTS.pid], '"words" NOT')
        await self.finds(alice, [CHEMISTS.pid], "near(")

    async def test_a_flood_of_words_is_refused(self, alice: Catalogue) -> None:
        with pytest.raises(UsageError):
            await alice.search(Query(text="x " * 500))

    async def test_filters_hold_together(self, alice: Catalogue) -> None:
        await self.finds(alice, [CHEMISTS.pid, PUBLIC.pid], technique="NXsas")
        await self.finds(alice, [], technique="NX")
        await self.finds(alice, [PUBLIC.pid], technique="NXsas", text="silver")
        await self.finds(alice, [ALICES.pid], instrument="P08")
        await self.finds(alice, [], instrument="P08", type="derived")

    async def test_times(self, alice: Catalogue, bob: Catalogue) -> None:
        second = DAY_ONE + timedelta(days=2)
        await self.finds(alice, [CHEMISTS.pid, ALICES.pid], since=second)
        await self.finds(alice, [ALICES.pid, PUBLIC.pid], until=second)
        await self.finds(alice, [ALICES.pid], since=second, until=second)
        # Without a zone on either side a time counts as UTC, and is given back without one.
        noon = datetime(2024, 1, 6, 12)  # noqa: DTZ001
        assert await self.pids(bob, since=noon, until=noon) == [BOBS.pid]
        assert (await bob.get(BOBS.pid)).start_time == self.held(BOBS).start_time

    async def test_pages_are_parts_of_one_order(self, alice: Catalogue) -> None:
        whole = await self.pids(alice)
        seen: list[str] = []
        for offset in range(0, 6, 3):
            page = await alice.search(Query(limit=3, offset=offset))
            assert (page.total, page.offset) == (4, offset)
            seen += [dataset.pid for dataset in page.datasets]
        assert seen == whole

    async def test_get_gives_back_the_whole_record(self, alice: Catalogue) -> None:
        for dataset in (PUBLIC, ALICES, CHEMISTS, GUESTS):
            held = self.held(dataset)
            assert await alice.get(dataset.pid) == held
            assert await alice.files(dataset.pid) == held.files

    async def test_a_pid_like_a_route(self, bob: Catalogue) -> None:
        held = self.held(BOBS)
        assert await bob.get(BOBS.pid) == held
        assert await bob.files(BOBS.pid) == held.files

    @pytest.mark.parametrize("pid", ["nope/404", "x", "..", "a?b#c%2F", "bob-5"])
    async def test_no_such_dataset(self, alice: Catalogue, pid: str) -> None:
        with pytest.raises(DatasetNotFoundError):
            await alice.get(pid)
        with pytest.raises(DatasetNotFoundError):
            await alice.files(pid)

    async def test_a_hidden_dataset_is_not_given(self, alice: Catalogue) -> None:
        for ask in (alice.get, alice.files):
            with pytest.raises((DatasetNotFoundError, DatasetNotPermittedError)) as refused:
                await ask(BOBS.pid)
            assert "vanadium" not in str(refused.value)

    async def test_derive(self, alice: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        wanted = self.prepared(a_result())
        before = datetime.now(UTC) - timedelta(minutes=5)
        pid = await alice.derive(wanted)
        made = await alice.get(pid)
        assert made.type == "derived"
        assert (made.run_id, made.title) == (wanted.run_id, wanted.title)
        assert made.input_datasets == wanted.input_datasets
        assert made.job_parameters == wanted.job_parameters
        assert made.files == self.kept(wanted.files)
        assert made.size == 12
        assert made.created is not None
        assert made.created > before
        assert await self.pids(alice, input_dataset=ALICES.pid) == [pid]
        assert await self.pids(alice, "thickness", type="derived") == [pid]

    async def test_what_holds_for_all_inputs_holds_for_the_result(self, alice: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        of_two = await alice.derive(
            a_result("run-inherit1", input_datasets=(PUBLIC.pid, CHEMISTS.pid))
        )
        both = await alice.get(of_two)
        assert both.instrument == PUBLIC.instrument == CHEMISTS.instrument
        assert both.techniques == ("NXsas",)
        # Only one of them tells its facility, and their titles and times are their own.
        assert both.facility is None
        assert both.title == "layer thickness"
        assert both.start_time is None
        of_one = await alice.get(await alice.derive(a_result("run-inherit2")))
        assert (of_one.sample, of_one.instrument) == (ALICES.sample, ALICES.instrument)
        assert of_one.techniques == ALICES.techniques

    async def test_what_the_result_says_itself_wins(self, alice: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        made = await alice.get(await alice.derive(a_result("run-inherit3", techniques=("NXstxm",))))
        assert made.techniques == ("NXstxm",)
        assert made.sample == ALICES.sample

    async def test_derive_is_idempotent_by_run_id(self, alice: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        first = await self.derive(alice, a_result())
        assert await self.derive(alice, a_result()) == first
        assert await self.pids(alice, type="derived") == [first]
        assert await self.derive(alice, a_result("run-00000002")) != first

    async def test_a_run_id_names_one_content(self, alice: Catalogue, bob: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        first = await self.derive(alice, a_result())
        with pytest.raises(CatalogueError):
            await self.derive(alice, a_result(title="something else"))
        others = a_result(input_datasets=(PUBLIC.pid,))
        if alice.capabilities.run_ids == "user":
            # Nobody is told that somebody else's exists, and nothing of it is touched.
            assert await self.derive(bob, others) != first
            assert (await alice.get(first)).title == a_result().title
        else:
            with pytest.raises(CatalogueError):
                await self.derive(bob, others)

    @pytest.mark.parametrize(
        "wrong",
        (
            *({"source_folder": path} for path in WRONG_PATHS),
            *({"files": (_file("/home/alice/x"), _file(path))} for path in WRONG_PATHS),
            {"files": (_file("/"),)},
            {"files": (_file("/r/a"), _file("/r/a"))},
            {"files": (_file("/r/a/b"), _file("/r/a-b"), _file("/r/a"))},
            {"files": (_file("/r/a"), _file("/r/a.b"), _file("/r/a/b/c"))},
            {"title": "x" * 1001},
        ),
    )
    async def test_paths_are_absolute_and_normal_and_of_files(
        self, alice: Catalogue, wrong: dict[str, object]
    ) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        with pytest.raises(ValidationError):
            a_result("run-00000001", **wrong)
        # The driver does not rely on how the object was made.
        with pytest.raises((UsageError, CatalogueError)):
            await alice.derive(a_result().model_copy(update=wrong))
        assert await self.pids(alice, type="derived") == []

    async def test_names_that_only_look_alike_are_taken(self, alice: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        names = ("/r/a", "/r/a-b", "/r/ab", "/r/a.b/c", "/r/...", "/r/..b", "/r/c\n", "/r/\\")
        files = tuple(_file(name) for name in names)
        wanted = self.prepared(a_result(files=files))
        assert await alice.files(await alice.derive(wanted)) == self.kept(wanted.files)

    @pytest.mark.parametrize("wrong", ["nope/404", BOBS.pid])
    async def test_inputs_must_exist_and_be_visible(self, alice: Catalogue, wrong: str) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        with pytest.raises((DatasetNotFoundError, DatasetNotPermittedError)):
            await self.derive(alice, a_result(input_datasets=(ALICES.pid, wrong)))
        assert await self.pids(alice, type="derived") == []

    async def test_a_result_is_no_more_public_than_its_inputs(
        self, alice: Catalogue, bob: Catalogue
    ) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
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
