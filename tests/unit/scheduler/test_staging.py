"""The session folder: private, complete or not there, and honest about why not."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from nearfield.errors import SubmitError
from nearfield.scheduler import CommandTask, JobSpec, SessionTask, staging


def spec(name: str = "nf-1", **task: Any) -> JobSpec:
    given = {"environment": {"JUPYTERHUB_API_TOKEN": SecretStr("s3cret")}} | task
    return JobSpec(name=name, cluster="c", user="alice", profile="p", task=SessionTask(**given))


def test_what_is_in_it(tmp_path: Path) -> None:
    folder = staging.stage(spec(), tmp_path / "nearfield/sessions")
    assert sorted(p.name for p in folder.iterdir()) == [
        "data", "environment.json", "log", "session.json",
    ]  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("session.json", "environment.json", "log"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (folder / "session.json").read_text()
    assert json.loads((folder / "environment.json").read_text()) == {
        "JUPYTERHUB_API_TOKEN": "s3cret"
    }
    session = json.loads((folder / "session.json").read_text())
    assert session["task"]["bind_address"] == "0.0.0.0"
    assert session["hardware"] == spec().hardware.model_dump()


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = staging.stage(spec(), tmp_path / "nearfield/sessions")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert (folder / "environment.json").stat().st_mode & 0o777 == 0o600


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    staging.stage(spec(), tmp_path)
    with pytest.raises(SubmitError, match="submitted before"):
        staging.stage(spec(), tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sessions").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SubmitError, match="symbolic link"):
        staging.stage(spec(), tmp_path / "sessions")
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "real/nf-1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SubmitError):
        staging.stage(spec(), tmp_path / "real")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    sessions.chmod(0o770)
    with pytest.raises(SubmitError, match="may write there"):
        staging.stage(spec(), sessions)


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sessions").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(SubmitError, match="belongs to another account"):
        staging.stage(spec(), tmp_path / "sessions")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EDQUOT, "quota"), (errno.ENOSPC, "full"), (errno.EROFS, "read-only")],
)
def test_a_full_disk_leaves_nothing_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def full(_fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SubmitError, match=f"nf-1 cannot be made: .*\n.*{words}"):
        staging.stage(spec(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "nearfield").write_text("")
    with pytest.raises(SubmitError, match="nearfield"):
        staging.stage(spec(), tmp_path / "nearfield/sessions")


def test_a_command_has_no_address(tmp_path: Path) -> None:
    command = spec().model_copy(update={"task": CommandTask(argv=("x",))})
    folder = staging.stage(command, tmp_path, bind_address="127.0.0.1")
    assert json.loads((folder / "session.json").read_text())["task"] == {
        "kind": "command", "argv": ["x"],
    }  # fmt: skip


def test_old_folders_go_and_others_stay(tmp_path: Path) -> None:
    day = 86400
    now = time.time()
    for name, age, ended in (
        ("old", 20, True),
        ("new", 3, True),
        ("lost", 70, False),
        ("queued", 30, False),
    ):
        folder = staging.stage(spec(f"nf-{name}"), tmp_path)
        (folder / "data/x").symlink_to("/etc/passwd")
        if ended:
            (folder / "result.json").write_text("{}")
        for path in (*folder.iterdir(), folder):
            os.utime(path, (now - age * day, now - age * day))
    (tmp_path / "link").symlink_to("/etc")
    assert staging.prune(tmp_path) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "nf-new", "nf-queued"]
    assert Path("/etc/passwd").exists()


def test_pruning_is_bounded_and_never_fails(tmp_path: Path) -> None:
    for number in range(5):
        (staging.stage(spec(f"nf-{number}"), tmp_path) / "result.json").write_text("{}")
    future = time.time() + 100 * 86400
    assert staging.prune(tmp_path, now=future, at_most=3) == 3
    assert staging.prune(tmp_path, now=future, at_most=3) == 2
    assert staging.prune(tmp_path / "nosuch") == 0


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    folder = staging.stage(spec(), tmp_path)
    (folder / "log").write_bytes(b"x" * 200_000 + b"\nlast \x1b[31mred\x1b[0m\x07 \xff\n\ttab\n")
    assert staging.log_tail(tmp_path, "nf-1", 2) == "last [31mred[0m \ufffd\n\ttab"
    assert len(staging.log_tail(tmp_path, "nf-1", 3)) < 600
    assert staging.log_tail(tmp_path, "nf-1", 0) == ""
    assert staging.log_tail(tmp_path, "nf-no", 3) == ""


def test_a_log_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    folder = staging.stage(spec(), tmp_path)
    (folder / "log").unlink()
    (folder / "log").symlink_to("/etc/passwd")
    assert staging.log_tail(tmp_path, "nf-1", 3) == ""
    (folder / "log").unlink()
    os.mkfifo(folder / "log")
    assert staging.log_tail(tmp_path, "nf-1", 3) == ""


def test_a_withdrawn_name_is_taken_for_good(tmp_path: Path) -> None:
    assert staging.withdraw(tmp_path / "sessions", "nf-1") is True
    assert staging.withdraw(tmp_path / "sessions", "nf-1") is False
    with pytest.raises(SubmitError, match="cannot be made"):
        staging.stage(spec("nf-1"), tmp_path / "sessions")


def test_what_cannot_be_said_is_no_withdrawal(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("no folder")
    assert staging.withdraw(tmp_path / "sessions", "nf-1") is False


def test_the_tokens_of_a_cancelled_job_are_forgotten(tmp_path: Path) -> None:
    sessions = tmp_path / "nearfield/sessions"
    folder = staging.stage(spec(), sessions)
    staging.forget_secrets(sessions, folder.name)
    assert not (folder / "environment.json").exists()
    assert (folder / "session.json").exists()
    staging.forget_secrets(sessions, folder.name)  # twice is no error


@pytest.mark.parametrize("name", ["..", "../other", "", ".", "link"])
def test_nothing_outside_of_a_session_is_forgotten(tmp_path: Path, name: str) -> None:
    sessions = tmp_path / "nearfield/sessions"
    staging.stage(spec(), sessions)
    other = tmp_path / "nearfield/other"
    other.mkdir()
    (sessions / "link").symlink_to(other)
    kept = [f / "environment.json" for f in (sessions, sessions.parent, other)]
    for path in kept:
        path.write_text("{}")
    staging.forget_secrets(sessions, name)
    assert all(path.exists() for path in kept)
