"""The process that looks may hang or crash: the server goes on, and so does the next look."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nearfield.errors import CatalogueUnavailableError, DataFileError
from nearfield_server.inside.looker import MAX_WAITING, Looker

ECHO = """
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "hang": time.sleep(600)
    if asked["do"] == "crash": os.abort()
    if asked["do"] == "end": print(json.dumps({"ok": {}}), flush=True); sys.exit(0)
    if asked["do"] == "noise": print("x" * 9_000_000, flush=True); continue
    print(json.dumps({"ok": {"pid": os.getpid(), "env": sorted(os.environ)}}), flush=True)
"""


def question(do: str = "tell") -> dict[str, Any]:
    return {"do": do, "file": "/data/scan.h5"}


def looker(seconds: float = 30) -> Looker:
    return Looker((sys.executable, "-c", ECHO), seconds)


async def test_one_process_for_many_and_no_token_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "s3cret")
    one = looker()
    found = await asyncio.gather(*(one.ask(question()) for _ in range(5)))
    assert len({said["pid"] for said in found}) == 1
    assert not [name for name in found[0]["env"] if "TOKEN" in name or "JUPYTER" in name]
    await one.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(found[0]["pid"], 0)


@pytest.mark.parametrize(
    ("do", "seconds", "word"),
    [("hang", 0.2, "no answer in"), ("crash", 30, "came to an end"), ("noise", 30, "to an end")],
)
async def test_one_that_hangs_or_dies_costs_one_look(do: str, seconds: float, word: str) -> None:
    one = looker()
    before = (await one.ask(question()))["pid"]
    one._seconds = seconds
    with pytest.raises(DataFileError, match=word) as found:
        await one.ask(question(do))
    assert "/data/scan.h5" in found.value.message
    one._seconds = 30
    assert (await one.ask(question()))["pid"] != before
    await one.aclose()


async def test_one_that_ended_by_itself_is_made_anew(tmp_path: Path) -> None:
    one = looker()
    await one.ask(question("end"))
    assert (await one.ask(question()))["pid"]
    await one.aclose()


async def test_who_goes_away_leaves_no_answer_for_the_next() -> None:
    one = looker()
    gone = asyncio.create_task(one.ask(question("hang")))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (await one.ask(question()))["pid"]
    await one.aclose()


async def test_not_without_end_many_wait() -> None:
    one = looker()
    waiting = [asyncio.create_task(one.ask(question("hang"))) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(CatalogueUnavailableError, match="too many"):
        await one.ask(question())
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await one.aclose()
