"""What an account finds: homes, session folders, images; with files of this account's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from nearfield.config import Config, parse_config
from nearfield.scheduler import examination
from nearfield.scheduler.examination import examine, last_sessions, readable

NAME = "nearfield-00000000000000a{0}"


def config(image: Path, prefix: Path) -> Config:
    return parse_config(
        json.dumps(
            {
                "storages": {"raw": {"prefix": str(prefix)}},
                "environments": {"default": {"image": str(image)}},
            }
        )
    )


def session(sessions: Path, number: int, **files: object) -> Path:
    folder = sessions / NAME.format(number)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    os.utime(folder, (number, number))
    return folder


def test_an_account_in_order(tmp_path: Path) -> None:
    image, sessions = tmp_path / "a.sif", tmp_path / "sessions"
    image.write_text("x")
    session(sessions, 1)
    found = examine(config(image, tmp_path), sessions)
    assert found.uid == os.geteuid()
    assert found.sessions.why == ""
    assert found.sessions.free_mb is not None
    assert found.sessions.clock_ahead == pytest.approx(0, abs=5)
    assert {facts.answer for facts in found.readable.values()} == {"yes"}
    assert [p.name for p in sessions.iterdir()] == [NAME.format(1)]  # nothing is left behind


def test_what_is_not_there_is_told_apart(tmp_path: Path) -> None:
    empty = tmp_path / "empty.sif"
    empty.touch()
    assert readable(str(empty)).why == "the file is empty"
    assert readable(str(tmp_path / "nosuch.sif")).answer == "absent"
    assert readable(str(empty / "below")).answer == "no"


LOOK = """
import os, sys
from nearfield.scheduler.examination import readable
if os.geteuid() == 0:  # root may read everything: look as nobody
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
print(readable(sys.argv[1]).why)
"""


def test_the_folder_that_stops_an_account_is_named() -> None:
    # pytest's own folders are closed to others, and would be named instead.
    with tempfile.TemporaryDirectory(prefix="nearfield-test-") as name:
        Path(name).chmod(0o755)
        shut = Path(name) / "shut"
        (shut / "in").mkdir(parents=True)
        shut.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", LOOK, str(shut / "in/a.sif")],
            capture_output=True,
            text=True,
            check=True,
        )
        shut.chmod(0o700)
    assert str(shut) in done.stdout


def test_a_hung_mount_costs_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(examination, "SECONDS", 0.05)
    monkeypatch.setattr(examination, "_look", lambda _: release.wait(60))
    try:
        assert readable(str(tmp_path)).answer == "hangs"
    finally:
        release.set()


def test_a_folder_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    facts = examination._folder(tmp_path / "file", tmp_path)
    assert facts.why == "Not a directory"


def test_the_newest_sessions_come_first(tmp_path: Path) -> None:
    for number in range(1, 5):
        session(tmp_path, number, session={"profile": "small"})
    session(
        tmp_path,
        9,
        session={"profile": "large"},
        result={"exit_code": 77, "ended": 9.5},
        failure={"reason": "image", "message": "the image\x1b[2J is gone"},
    )
    (tmp_path / "somebody-else").mkdir()
    (tmp_path / NAME.format(8)).symlink_to(tmp_path)
    newest, *rest = last_sessions(tmp_path)
    assert (newest.profile, newest.exit_code, newest.ended) == ("large", 77, 9.5)
    assert newest.failure == "the image [2J is gone"
    assert [s.name for s in rest] == [NAME.format(4), NAME.format(3)]
    assert rest[0].exit_code is None


def test_broken_files_are_no_reason_to_fail(tmp_path: Path) -> None:
    folder = session(tmp_path, 1, session=["profile"], result={"exit_code": "0", "ended": True})
    (folder / "failure.json").symlink_to("/etc/passwd")
    (found,) = last_sessions(tmp_path)
    assert (found.profile, found.exit_code, found.failure) == ("", None, "")


def test_no_sessions_yet(tmp_path: Path) -> None:
    found = examine(Config(), tmp_path / "nosuch")
    assert (found.last, found.log) == ((), "")
    assert found.sessions.mode is None
