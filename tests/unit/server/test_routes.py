"""Session, templates and runs through the server."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from nearfield_server.runs import RunManager
from nearfield_server.session import session_now

Server = Any


async def test_a_session_knows_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARFIELD_PROFILE", "small")
    monkeypatch.setenv("NEARFIELD_ENDS", str(int(time.time()) + 600))
    said = (await server.get("session")).json()
    assert said["profile"] == "small" and said["node"]
    assert 590 < said["remaining_seconds"] <= 600
    assert session_now(said["ends"] + 1).remaining_seconds == 0
    for odd in ("", "soon"):
        monkeypatch.setenv("NEARFIELD_ENDS", odd)
        said = (await server.get("session")).json()
        assert (said["ends"], said["remaining_seconds"]) == (None, None)


async def test_what_the_job_has_to_say(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARFIELD_SESSION_DIR", str(tmp_path))
    said = (await server.get("session")).json()
    assert (said["warning"], said["image_warnings"]) == (None, [])
    (tmp_path / "warning.json").write_text('{"version": 1, "minutes": 5, "message": "5 min left"}')
    (tmp_path / "image.json").write_text('{"warnings": ["not signed"]}')
    said = (await server.get("session")).json()
    assert (said["warning"], said["image_warnings"]) == ("5 min left", ["not signed"])
    for text in ("", "[]", "{}", "null"):
        (tmp_path / "warning.json").write_text(text)
        assert (await server.get("session")).json()["warning"] is None


async def test_outside_a_session_there_is_none_to_add_to(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEARFIELD_SESSION_DIR", raising=False)
    for answer in (
        await server.get("session/datasets"),
        await server.post("session/datasets", json={"datasets": ["p"]}),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (409, "blocked")
        assert answer.json()["hint"]
    answer = await server.post("session/datasets", json={"datasets": []})
    assert (answer.status_code, answer.json()["reason"]) == (400, "usage")
    assert "datasets" in answer.json()["message"]


async def test_templates_and_what_is_wrong_with_others(server: Server, tmp_path: Path) -> None:
    broken = tmp_path / "shelf" / "broken"
    broken.mkdir(parents=True)
    (broken / "card.yaml").write_text("colour: red")
    server.use(server.catalogue(), f"templates: [{tmp_path / 'shelf'}]")
    said = (await server.get("templates")).json()
    shown = {one["name"]: one for one in said["templates"]}
    assert shown["frames-projection"]["title"] and shown["frames-projection"]["folder"]
    assert "broken/card.yaml" in said["broken"][0]


class Scripted(RunManager):
    async def _command(self, argv: list[str], given: str = "") -> tuple[int, str, str]:
        if argv[0] == "publish":
            return 0, '{"pid": "new"}', ""
        return 0, '{"run_id": "r-1", "outputs": []}', ""


async def test_a_run_from_start_to_publication(server: Server, tmp_path: Path) -> None:
    runs = server.settings["nearfield_runs"] = Scripted(tmp_path / "runs")
    body = {"template": "t", "datasets": ["p"], "parameters": {"word": "s3cret"}}
    answer = await server.post("runs", json=body)
    assert answer.status_code == 201
    key = answer.json()["id"]
    await asyncio.gather(*runs._tasks.values())
    assert (await server.get(f"runs/{key}")).json()["status"] == "completed"
    assert [run["id"] for run in (await server.get("runs")).json()] == [key]
    assert (await server.post(f"runs/{key}/publish")).json() == {"pid": "new", "run_id": "r-1"}
    assert [event["event"] for event in server.told] == ["run-started", "run-published"]
    assert "s3cret" not in json.dumps(server.told)
    answer = await server.get(f"runs/{'0' * 12}")
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"template": "../x", "datasets": ["p"]}'])
async def test_a_body_that_does_not_fit(server: Server, body: bytes) -> None:
    answer = await server.post("runs", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "usage")


async def test_a_route_that_is_not_there(server: Server) -> None:
    assert (await server.client.get("/nearfield/api/nothing")).status_code == 404
