"""A search in several catalogues: told as it comes, whatever one of them does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from nearfield.catalogue import Capabilities
from nearfield.catalogue._asking import FederatedSource
from nearfield.catalogue.federated import FederatedCatalogue
from nearfield.datasets import Access, Dataset
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    SourceLoginError,
    SourceStatusError,
    UnsupportedQueryError,
    UsageError,
)
from nearfield.querying import Facets, Page

Server = Any
LINES = {"Accept": "application/x-ndjson"}
SCRIPT = "<script>alert(1)</script>"


class Source:
    """A catalogue that finds one dataset, when it is let."""

    capabilities = Capabilities()

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error = name, error
        self.let = asyncio.Event()
        self.asked = asyncio.Event()
        self.given_up = asyncio.Event()
        self.let.set()

    async def search(self, _query: Any) -> Page:
        self.asked.set()
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        if self.error:
            raise self.error
        found = Dataset(pid=f"in-{self.name}", title=SCRIPT, access=Access(public=True))
        return Page(datasets=(found,), total=1)

    async def facets(self, _query: Any) -> Facets:
        return Facets(counts={"instrument": {self.name: 1}})

    async def get(self, pid: str) -> Dataset:
        return Dataset(pid=pid, title=self.name, access=Access(public=True))

    async def aclose(self) -> None:
        pass


def all_of(*sources: Source, timeout: float = 30) -> FederatedCatalogue:
    return FederatedCatalogue([FederatedSource(s.name, s, timeout) for s in sources])  # type: ignore[arg-type]


async def test_what_one_source_has_is_told_while_another_is_asked(server: Server) -> None:
    quick, slow = Source("quick"), Source("slow")
    slow.let.clear()
    server.use(all_of(quick, slow))
    told: list[dict[str, Any]] = []
    async with server.client.stream("GET", "/nearfield/api/datasets", headers=LINES) as answer:
        async for line in answer.aiter_lines():
            told.append(json.loads(line))
            if told[-1]["event"] == "datasets" and told[-1]["source"] == "quick":
                assert not slow.let.is_set()
                slow.let.set()
    assert [e["source"] for e in told if e["event"] == "datasets"] == ["quick", "slow"]
    assert (told[-1]["event"], told[-1]["total"]) == ("end", 2)
    # HTML stays text: a face that shows it must escape it, and JSON is no page.
    assert told[2]["event"] != "datasets" or told[2]["datasets"][0]["title"] == SCRIPT
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("error", "word", "reason"),
    [
        (CatalogueUnavailableError("bad: no answer"), "no answer", "unavailable"),
        (SourceLoginError("bad: has expired", hint="log in again"), "expired", "token-expired"),
        (SourceLoginError("bad: no token", again=False), "no token", "blocked"),
        (SourceStatusError("bad: answered 403", 403), "403", "forbidden"),
        (UnsupportedQueryError("bad", ["type"]), "type", "unsupported"),
        (BlockedError("bad: no driver"), "no driver", "blocked"),
        (RuntimeError("boom"), "", None),
    ],
)
async def test_one_that_fails_is_named_and_the_others_answer(
    server: Server, error: Exception, word: str, reason: str | None
) -> None:
    server.use(all_of(Source("good"), Source("bad", error)))
    said = (await server.get("datasets")).json()
    states = {one["source"]: one for one in said["sources"]}
    assert [one["pid"] for one in said["datasets"]] == ["in-good"]
    assert (states["good"]["state"], states["good"]["reason"]) == ("answered", None)
    assert states["bad"]["reason"] == reason
    failed = "unsupported" if reason == "unsupported" else "failed"
    assert states["bad"]["state"] == failed and word in states["bad"]["message"]
    assert server.told[-1]["sources"] == {"good": "answered", "bad": failed}


async def test_one_that_hangs_costs_its_time_alone(server: Server) -> None:
    hung = Source("hung")
    hung.let.clear()
    server.use(all_of(Source("good"), hung, timeout=0.05))
    said = (await server.get("datasets")).json()
    assert {one["source"]: one["state"] for one in said["sources"]} == {
        "good": "answered",
        "hung": "timeout",
    }
    assert [one["pid"] for one in said["datasets"]] == ["in-good"]
    assert hung.given_up.is_set()


@pytest.mark.parametrize("headers", [LINES, {}])
async def test_who_goes_away_ends_the_search(server: Server, headers: dict[str, str]) -> None:
    hung = Source("hung")
    hung.let.clear()
    server.use(all_of(hung))
    asking = asyncio.create_task(server.client.get("/nearfield/api/datasets", headers=headers))
    await hung.asked.wait()
    asking.cancel()
    await asyncio.wait_for(hung.given_up.wait(), 20)
    # The next one is answered as ever.
    hung.let.set()
    assert (await server.get("datasets")).json()["total"] == 1


async def test_an_error_after_the_first_line_is_told_as_the_end(server: Server) -> None:
    server.use(Source("one", UsageError("cursor: not of this search")))
    async with server.client.stream("GET", "/nearfield/api/datasets", headers=LINES) as answer:
        told = [json.loads(line) async for line in answer.aiter_lines()]
    assert [event["event"] for event in told] == ["source", "source", "end"]
    assert (told[1]["state"], "cursor" in told[1]["message"]) == ("failed", True)
    # All at once there is still time for a status.
    answer = await server.get("datasets")
    assert (answer.status_code, answer.json()["reason"]) == (400, "usage")


async def test_a_record_of_the_source_that_is_named(server: Server) -> None:
    server.use(all_of(Source("a"), Source("b")))
    for name in ("a", "b"):
        said = (await server.get("datasets/x", params={"source": name})).json()
        assert (said["source"], said["title"]) == (name, name)
    answer = await server.get("datasets/x", params={"source": "c"})
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
    counts = (await server.get("datasets/facets")).json()["counts"]
    assert counts["instrument"] == {"a": 1, "b": 1}


async def test_inputs_may_be_in_another_catalogue_or_in_one_that_is_silent(server: Server) -> None:
    class Some(Source):
        def __init__(self, name: str, *pids: str, error: Exception | None = None) -> None:
            super().__init__(name, error)
            self.pids = pids

        async def get(self, pid: str) -> Dataset:
            if self.error:
                raise self.error
            if pid not in self.pids:
                raise DatasetNotFoundError(f"{self.name}: no {pid}")
            more = {"type": "derived", "input_datasets": ("i", "gone")} if pid == "result" else {}
            return Dataset(pid=pid, access=Access(public=True), **more)

    home, other = Some("home", "result"), Some("other", "i")
    server.use(all_of(home, other))
    said = (await server.get("datasets/result/related", params={"source": "home"})).json()
    assert [one["pid"] for one in said["inputs"]] == ["i"]
    assert [one["source"] for one in said["inputs"]] == ["other"]
    assert (said["missing"], said["unknown"]) == (["gone"], [])
    other.error = CatalogueUnavailableError("other: no answer")
    said = (await server.get("datasets/result/related")).json()
    assert (said["inputs"], said["missing"]) == ([], [])
    assert said["unknown"] == ["i", "gone"]
