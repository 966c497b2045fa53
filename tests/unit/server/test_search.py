"""``GET datasets``: all at once and line by line, and what a refusal says."""

from __future__ import annotations

import json
from typing import Any

from nearfield.datasets import Access, Dataset

Server = Any


def made(number: int, **said: Any) -> Dataset:
    return Dataset(
        pid=f"d{number}", access=Access(owner="alice"), **{"title": f"scan {number}"} | said
    )


async def test_all_at_once(server: Server) -> None:
    server.store.register([made(n, instrument="ID10" if n < 2 else "P03") for n in range(3)])
    answer = await server.get("datasets", params={"q": "scan", "limit": 2})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    said = answer.json()
    assert len(said["datasets"]) == 2
    assert (said["total"], said["total_exact"]) == (3, True)
    assert [(one["source"], one["state"]) for one in said["sources"]] == [("lab", "answered")]


async def test_line_by_line(server: Server) -> None:
    server.store.register([made(1)])
    async with server.client.stream(
        "GET", "/nearfield/api/datasets", headers={"Accept": "application/x-ndjson"}
    ) as answer:
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        lines = [json.loads(line) async for line in answer.aiter_lines()]
    assert [line["event"] for line in lines] == ["source", "datasets", "source", "end"]
    assert [one["pid"] for one in lines[1]["datasets"]] == ["d1"]
    assert lines[-1]["total"] == 1


async def test_what_does_not_fit_is_named(server: Server) -> None:
    answer = await server.get("datasets", params={"limit": "many"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "usage")
    assert "limit" in answer.json()["message"]
    answer = await server.get("datasets", params={"colour": "red"})
    assert (answer.status_code, "colour" in answer.json()["message"]) == (400, True)


async def test_nobody_else_is_answered(server: Server) -> None:
    answer = await server.get("datasets", headers={"Authorization": "token wrong"})
    assert answer.status_code in {302, 403}


async def test_the_log_has_no_words_of_the_search(server: Server) -> None:
    await server.get("datasets", params={"q": "s3cret"})
    [event] = server.told
    assert (event["event"], event["conditions"], event["total"]) == ("search", ["text"], 0)
    assert event["sources"] == {"lab": "answered"}
    assert "s3cret" not in json.dumps(event)


async def test_a_syntax_error_points_at_the_character(server: Server) -> None:
    for path in ("datasets", "datasets/facets"):
        answer = await server.get(path, params={"q": "scan colour:red"})
        said = answer.json()
        assert (answer.status_code, said["reason"], said["position"]) == (400, "syntax", 5)


async def test_completions_of_fields_and_of_values_with_their_counts(server: Server) -> None:
    server.store.register([made(n, instrument="ID10") for n in range(2)])
    answer = (await server.get("datasets/completions", params={"q": "scan instr"})).json()
    assert (answer["start"], answer["end"]) == (5, 10)
    assert "instrument:" in [one["insert"] for one in answer["items"]]
    answer = (
        await server.get("datasets/completions", params={"q": "instrument:", "at": 11})
    ).json()
    assert [(one["insert"], one["count"]) for one in answer["items"]] == [("ID10", 2)]


async def test_what_jupyterlab_adds_to_an_address_is_no_question(server: Server) -> None:
    for path in ("datasets?q=scan&1795276800000", "datasets?1795276800000", "datasets/facets?_=1"):
        assert (await server.get(path)).status_code == 200, path
