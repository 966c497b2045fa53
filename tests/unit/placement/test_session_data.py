"""A dataset that is added while the session runs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nearfield.cli import run_command
from nearfield.datasets import DatasetFiles
from nearfield.errors import BlockedError, DatasetNotPermittedError, UsageError
from nearfield.session_data import Session, add, check_request, show


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.h5", "sub/b.h5", "c.h5"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def session(tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    folder = tmp_path / "nearfield-0123456789abcdef"
    (folder / "data").mkdir(parents=True)
    start = {"pid": "start", "slug": "start-1", "folder": str(raw), "files": [f"{raw}/c.h5"]}
    mount = {"source": str(raw), "target": str(raw), "read_only": True, "required": False}
    task = {"image": "/i.sif", "mounts": [mount], "datasets": [start]}
    (folder / "session.json").write_text(json.dumps({"version": 1, "task": task}))
    monkeypatch.setenv("NEARFIELD_SESSION_DIR", str(folder))
    monkeypatch.setenv("NEARFIELD_DATA", "/data")
    return Session.current()


def files(raw: Path, *names: str, pid: str = "p1") -> DatasetFiles:
    paths = tuple(f"{raw}/{name}" for name in names)
    return DatasetFiles(pid=pid, slug=f"{pid}-slug", paths=paths)


def links(session: Session) -> dict[str, str]:
    data = session.folder / "data"
    found = (p for p in data.rglob("*") if p.is_symlink())
    return {str(p.relative_to(data)): str(p.readlink()) for p in found}


def test_added_linked_and_listed(session: Session, raw: Path) -> None:
    [one] = add(session, [files(raw, "a.h5", "sub/b.h5")])
    assert (one.pid, one.path, one.root) == ("p1", "/data/p1-slug", f"{raw}/a.h5")
    assert (one.added, one.problem, one.not_linked) == (True, "", ())
    assert links(session) == {
        "p1-slug/a.h5": f"{raw}/a.h5",
        "p1-slug/sub/b.h5": f"{raw}/sub/b.h5",
    }
    assert [(d.pid, d.added) for d in show(session)] == [("start", False), ("p1", True)]


def test_a_second_time_changes_nothing(session: Session, raw: Path) -> None:
    first = add(session, [files(raw, "a.h5")])
    before = links(session)
    assert add(session, [files(raw, "a.h5")]) == first
    assert links(session) == before
    # One of the start is not called an added one.
    [again] = add(session, [files(raw, "c.h5", pid="start").model_copy(update={"slug": "start-1"})])
    assert again.added is False
    assert [d.pid for d in show(session)] == ["start", "p1"]


def test_all_or_none(session: Session, raw: Path) -> None:
    with pytest.raises(BlockedError, match=r"dataset p2: .*gone\.h5 is not on this node"):
        add(session, [files(raw, "a.h5"), files(raw, "gone.h5", pid="p2")])
    assert links(session) == {}
    assert [d.pid for d in show(session)] == ["start"]


def test_what_the_image_does_not_have(session: Session, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.h5").touch()
    with pytest.raises(BlockedError, match="in no folder that this session's image has") as caught:
        add(session, [files(other, "x.h5")])
    assert "start a session with it" in str(caught.value.hint)


def test_what_this_account_may_not_read(
    session: Session, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("sub/b.h5"))
    with pytest.raises(DatasetNotPermittedError, match=r"may not read .*sub/b\.h5: permission"):
        add(session, [files(raw, "a.h5", "sub/b.h5")])
    assert links(session) == {}


def test_a_record_cannot_lead_out_of_the_data_folder(
    session: Session, raw: Path, tmp_path: Path
) -> None:
    home = tmp_path / "victim"
    home.mkdir()
    (raw / "evil").symlink_to(home)
    (raw / "evil/x").write_text("mine")
    with pytest.raises(UsageError, match="lies below"):
        add(session, [files(raw, "a.h5", "evil", "evil/x")])
    # Somebody has put a link where the folder of links would be.
    (session.folder / "data/p1-slug").symlink_to(home)
    [one] = add(session, [files(raw, "a.h5")])
    assert one.not_linked == (f"{raw}/a.h5: Not a directory",)
    assert [p.name for p in home.iterdir()] == ["x"]


def test_what_has_gone_since_is_said(session: Session, raw: Path) -> None:
    add(session, [files(raw, "a.h5")])
    (raw / "a.h5").unlink()
    problems = {d.pid: d.problem for d in show(session)}
    assert problems == {"start": "", "p1": f"{raw}/a.h5: No such file or directory"}


def test_strange_files_in_the_folder_are_left_out(session: Session) -> None:
    (session.folder / "added").mkdir()
    (session.folder / "added/x.json").write_text("{")
    (session.folder / "added/y.json").write_text('{"pid": 1}')
    assert [d.pid for d in show(session)] == ["start"]


@pytest.mark.parametrize("pids", [[], ["p"] * 3 + [f"p{n}" for n in range(200)]])
def test_how_many(pids: list[str]) -> None:
    with pytest.raises(UsageError, match="one to 200"):
        check_request(pids)


def test_outside_a_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NEARFIELD_SESSION_DIR", raising=False)
    assert run_command(["session", "show"]) == 3
    assert "this is no Nearfield session" in capsys.readouterr().err
    monkeypatch.setenv("NEARFIELD_SESSION_DIR", str(tmp_path))
    assert run_command(["session", "show"]) == 3
    assert "cannot be read" in capsys.readouterr().err


def test_the_commands(
    session: Session, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    async def found(source: object, pids: list[str]) -> list[DatasetFiles]:
        asked.extend(pids)
        return [files(raw, "a.h5", pid=pid) for pid in pids]

    monkeypatch.setattr("nearfield.api.files_of", found)
    monkeypatch.setenv("NEARFIELD_CATALOGUE_URL", "http://127.0.0.1:1/catalogue")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "t0ken")
    assert run_command(["session", "add", "p1", "p2", "p1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [d["pid"] for d in told["datasets"]] == asked == ["p1", "p2"]
    assert run_command(["session", "show"]) == 0
    shown = capsys.readouterr().out
    assert f"$NEARFIELD_DATA is {session.data}\n" in shown
    assert re.search(r"^p1 +p1-slug +", shown, re.MULTILINE)
    assert "at start" in shown and "added" in shown
