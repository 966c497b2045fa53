"""One record: whatever its PID looks like, whoever asks."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from nearfield.datasets import Access, DataFile, Dataset, Principal
from nearfield.errors import BlockedError, CatalogueUnavailableError, SourceLoginError

Server = Any
MINE = Access(owner="alice")


def file(path: str) -> DataFile:
    return DataFile(path=path, size=1, mtime=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("pid", ["a", "20.500.12269/a/b", "10.5/x%2Fy", "a'b\"c\\d?e#f&g+h;i"])
async def test_a_pid_is_one_segment(server: Server, pid: str) -> None:
    server.store.register([Dataset(pid=pid, title="t", access=MINE)])
    answer = await server.get(f"datasets/{quote(pid, safe='')}")
    said = answer.json()
    assert (answer.status_code, said["pid"], said["title"]) == (200, pid, "t")
    calls = [node for node in ast.walk(ast.parse(said["snippet"])) if isinstance(node, ast.Call)]
    assert [ast.literal_eval(call.args[0]) for call in calls] == [pid]


@pytest.mark.parametrize("pid", ["a b", "é", "x" * 500])
async def test_what_cannot_be_a_pid_is_not_found(server: Server, pid: str) -> None:
    answer = await server.get(f"datasets/{quote(pid, safe='')}")
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")


async def test_files_come_in_parts(server: Server) -> None:
    server.store.register(
        [Dataset(pid="d", access=MINE, files=tuple(file(f"/data/{n}.h5") for n in range(5)))]
    )
    answer = await server.get("datasets/d/files", params={"offset": 3, "limit": 10})
    assert [one["path"] for one in answer.json()["files"]] == ["/data/3.h5", "/data/4.h5"]
    assert answer.json()["total"] == 5


async def test_inputs_that_are_not_there_not_readable_or_itself(server: Server) -> None:
    server.store.register(
        [
            Dataset(pid="mine", access=MINE),
            Dataset(pid="theirs", access=Access(owner="bob")),
            Dataset(
                pid="result",
                type="derived",
                access=MINE,
                input_datasets=("mine", "theirs", "gone", "result"),
            ),
        ]
    )
    answer = (await server.get("datasets/result/related")).json()
    assert [one["pid"] for one in answer["inputs"]] == ["mine", "result"]
    assert answer["missing"] == ["theirs", "gone"]
    answer = (await server.get("datasets/mine/related")).json()
    assert [one["pid"] for one in answer["derived"]] == ["result"]


async def test_counts_and_an_unknown_source(server: Server) -> None:
    server.store.register([Dataset(pid="d", access=MINE, instrument="ID10")])
    answer = await server.get("datasets/facets", params={"q": ""})
    assert answer.json()["counts"]["instrument"] == {"ID10": 1}
    answer = await server.get("datasets/d", params={"source": "elsewhere"})
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
    assert "lab" in answer.json()["hint"]


class Broken:
    """A catalogue that answers with an error."""

    name = "lab"
    closed = 0

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def get(self, _pid: str) -> Dataset:
        raise self.error

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("error", "status", "reason", "closed"),
    [
        (CatalogueUnavailableError("lab: no answer", hint="later"), 503, "unavailable", 0),
        (SourceLoginError("lab: log in again"), 403, "token-expired", 1),
        (BlockedError("lab: no library"), 503, "blocked", 0),
    ],
)
async def test_each_failure_has_its_word(
    server: Server, error: Exception, status: int, reason: str, closed: int
) -> None:
    broken = Broken(error)
    server.use(broken)
    answer = await server.get("datasets/d")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.json()["message"] == error.message  # type: ignore[attr-defined]
    # What a token was refused for is opened anew, with a new one.
    assert broken.closed == closed


async def test_a_crash_tells_nothing_of_itself(server: Server) -> None:
    server.use(Broken(RuntimeError("s3cret")))
    answer = await server.get("datasets/d")
    assert answer.status_code == 500
    assert answer.json() == {"message": "Internal Server Error", "hint": None, "reason": None}


async def test_a_missing_library_is_named(server: Server) -> None:
    def missing(_config: Any) -> Any:
        raise ModuleNotFoundError("No module named 'scitacean'")

    server.settings["nearfield_access"]._opening = missing
    answer = await server.get("datasets")
    assert (answer.status_code, answer.json()["reason"]) == (503, "blocked")
    assert "scitacean" in answer.json()["message"]


async def test_an_event_of_a_record_names_nobody(server: Server) -> None:
    server.store.register([Dataset(pid="d", title="a secret title", access=MINE)])
    await server.get("datasets/d")
    [event] = server.told
    assert (event["event"], event["pid"], event["part"]) == ("dataset-opened", "d", "record")
    assert set(event) == {"event", "pid", "source", "part"}
    assert "alice" not in json.dumps(event)


RIGHTS = {
    "owner": Access(owner="alice"),
    "group": Access(owner="bob", access_groups=("beam7",)),
    "public": Access(owner="bob", public=True),
    "embargoed": Access(owner="bob", public=True, embargo_until=datetime(2999, 1, 1, tzinfo=UTC)),
    "lifted": Access(owner="bob", public=True, embargo_until=datetime(2000, 1, 1, tzinfo=UTC)),
    "theirs": Access(owner="bob"),
}
PEOPLE = {
    "owner": (Principal(name="alice"), {"owner", "public", "lifted"}),
    "group": (Principal(name="carol", groups=frozenset({"beam7"})), {"group", "public", "lifted"}),
    "other": (Principal(name="bob"), set(RIGHTS) - {"owner"}),
    "stranger": (Principal(name="mallory"), {"public", "lifted"}),
}


@pytest.mark.parametrize("who", PEOPLE)
async def test_who_sees_what(server: Server, who: str) -> None:
    server.store.register([Dataset(pid=name, access=access) for name, access in RIGHTS.items()])
    server.user, sees = PEOPLE[who]
    server.use(server.catalogue())
    for part in ("", "/files", "/related"):
        seen = set()
        for pid in RIGHTS:
            answer = await server.get(f"datasets/{pid}{part}")
            assert answer.status_code in {200, 403, 404}
            if answer.status_code == 200:
                seen.add(pid)
        assert seen == sees, part
    found = (await server.get("datasets")).json()
    assert {one["pid"] for one in found["datasets"]} == sees


async def test_where_its_bytes_are(server: Server, tmp_path: Path) -> None:
    here, stub = tmp_path / "here.h5", tmp_path / "stub.h5"
    here.write_bytes(b"x" * 9000)
    with stub.open("wb") as opened:
        opened.truncate(10**7)
    for pid, path in (("here", here), ("stub", stub), ("gone", tmp_path / "gone.h5")):
        server.store.register([Dataset(pid=pid, access=MINE, files=(file(str(path)),))])
    found = [
        (await server.get(f"datasets/{pid}")).json()["availability"]
        for pid in ("here", "stub", "gone")
    ]
    assert found == ["online", "tape", "unknown"]
