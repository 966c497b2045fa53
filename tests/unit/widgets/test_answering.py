"""What the front-end asks is answered from a catalogue, or refused in words."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from nearfield.catalogue import Catalogue, Thumbnail
from nearfield.datasets import Access, Principal
from nearfield.querying import Page, Query
from nearfield.testing.fake_catalogue import FakeCatalogue
from nearfield.testing.synthetic import synthetic_dataset
from nearfield_widgets._answering import Answering

ALICE = Principal(name="alice")
SECRET = synthetic_dataset(90, access=Access(owner="bob"))


class Heard:
    """An Answering over a fake catalogue, and what it said."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.said: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []
        self.opened = 0
        self.something = asyncio.Event()
        self.catalogue = catalogue
        self.answering = Answering(self._open, self._tell)

    def _open(self) -> Catalogue:
        self.opened += 1
        return self.catalogue

    def _tell(self, said: dict[str, Any], buffers: list[bytes]) -> None:
        self.said.append(said)
        if "heard" not in said:
            self.something.set()
        self.pictures.extend(buffers)

    async def ask(self, method: str, key: str = "q", **params: Any) -> dict[str, Any]:
        await self.answering.hear({"id": key, "method": method, "params": params})
        return self.said[-1]


@pytest.fixture
def heard() -> Heard:
    made = [synthetic_dataset(n, title=f"silver {n}", instrument="ID10") for n in range(3)]
    derived = synthetic_dataset(7, type="derived", input_datasets=(made[0].pid, SECRET.pid))
    return Heard(FakeCatalogue(ALICE, [*made, derived, SECRET]))


async def test_a_search_is_told_as_events_page_by_page(heard: Heard) -> None:
    assert await heard.ask("search", q="silver", limit=2) == {
        "id": "q",
        "result": None,
        "done": True,
    }
    assert heard.said[0] == {"id": "q", "heard": True}, "a slow catalogue is no kernel that is gone"
    events = [said["event"] for said in heard.said if "event" in said]
    told = [one["pid"] for event in events for one in event.get("datasets", ())]
    assert told == ["synthetic-00002", "synthetic-00001"]
    assert events[-1]["event"] == "end" and events[-1]["total"] == 3
    heard.said.clear()
    await heard.ask("search", q="silver", limit=2, cursor=events[-1]["next"])
    told = [
        one["pid"] for s in heard.said if "event" in s for one in s["event"].get("datasets", ())
    ]
    assert told == ["synthetic-00000"]
    assert heard.opened == 1, "one catalogue for all questions"


async def test_a_mistake_is_pointed_at(heard: Heard) -> None:
    refused = await heard.ask("search", q="instrment:ID10")
    assert refused["done"] and refused["error"]["reason"] == "syntax"
    assert refused["error"]["position"] == 0
    assert "instrment" in refused["error"]["message"]


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("dataset", {"pid": "nobody-knows"}, "not-found"),
        ("dataset", {"pid": SECRET.pid}, "not-found"),
        ("search", {"limit": 100_000}, "usage"),
        ("search", {"q": "x", "path": "/etc/passwd"}, "usage"),
        ("files", {"pid": "synthetic-00001", "offset": -1}, "usage"),
        ("execute", {}, "usage"),
    ],
)
async def test_what_cannot_be_answered_has_a_reason(
    heard: Heard, method: str, params: dict[str, Any], reason: str
) -> None:
    refused = await heard.ask(method, **params)
    assert refused["done"] and refused["error"]["message"]
    expected = {"not-found", "forbidden"} if reason == "not-found" else {reason}
    assert refused["error"]["reason"] in expected


async def test_facets_completions_record_and_files(heard: Heard) -> None:
    facets = (await heard.ask("facets", q="silver"))["result"]
    assert facets["counts"]["instrument"] == {"ID10": 3}
    offered = (await heard.ask("completions", q="instrument:I", at=12))["result"]
    assert [item["label"] for item in offered["items"]] == ["ID10"]
    record = (await heard.ask("dataset", pid="synthetic-00001", source="fake"))["result"]
    assert record["title"] == "silver 1"
    page = (await heard.ask("files", pid="synthetic-00001", limit=1))["result"]
    assert page["total"] == 1 and page["files"][0]["path"].endswith("scan_00001.h5")


async def test_an_input_that_is_not_for_her_is_missing(heard: Heard) -> None:
    related = (await heard.ask("related", pid="synthetic-00007"))["result"]
    assert [one["pid"] for one in related["inputs"]] == ["synthetic-00000"]
    assert related["missing"] == [SECRET.pid]
    related = (await heard.ask("related", pid="synthetic-00000"))["result"]
    assert [one["pid"] for one in related["derived"]] == ["synthetic-00007"]


async def test_a_picture_goes_as_bytes(heard: Heard) -> None:
    fake = heard.catalogue
    assert isinstance(fake, FakeCatalogue)
    assert (await heard.ask("thumbnail", pid="synthetic-00001"))["result"] == {}
    fake.store.thumbnails["synthetic-00001"] = Thumbnail("image/png", b"\x89PNG")
    assert (await heard.ask("thumbnail", pid="synthetic-00001"))["result"] == {
        "media_type": "image/png"
    }
    assert heard.pictures == [b"\x89PNG"]


async def test_a_newer_search_ends_the_older() -> None:
    class Slow(FakeCatalogue):
        given_up = False

        async def search(self, query: Query) -> Page:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                Slow.given_up = True
                raise
            raise AssertionError("never")

    heard = Heard(Slow(ALICE))
    asking = asyncio.ensure_future(heard.ask("search", "old", q="a"))
    await heard.something.wait()
    await heard.answering.hear({"id": "old", "method": "cancel"})
    await asking
    assert Slow.given_up
    assert not any(said.get("done") for said in heard.said), "nobody waits for its last word"


async def test_a_catalogue_that_cannot_be_opened_says_why() -> None:
    def fail() -> Catalogue:
        raise RuntimeError(f"no disk at {datetime(2024, 1, 1, tzinfo=UTC):%Y}")

    said: list[dict[str, Any]] = []
    answering = Answering(fail, lambda one, _: said.append(one))
    await answering.hear({"id": "1", "method": "facets", "params": {}})
    assert said[-1]["error"]["message"] == "RuntimeError: no disk at 2024"


@pytest.mark.parametrize("question", [None, "x", {}, {"id": 7}, {"id": "1", "method": "cancel"}])
async def test_noise_is_passed_over(heard: Heard, question: Any) -> None:
    await heard.answering.hear(question)
    assert heard.said == []
