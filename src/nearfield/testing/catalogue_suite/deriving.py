"""Results in the catalogue: once, with all that they name, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from nearfield.catalogue import Catalogue
from nearfield.errors import (
    CatalogueError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    UsageError,
)
from nearfield.testing.catalogue_suite.base import ContractBase
from nearfield.testing.catalogue_suite.seed import (
    ALICES,
    BOBS,
    CHEMISTS,
    PUBLIC,
    WRONG_PATHS,
    a_result,
    result_file,
)


class DerivingContract(ContractBase):
    """What ``derive`` does."""

    async def test_who_takes_no_results_says_so(self, alice: Catalogue) -> None:
        if alice.capabilities.derive:
            assert await self.derive(alice, a_result())
            return
        with pytest.raises(NearfieldError) as refused:
            await alice.derive(a_result())
        assert alice.name in str(refused.value)

    async def test_derive(self, alice: Catalogue) -> None:
        self.needs_derive(alice)
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
        self.needs_derive(alice)
        if alice.capabilities.results_of != "one":
            wanted = a_result("run-inherit1", input_datasets=(PUBLIC.pid, CHEMISTS.pid))
            both = await alice.get(await self.derive(alice, wanted))
            first, second = self.held(PUBLIC), self.held(CHEMISTS)
            assert both.instrument == first.instrument == second.instrument
            assert both.techniques == first.techniques == second.techniques
            # Only one of them tells its facility, and their titles and times are their own.
            assert both.facility is None
            assert both.title == "layer thickness"
            assert both.start_time is None
        of_one = await alice.get(await self.derive(alice, a_result("run-inherit2")))
        held = self.held(ALICES)
        assert (of_one.sample, of_one.instrument) == (held.sample, held.instrument)
        assert of_one.techniques == held.techniques
        assert of_one.title == "layer thickness"
        assert of_one.start_time is None

    async def test_what_the_result_says_itself_wins(self, alice: Catalogue) -> None:
        self.needs_derive(alice)
        wanted = a_result("run-inherit3", techniques=("NXstxm",))
        made = await alice.get(await self.derive(alice, wanted))
        assert made.techniques == ("NXstxm",)
        assert made.sample == self.held(ALICES).sample
        facts = {"sample": "a layer of it", "instrument": "microscope", "keywords": ("thin",)}
        itself = await alice.get(await self.derive(alice, a_result("run-inherit4", **facts)))
        assert (itself.sample, itself.instrument) == ("a layer of it", "microscope")
        assert "thin" in itself.keywords
        assert itself.facility == self.held(ALICES).facility
        # What it says is part of the request.
        with pytest.raises(CatalogueError):
            await self.derive(alice, a_result("run-inherit4", **{**facts, "sample": "another"}))

    async def test_derive_is_idempotent_by_run_id(self, alice: Catalogue) -> None:
        self.needs_derive(alice)
        first = await self.derive(alice, a_result())
        assert await self.derive(alice, a_result()) == first
        assert await self.pids(alice, type="derived") == [first]
        assert await self.derive(alice, a_result("run-00000002")) != first

    async def test_a_run_id_names_one_content(self, alice: Catalogue, bob: Catalogue) -> None:
        self.needs_derive(alice)
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
            *({"files": (result_file("/home/alice/x"), result_file(path))} for path in WRONG_PATHS),
            {"files": (result_file("/"),)},
            {"files": (result_file("/r/a"), result_file("/r/a"))},
            {"files": (result_file("/r/a/b"), result_file("/r/a-b"), result_file("/r/a"))},
            {"files": (result_file("/r/a"), result_file("/r/a.b"), result_file("/r/a/b/c"))},
            {"title": "x" * 1001},
        ),
    )
    async def test_paths_are_absolute_and_normal_and_of_files(
        self, alice: Catalogue, wrong: dict[str, object]
    ) -> None:
        self.needs_derive(alice)
        with pytest.raises(ValidationError):
            a_result("run-00000001", **wrong)
        # The driver does not rely on how the object was made.
        with pytest.raises((UsageError, CatalogueError)):
            await alice.derive(a_result().model_copy(update=wrong))
        assert await self.pids(alice, type="derived") == []

    async def test_names_that_only_look_alike_are_taken(self, alice: Catalogue) -> None:
        self.needs_derive(alice)
        names = ("/r/a", "/r/a-b", "/r/ab", "/r/a.b/c", "/r/...", "/r/..b", "/r/c\n", "/r/\\")
        files = tuple(result_file(name) for name in names)
        wanted = self.prepared(a_result(files=files))
        assert await alice.files(await alice.derive(wanted)) == self.kept(wanted.files)

    @pytest.mark.parametrize("wrong", ["nope/404", BOBS.pid])
    async def test_inputs_must_exist_and_be_visible(self, alice: Catalogue, wrong: str) -> None:
        self.needs_derive(alice)
        with pytest.raises((DatasetNotFoundError, DatasetNotPermittedError)):
            await self.derive(alice, a_result(input_datasets=(ALICES.pid, wrong)))
        assert await self.pids(alice, type="derived") == []
