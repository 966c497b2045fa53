"""What the doctor says of one account."""

from __future__ import annotations

import getpass
import json
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nearfield.cli import run_command
from nearfield.doctor import Finding
from nearfield.errors import SpecRefusedError
from nearfield.scheduler.examination import LastSession, PathFacts

Make = Callable[..., Any]
ME = getpass.getuser()
NAME = "nearfield-00000000000000aa"


def only(findings: list[Finding], verdict: str) -> str:
    assert [f.verdict.value for f in findings] == [verdict]
    return f"{findings[0].message} {findings[0].hint}"


def test_an_account_that_does_not_exist(site: Make, ask: Make) -> None:
    words = only(ask("account", site(user="no-such-account")), "problem")
    assert "there is no Unix account no-such-account" in words


def test_below_the_least_uid_and_outside_the_group(
    site: Make, ask: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = pwd.struct_passwd(("alice", "x", 500, 500, "", "/home/alice", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _: account)
    _, low, outside = ask("account", site())
    assert "below launcher.min_uid (1000)" in low.message
    assert "not in the group people" in outside.message
    assert "gpasswd -a alice people" in outside.hint


def test_associations(site: Make, ask: Make, says: Make, conf: str) -> None:
    assert "physics" in only(ask("association", site()), "ok")
    none = {"sacctmgr -nP show assoc": says("")}
    assert "add user alice" in only(ask("association", site(none)), "problem")
    free = {"scontrol show config": says(conf.replace("associations,", ""))}
    assert "does not ask for one" in only(ask("association", site(none | free)), "ok")
    hidden = {"scontrol show config": says(conf.replace("= none", "= usage"))}
    only(ask("association", site(none | hidden)), "not checked")


def test_profiles(site: Make, ask: Make) -> None:
    assert "small" in only(ask("profiles", site(user=ME)), "ok")
    closed = site(
        user=ME,
        yaml="profiles: {a: {environment: default, hardware: local, users: [nobody-else]}}",
    )
    assert "no profile is open" in only(ask("profiles", closed), "problem")


def test_a_home_in_order(site: Make, ask: Make) -> None:
    home, sessions = ask("home", site())
    assert "5000 MB free" in home.message
    assert sessions.verdict.value == "ok"


def test_a_full_home(site: Make, ask: Make, examined: Make) -> None:
    full = examined().home.model_copy(update={"why": "No space left on device", "free_mb": 0})
    home, _ = ask("home", site(found=examined(home=full)))
    assert home.verdict.value == "problem"
    assert "No space left on device, 0 MB free" in home.message
    little = examined().home.model_copy(update={"free_mb": 3})
    home, _ = ask("home", site(found=examined(home=little)))
    assert home.verdict.value == "warning"


@pytest.mark.parametrize(
    ("wrong", "words"), [({"uid": 0}, "belongs to uid 0"), ({"mode": 0o777}, "mode 777")]
)
def test_a_sessions_folder_that_is_not_used(
    site: Make, ask: Make, examined: Make, wrong: dict[str, int], words: str
) -> None:
    sessions = examined().sessions.model_copy(update=wrong)
    _, found = ask("home", site(found=examined(sessions=sessions)))
    assert (found.verdict.value, words in found.message) == ("problem", True)


def test_who_cannot_be_asked(site: Make, ask: Make) -> None:
    refused = site(found=SpecRefusedError("refused: alice is not in the group 'people'"))
    for check in ("home", "storages", "images", "sessions"):
        assert "not in the group" in only(ask(check, refused), "not checked")


IMAGES = {
    ("ok", "alice may read it"): PathFacts(answer="yes"),
    ("not checked", "not on this host"): PathFacts(answer="absent"),
    ("problem", "stale"): PathFacts(answer="hangs", why="no answer"),
    ("problem", "/images is drwx------"): PathFacts(answer="no", why="/images is drwx------"),
}


@pytest.mark.parametrize("expected", IMAGES)
def test_paths_as_the_user_finds_them(
    site: Make, ask: Make, examined: Make, expected: tuple[str, str]
) -> None:
    facts = IMAGES[expected]
    found = site(found=examined(readable={"/images/a.sif": facts, "/data/raw": facts}))
    for check in ("images", "storages"):
        assert expected[1] in only(ask(check, found), expected[0])


def test_how_the_last_sessions_ended(site: Make, ask: Make, examined: Make) -> None:
    def session(**more: Any) -> LastSession:
        return LastSession(name=NAME, made=1.0, profile="small", **more)

    last = (
        session(exit_code=77, failure="the image is gone"),
        session(exit_code=1),
        session(exit_code=143),
        session(),
    )
    found = ask("sessions", site(found=examined(last=last, log="the last line")))
    assert [f.verdict.value for f in found] == ["problem", "warning", "ok", "ok"]
    assert "did not start: the image is gone" in found[0].message
    assert found[0].hint.endswith("the last line")
    assert found[1].hint == ""


# ---------------------------------------------------------------------- the command


def test_without_a_file_there_is_nothing_to_look_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nearfield.config.candidates", list)
    assert run_command(["doctor"]) == 3
    assert "--config" in capsys.readouterr().err


def test_a_broken_file_is_the_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nearfield.yaml"
    path.write_text("clusters: {lab: {sheduler: slurm}}")
    assert run_command(["--config", str(path), "doctor", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["check"], found["verdict"]) == ("configuration", "problem")
    assert "did you mean 'scheduler'" in found["message"]


def test_one_person_on_one_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nearfield.yaml"
    path.write_text("sessions: {named: true}")
    assert run_command(["--config", str(path), "doctor"]) == 0
    assert f"ok           configuration  {path} is valid" in capsys.readouterr().out
