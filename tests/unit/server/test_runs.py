"""Runs of the REST API: what goes in, what a failure says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nearfield.errors import PublishError, UnknownNameError
from nearfield_server.runs import RunManager, RunRequest


@pytest.mark.parametrize(
    "body",
    [
        {"template": "../../etc", "datasets": ["x"]},
        {"template": "--out", "datasets": ["x"]},
        {"template": "t", "datasets": []},
        {"template": "t", "datasets": ["a b"]},
        {"template": "t", "datasets": ["x"], "parameters": {"a=b": 1}},
        {"template": "t", "datasets": ["x"], "out": "/tmp/x"},
    ],
)
def test_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunRequest.model_validate(body)


class Scripted(RunManager):
    """Answers in place of the ``nearfield`` command."""

    def __init__(self, root: Path, answers: list[tuple[int, str, str]]) -> None:
        super().__init__(root)
        self.answers, self.asked = answers, []  # type: ignore[var-annotated]

    async def _command(self, argv: list[str], given: str = "") -> tuple[int, str, str]:
        self.asked.append((argv, given))
        return self.answers.pop(0)


REQUEST = RunRequest(template="t", datasets=("p1", "p2"), parameters={"roi": [1, 2], "name": "a b"})


async def test_a_run_and_its_publication(tmp_path: Path) -> None:
    done = '{"run_id": "r-1", "outputs": [{"path": "a.h5"}]}'
    manager = Scripted(tmp_path / "runs", [(0, done, ""), (0, '{"pid": "new"}', "")])
    run = await manager.start(REQUEST)
    assert run.status == "running"
    with pytest.raises(PublishError, match="running"):
        await manager.publish(run.id)
    await asyncio.gather(*manager._tasks.values())
    run = manager.get(run.id)
    assert (run.status, run.run_id, run.outputs) == ("completed", "r-1", ("a.h5",))
    assert Path(run.folder).parent == tmp_path / "runs"
    argv, given = manager.asked[0]
    assert argv[:3] == ["run", "t", "--out"]
    assert [argv[i + 1] for i, a in enumerate(argv) if a == "--dataset"] == ["p1", "p2"]
    assert argv[-2:] == ["--parameters-file", "-"] and "roi" not in " ".join(argv)
    assert json.loads(given) == {"roi": [1, 2], "name": "a b"}
    assert (await manager.publish(run.id)).published == "new"


async def test_a_failure_in_its_own_words(tmp_path: Path) -> None:
    manager = Scripted(tmp_path, [(2, "", "nearfield: unknown template 't'\n")])
    run = await manager.start(REQUEST)
    await asyncio.gather(*manager._tasks.values())
    assert manager.get(run.id).status == "failed"
    assert manager.get(run.id).message == "nearfield: unknown template 't'"
    with pytest.raises(UnknownNameError):
        manager.get("0" * 12)
