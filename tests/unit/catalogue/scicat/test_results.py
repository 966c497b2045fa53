"""Results in SciCat: made once, whole, from inputs that are there, however often it is tried."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from nearfield.catalogue.scicat.bodies import BLOCK_FILES
from nearfield.datasets import DataFile
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
)
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import ALICES, BOB, PUBLIC, a_result
from nearfield.testing.fake_scicat import AnswerError, FakeSciCat, Request
from nearfield.testing.synthetic import DAY_ONE
from sourcelab.scicat import filled, record_of

from .conftest import Asking


def results_in(fake: FakeSciCat) -> list[dict[str, object]]:
    return [one for one in fake.datasets.values() if one["type"] == "derived"]


def makes_a_dataset(request: Request) -> bool:
    return request.method == "POST" and request.segments[-1] == "datasets"


def lists_files(request: Request) -> bool:
    return request.method == "POST" and request.segments[-1] == "origdatablocks"


@pytest.mark.parametrize("names_pids", [True, False])
async def test_two_writers_make_one_result(ask: Asking, names_pids: bool) -> None:
    fake = filled(names_pids=names_pids)
    writers = [ask(fake=fake) for _ in range(4)]
    pids = await asyncio.gather(*(one.derive(a_result()) for one in writers))
    assert len(set(pids)) == 1
    assert len(results_in(fake)) == 1
    found = await writers[0].get(pids[0])
    assert found.files == a_result().files
    assert found.size == 12


async def test_two_who_list_the_same_files_at_once(ask: Asking, scicat: FakeSciCat) -> None:
    """The backend takes both lists, and adds up their sizes."""
    alice = ask()
    pid = await alice.derive(a_result())
    block = next(b for b in scicat.blocks if b["datasetId"] == pid)
    scicat.blocks.append(dict(block))
    scicat.datasets[pid]["size"] = 24
    found = await alice.get(pid)
    assert (found.files, found.size) == (a_result().files, 12)


@pytest.mark.parametrize("names_pids", [True, False])
async def test_an_attempt_that_failed_between_is_completed(ask: Asking, names_pids: bool) -> None:
    fake = filled(names_pids=names_pids)
    alice = ask(fake=fake)

    async def full(request: Request) -> None:
        if lists_files(request):
            raise AnswerError(507, "no room")

    fake.before = full
    with pytest.raises(CatalogueUnavailableError, match=r"^beamline: "):
        await alice.derive(a_result())
    assert len(results_in(fake)) == 1
    fake.before = None
    pid = await ask(fake=fake).derive(a_result())
    assert len(results_in(fake)) == 1
    assert (await alice.get(pid)).files == a_result().files


@pytest.mark.parametrize("names_pids", [True, False])
@pytest.mark.parametrize("which", [makes_a_dataset, lists_files])
async def test_a_lost_answer_makes_no_second_result(
    ask: Asking, names_pids: bool, which: object
) -> None:
    fake = filled(names_pids=names_pids)
    lost = 0

    async def lose(request: Request) -> None:
        nonlocal lost
        if which(request) and not lost:  # type: ignore[operator]
            lost += 1
            raise httpx.ReadError("Connection reset by peer")

    fake.after = lose
    alice = ask(fake=fake)
    try:
        pid = await alice.derive(a_result())
    except CatalogueUnavailableError:
        # What may have been done is not done again by itself; the next attempt looks first.
        pid = await alice.derive(a_result())
    assert lost == 1
    assert len(results_in(fake)) == 1
    assert (await alice.get(pid)).files == a_result().files


async def test_a_copy_that_somebody_made_meanwhile_is_the_result(ask: Asking) -> None:
    """Two machines of one user, without a common home: no lease keeps them apart."""
    fake = filled(names_pids=False, deletes=True)
    once = True

    async def another_machine(request: Request) -> None:
        nonlocal once
        if makes_a_dataset(request) and once:
            once = False
            body = {**request.body, "creationTime": "2020-01-01T00:00:00Z", "pid": "20.500/older"}
            fake.add(body, by="alice")

    fake.before = another_machine
    assert await ask(fake=fake).derive(a_result()) == "20.500/older"
    assert [one["pid"] for one in results_in(fake)] == ["20.500/older"]
    assert (await ask(fake=fake).get("20.500/older")).files == a_result().files


@pytest.mark.parametrize("wrong", ["nope/404", "bob-5/files"])
async def test_inputs_are_looked_up_as_scicat_takes_any(
    ask: Asking, scicat: FakeSciCat, wrong: str
) -> None:
    with pytest.raises(DatasetNotFoundError):
        await ask().derive(a_result(input_datasets=(ALICES.pid, wrong)))
    assert results_in(scicat) == []


async def test_a_result_is_no_input_of_itself(ask: Asking, scicat: FakeSciCat) -> None:
    alice = ask()
    own = alice._writer.pid_of("run-00000001")
    with pytest.raises(DatasetNotFoundError):
        await alice.derive(a_result(input_datasets=(own,)))
    assert results_in(scicat) == []


async def test_a_run_of_somebody_else_is_not_touched(ask: Asking, scicat: FakeSciCat) -> None:
    pid = await ask().derive(a_result())
    with pytest.raises(CatalogueError, match="taken"):
        await ask(BOB).derive(a_result(input_datasets=(PUBLIC.pid,)))
    assert [one["pid"] for one in results_in(scicat)] == [pid]


async def test_the_pid_is_the_runs_whatever_the_source_is_called(ask: Asking) -> None:
    named = ask(pid_prefix="20.500.12345")
    pid = await named.derive(a_result())
    assert pid.startswith("20.500.12345/")
    assert pid == f"20.500.12345/{ask()._writer.pid_of('run-00000001')}"


async def test_many_files_are_listed_in_parts(ask: Asking, scicat: FakeSciCat) -> None:
    files = tuple(
        DataFile(path=f"/r/{n:05d}.h5", size=1, mtime=DAY_ONE, role="result")
        for n in range(BLOCK_FILES * 2 + 1)
    )
    alice = ask()
    pid = await alice.derive(a_result(files=files, source_folder="/r"))
    assert [len(b["dataFileList"]) for b in scicat.blocks if b["datasetId"] == pid] == [
        BLOCK_FILES,
        BLOCK_FILES,
        1,
    ]
    assert await alice.files(pid) == files


async def test_an_account_without_the_right_is_told(ask: Asking) -> None:
    fake = filled()
    fake.accounts["alice"] = type(fake.accounts["alice"])("alice", ["alice"], creates=False)
    with pytest.raises(DatasetNotPermittedError, match="alice may not create datasets"):
        await ask(fake=fake).derive(a_result())
    assert results_in(fake) == []


async def test_parameters_whose_names_a_database_would_misread(ask: Asking) -> None:
    alice = ask()
    odd = {"a.b": 1, "$set": {"x": 2}, "100%": [{"c.d": None}], "": 0, "nearfield": {"mine": 1}}
    found = await alice.get(await alice.derive(a_result(job_parameters=odd)))
    assert found.job_parameters == odd


async def test_inputs_and_what_was_made_of_them(ask: Asking) -> None:
    alice = ask()
    pid = await alice.derive(a_result())
    assert (await alice.get(pid)).input_datasets == (ALICES.pid,)
    made = await alice.search(Query(input_dataset=ALICES.pid))
    assert [one.pid for one in made.datasets] == [pid]


async def test_relationships_tell_inputs_too(ask: Asking, scicat: FakeSciCat) -> None:
    def related(pid: str, *said: tuple[str, str, str]) -> None:
        names = ("identifier", "relationship", "entityType")
        links = [{**dict(zip(names, one, strict=True)), "identifierType": "Other"} for one in said]
        scicat.add(record_of(PUBLIC, pid=pid, relationships=links))

    related("made", (ALICES.pid, "isDerivedFrom", "Dataset"))
    related("cites", (ALICES.pid, "References", "dataset"))
    related("mixed", (ALICES.pid, "References", "dataset"), ("x", "IsDerivedFrom", "dataset"))
    alice = ask()
    assert (await alice.get("made")).input_datasets == (ALICES.pid,)
    assert (await alice.get("mixed")).input_datasets == ("x",)
    page = await alice.search(Query(input_dataset=ALICES.pid))
    assert [one.pid for one in page.datasets] == ["made"]
    assert page.total_exact


async def test_no_lease_stays(ask: Asking, tmp_path: Path) -> None:
    await ask(fake=filled(names_pids=False)).derive(a_result())
    assert list((tmp_path / "home/leases").iterdir()) == []
