"""Results in an ICAT: whole and once, with the rights of the server."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from nearfield.catalogue.icat import IcatCatalogue
from nearfield.datasets import DataFile
from nearfield.errors import (
    BlockedError,
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotPermittedError,
    UsageError,
)
from nearfield.testing.catalogue_contract import ALICE, BOB, PUBLIC, a_result
from nearfield.testing.fake_icat import FakeIcat
from nearfield.testing.synthetic import DAY_ONE
from sourcelab.icat import PIDS, Token, driver, filled, settings


class Killed(BaseException):
    """The client is gone, at once."""


def results(icat: FakeIcat) -> list[str]:
    return [
        PIDS.of(row["id"])
        for row in icat.store.tables["Dataset"].values()
        if row["name"].startswith("nearfield-")
    ]


async def test_killed_at_any_request_the_next_attempt_ends_it() -> None:
    number, done = 0, False
    while not done:
        number += 1
        icat, names = filled()
        wanted = a_result(input_datasets=(names["alice-2"],))
        seen = 0

        def answer(
            request: httpx.Request, icat: FakeIcat = icat, last: int = number
        ) -> httpx.Response:
            nonlocal seen
            seen += 1
            found = icat.answer(request)
            if seen == last:
                raise Killed
            return found

        mortal = IcatCatalogue.from_settings(
            "icat",
            settings(),
            token=Token("token-of-alice"),
            transport=httpx.MockTransport(answer),
        )
        try:
            await mortal.derive(wanted)
            done = True
        except Killed:
            pass
        catalogue = driver(ALICE, icat)
        pid = await catalogue.derive(wanted)
        assert results(icat) == [pid]
        assert len(icat.store.tables["Job"]) == 1
        made = await catalogue.get(pid)
        assert made.input_datasets == (names["alice-2"],)
        assert made.files == wanted.files
    assert number > 8


async def test_two_attempts_at_once_make_one() -> None:
    icat, names = filled()
    wanted = a_result(input_datasets=(names["alice-2"],))
    found = await asyncio.gather(*(driver(ALICE, icat).derive(wanted) for _ in range(4)))
    assert results(icat) == [found[0]]
    assert set(found) == {found[0]}
    assert len(icat.store.tables["Job"]) == 1
    # Who came late has cleaned up.
    assert len(icat.store.tables["DataCollection"]) == 2


async def test_a_lost_answer_is_found_again() -> None:
    icat, names = filled()
    wanted = a_result(input_datasets=(names["alice-2"],))

    def answer(request: httpx.Request) -> httpx.Response:
        found = icat.answer(request)
        if b"Job" in request.content:
            raise httpx.ReadError("gone")
        return found

    broken = IcatCatalogue.from_settings(
        "icat", settings(), token=Token("token-of-alice"), transport=httpx.MockTransport(answer)
    )
    with pytest.raises(CatalogueUnavailableError, match="icat"):
        await broken.derive(wanted)
    assert results(icat) == [await driver(ALICE, icat).derive(wanted)]


async def test_without_the_right_nothing_is_written() -> None:
    icat, names = filled()
    icat.writers = set()
    with pytest.raises(DatasetNotPermittedError, match="icat: you may not create"):
        await driver(ALICE, icat).derive(a_result(input_datasets=(names["alice-2"],)))
    assert results(icat) == []
    assert not icat.store.tables["Job"]


async def test_the_right_to_write_ends_where_reading_does() -> None:
    icat, names = filled()
    pid = await driver(BOB, icat).derive(a_result(input_datasets=(names[PUBLIC.pid],)))
    assert (await driver(ALICE, icat).get(pid)).access.owner == "oidc/bob"
    with pytest.raises(CatalogueError, match="taken"):
        await driver(ALICE, icat).derive(a_result(input_datasets=(names[PUBLIC.pid],), title="x"))


async def test_inputs_of_two_investigations() -> None:
    icat, names = filled()
    inputs = (names["alice-2"], names[PUBLIC.pid])
    with pytest.raises(CatalogueError, match="2 investigations"):
        await driver(ALICE, icat).derive(a_result(input_datasets=inputs))
    assert results(icat) == []


@pytest.mark.parametrize(
    ("fields", "missing"),
    [({}, "nearfield_run"), ({"result_type": "cooked"}, "cooked"), ({"result_type": "x"}, "x")],
)
async def test_a_facility_that_is_not_prepared(fields: dict[str, str], missing: str) -> None:
    icat, names = filled(prepared=bool(fields))
    with pytest.raises(BlockedError, match=missing):
        await driver(ALICE, icat, **fields).derive(a_result(input_datasets=(names["alice-2"],)))
    assert results(icat) == []
    assert not icat.store.tables["DataCollection"]


async def test_where_results_are_not_wanted() -> None:
    icat, names = filled()
    catalogue = driver(ALICE, icat, write=False)
    assert not catalogue.capabilities.derive
    with pytest.raises(BlockedError, match="icat"):
        await catalogue.derive(a_result(input_datasets=(names["alice-2"],)))


async def test_what_is_too_long_for_icat_is_left_out_and_said() -> None:
    icat, names = filled()
    catalogue = driver(ALICE, icat)
    pid = await catalogue.derive(
        a_result(
            input_datasets=(names["alice-2"],),
            title="t" * 900,
            description="d" * 3900,
            scientific={"summary": "s" * 5000},
        )
    )
    made = await catalogue.get(pid)
    assert made.title == "t" * 900
    assert made.scientific == {"energy": {"value": 12400, "unit": "eV"}} or not made.scientific
    assert "scientific" in made.warnings[0]
    assert "description" in made.warnings[0]
    assert made.job_parameters["q_max"] == 0.15


async def test_a_path_that_icat_cannot_keep_is_refused_before() -> None:
    icat, names = filled()
    file = DataFile(path="/r/" + "x" * 600, size=1, mtime=DAY_ONE, role="result")
    with pytest.raises(UsageError, match="characters that ICAT keeps"):
        await driver(ALICE, icat).derive(
            a_result(input_datasets=(names["alice-2"],), files=(file,))
        )
    assert not icat.store.tables["DataCollection"]
