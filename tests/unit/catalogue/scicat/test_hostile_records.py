"""Records as they come: without titles, with scripts, with PIDs and times of every shape."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from nearfield.catalogue.scicat.mapping import dataset_of, files_of
from nearfield.catalogue.scicat.metadata import flattened
from nearfield.catalogue.scicat.pids import inside, outside
from nearfield.datasets import MAX_TITLE, Dataset
from nearfield.errors import DatasetNotFoundError
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import ANONYMOUS, LAPSED, PUBLIC
from nearfield.testing.fake_scicat import FakeSciCat
from sourcelab.scicat import record_of

from .conftest import Asking

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def read(**record: Any) -> Dataset:
    return dataset_of({"pid": "p", **record}, source="beamline", instruments={})


def test_what_is_not_said_stays_unsaid() -> None:
    assert read() == Dataset(pid="p", source="beamline")


@pytest.mark.parametrize("pid", [None, "", 7, "x" * 401, "\ud800"])
def test_a_record_without_a_pid_that_fits_is_none(pid: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read(pid=pid)


@pytest.mark.parametrize("title", [None, "", "   ", 7, ["x"], {"a": 1}])
def test_no_title(title: object) -> None:
    assert read(datasetName=title).title is None


def test_a_title_of_100_kb() -> None:
    found = read(datasetName="x" * 100_000)
    assert found.title == "x" * MAX_TITLE
    assert found.warnings == ("the title has 100000 characters; shown are 1000",)


@pytest.mark.parametrize("title", ["<b>bold</b>", "<script>alert(1)</script>", '"onload="x'])
def test_html_stays_text(title: str) -> None:
    assert read(datasetName=title).title == title


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("2024-01-06T12:00:00.000Z", datetime(2024, 1, 6, 12, tzinfo=UTC)),
        ("2024-01-06T12:00:00", datetime(2024, 1, 6, 12)),  # noqa: DTZ001
        ("2024-01-06", datetime(2024, 1, 6)),  # noqa: DTZ001
    ],
)
def test_times_are_as_they_are_said(said: str, time: datetime) -> None:
    found = read(startTime=said)
    assert found.start_time == time
    assert found.start_time.tzinfo == time.tzinfo


def test_what_is_no_time_is_told() -> None:
    found = read(startTime="yesterday<script>" + "x" * 1000, creationTime=12)
    assert (found.start_time, found.created) == (None, None)
    assert len(found.warnings) == 1
    assert len(found.warnings[0]) < 100


@pytest.mark.parametrize(
    "pid", ["20.500/a b", "ü/☃", "100%", "%20", "a\tb", "../x", "a/b?c#d", "\x00"]
)
def test_pids_go_there_and_back(pid: str) -> None:
    written = outside(pid)
    assert Dataset(pid=written).pid == written
    assert inside(written) == pid


@pytest.mark.parametrize("pid", ["plain", "20.500.12345/0d6f", "a?b#c"])
def test_pids_that_fit_stay(pid: str) -> None:
    assert outside(pid) == inside(pid) == pid


@pytest.mark.parametrize("pid", ["a%2fb", "a%zz", "%41", "%"])
def test_pids_that_nobody_wrote(pid: str) -> None:
    assert inside(pid) is None


@pytest.mark.parametrize("pid", ["with blank/and slash", "ünïcode-☃", "a%2Fb", "x/origdatablocks"])
async def test_odd_pids_through_the_whole_driver(ask: Asking, scicat: FakeSciCat, pid: str) -> None:
    scicat.add(record_of(PUBLIC, pid=pid, datasetName="odd one"))
    scicat.add_picture(pid, "data:image/png;base64," + base64.b64encode(PNG).decode())
    alice = ask()
    found = (await alice.search(Query(text="odd one"))).datasets
    assert [inside(one.pid) for one in found] == [pid]
    whole = await alice.get(found[0].pid)
    assert (whole.pid, whole.thumbnail) == (found[0].pid, True)
    picture = await alice.thumbnail(found[0].pid)
    assert picture is not None
    assert picture.content == PNG
    if outside(pid) != pid:
        with pytest.raises(DatasetNotFoundError):
            await alice.get(pid.replace(" ", "+"))


async def test_one_bad_record_leaves_the_others(ask: Asking, scicat: FakeSciCat) -> None:
    scicat.add(record_of(PUBLIC, pid="x" * 500))
    scicat.add(record_of(PUBLIC, pid="half-a-character", datasetName="\ud800"))
    page = await ask(ANONYMOUS).search(Query())
    assert {one.pid: one.title for one in page.datasets} == {
        "public-1": PUBLIC.title,
        "lapsed-30": LAPSED.title,
        "half-a-character": "?",
    }
    assert page.total == 4
    assert page.sources[0].message == "1 records could not be read and are left out"


def test_nested_values_are_named_like_paths() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(100):
        deep = {"x": deep}
    found = flattened(
        {
            "mono": {"energy": {"v": 8, "u": "keV", "valueSI": 1, "unitSI": "J"}},
            "t": {"value": 300, "unit": "K", "valueSI": 300, "unitSI": "K"},
            "entry%2Fangle": {"value": 1},
            "empty": {},
            "list": [1, {"a": 2}],
            "deep": deep,
        }
    )
    assert found["mono/energy"] == {"value": 8, "unit": "keV"}
    assert found["t"] == {"value": 300, "unit": "K"}
    assert found["entry/angle"] == {"value": 1}
    assert (found["empty"], found["list"]) == ({}, [1, {"a": 2}])
    assert max(name.count("/") for name in found) <= 20


def test_a_flood_of_values_is_cut() -> None:
    assert len(flattened({str(n): n for n in range(100_000)})) == 5000


def test_files_as_they_come() -> None:
    record = {"sourceFolder": "/data/x/", "sourceFolderHost": "https://door.example/"}
    blocks: list[Any] = [
        {"chkAlg": "SHA-256", "dataFileList": [{"path": "a b.h5", "size": -1, "chk": "0" * 64}]},
        {"chkAlg": "md5", "dataFileList": [{"path": "/abs/c.h5", "size": 2, "chk": "1" * 64}]},
        {"dataFileList": "nonsense"},
        {"dataFileList": [None, {}, {"path": 7}, {"path": "a b.h5", "size": 9}]},
    ]
    one, other = files_of(record, blocks)
    assert (one.path, one.size, one.sha256, one.role) == ("/data/x/a b.h5", 0, "0" * 64, "root")
    assert one.url == "https://door.example/data/x/a%20b.h5"
    assert (other.path, other.sha256, other.role) == ("/abs/c.h5", None, "linked")


@pytest.mark.parametrize(
    "said",
    [
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg onload='x'>").decode(),
        "data:text/html;base64," + base64.b64encode(PNG).decode(),
        "data:image/png;base64," + base64.b64encode(b"<script>").decode(),
        "data:image/png;base64,%%%",
        "https://elsewhere.example/x.png",
        "",
    ],
)
async def test_what_is_no_picture_is_not_given(ask: Asking, scicat: FakeSciCat, said: str) -> None:
    scicat.add_picture(PUBLIC.pid, said)
    assert await ask().thumbnail(PUBLIC.pid) is None


async def test_a_picture_of_two_megabytes_is_too_large(ask: Asking, scicat: FakeSciCat) -> None:
    large = base64.b64encode(PNG + bytes(2_100_000)).decode()
    scicat.add_picture(PUBLIC.pid, "data:image/png;base64," + large)
    assert await ask().thumbnail(PUBLIC.pid) is None


async def test_doi_and_landing_page(ask: Asking, scicat: FakeSciCat) -> None:
    scicat.publish("10.5072/early", [PUBLIC.pid], status="public")
    alice = ask(frontend="https://data.example")
    assert (await alice.get(PUBLIC.pid)).doi is None
    scicat.publish("10.5072/done", [PUBLIC.pid])
    found = await alice.get(PUBLIC.pid)
    assert found.doi == "10.5072/done"
    assert found.landing_page == "https://data.example/datasets/public-1"
