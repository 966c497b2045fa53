"""The process that looks may hang or crash: the server goes on, and so does the next look."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DataFileError,
    UnknownNameError,
    UsageError,
)
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


def without(module: str) -> Looker:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from nearfield_server.inside.__main__ import main; main()"
    )
    return Looker((sys.executable, "-c", code), 60)


async def test_a_missing_library_is_named(tmp_path: Path) -> None:
    file = tmp_path / "scan.h5"
    with h5py.File(file, "w") as opened:
        opened["x"] = np.arange(12).reshape(3, 4)
    asked = {"files": [str(file)], "folders": [], "file": str(file)}
    tree = asked | {"do": "tree", "path": "/", "depth": 1}
    one = without("h5py")
    with pytest.raises(BlockedError, match="h5py") as found:
        await one.ask(tree)
    assert "extra 'server'" in str(found.value.hint)
    await one.aclose()
    # Without the library for pictures the rest goes on.
    one = without("PIL")
    with pytest.raises(BlockedError, match="PIL"):
        await one.ask(asked | {"do": "picture", "names": ["x"]})
    assert [child["name"] for child in (await one.ask(tree))["children"]] == ["x"]
    await one.aclose()


async def test_hostile_files_are_refused_or_shown_as_far_as_they_go(tmp_path: Path) -> None:
    file = tmp_path / "odd.h5"
    with h5py.File(file, "w") as opened:
        opened.create_dataset("huge", (2, 40000, 8000), "u1", chunks=(1, 40000, 8000))
        opened.create_dataset("raw", (4,), "u1", external=[("other.bin", 0, 4)])
        opened[b"\xff\xfe"] = 1
        opened["<script>"] = 1
        opened["up"] = h5py.ExternalLink("odd.h5", "/up")
        opened["x"] = np.arange(3)
        opened["x"].attrs["text"] = "a" * 3000
        opened["x"].attrs["empty"] = h5py.Empty("f4")
    asked = {"files": [str(file)], "folders": [str(tmp_path)], "file": str(file)}
    one = Looker(seconds=60)
    for path, kind in (("huge", UsageError), ("raw", DataFileError), ("up", DataFileError)):
        with pytest.raises(kind):
            await one.ask(asked | {"do": "slice", "path": path, "slice": "0"})
    tree = await one.ask(asked | {"do": "tree", "path": "/", "depth": 2})
    shown = {child["name"]: child for child in tree["children"]}
    assert {"<script>", "huge", "up", "x", "\ufffd\ufffd"} <= set(shown)
    assert shown["\ufffd\ufffd"]["problem"] and "links" in shown["up"]["problem"]
    assert len(shown["x"]["attributes"]["text"]) == 500
    assert shown["x"]["attributes"]["empty"] is not None
    # Damaged anywhere: an answer or a refusal, and the next question is answered.
    whole = file.read_bytes()
    rng = np.random.default_rng(1)
    for number in range(40):
        hurt = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            hurt[place] = int(rng.integers(0, 256))
        (tmp_path / "hurt.h5").write_bytes(hurt)
        more = asked | {"files": [str(tmp_path / "hurt.h5")], "file": str(tmp_path / "hurt.h5")}
        try:
            said = await one.ask(more | {"do": "tree", "path": "/", "depth": 2})
            assert said["kind"] == "group", number
        except (DataFileError, UnknownNameError, UsageError):
            continue
    assert await one.ask(asked | {"do": "slice", "path": "x", "slice": "1"})
    await one.aclose()
