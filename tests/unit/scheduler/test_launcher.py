"""The launcher's parts that need neither sudo nor Slurm."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from nearfield.config import Config, LauncherConfig, Storage
from nearfield.errors import BlockedError, SpecRefusedError
from nearfield.scheduler import JobState, JobStatus, PathAccess, launcher, launcher_guard, wire

ROOT = os.geteuid() == 0


def test_a_configuration_must_have_trusted_parents(tmp_path: Path) -> None:
    """/tmp, where this is, may be written by everybody."""
    path = tmp_path / "nearfield.yaml"
    path.write_text("{}")
    with pytest.raises(SpecRefusedError, match=r"may write|belongs to"):
        launcher_guard.root_owned_config((path,))


def test_no_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(BlockedError, match="no configuration"):
        launcher_guard.root_owned_config((tmp_path / "nosuch",))


def test_a_dangling_link_is_no_missing_file(tmp_path: Path) -> None:
    link = tmp_path / "nearfield.yaml"
    link.symlink_to(tmp_path / "nosuch")
    with pytest.raises((SpecRefusedError, FileNotFoundError)):
        launcher_guard.root_owned_config((link,))


def test_modes_and_owners(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    me = os.geteuid()
    launcher_guard._check(path, path.stat(), me)
    for mode in (0o664, 0o646):
        path.chmod(mode)
        with pytest.raises(SpecRefusedError, match="chmod go-w"):
            launcher_guard._check(path, path.stat(), me)


def test_the_audit_line_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_guard, "_to_syslog", lambda _: None)
    log = tmp_path / "audit"
    config = Config(launcher=LauncherConfig(audit_log=log))
    launcher_guard.audit(config, {"verb": "submit", "profile": 'a\nuser=root "x"'}, "ok")
    assert not log.exists()  # never made by the launcher
    log.touch()
    launcher_guard.audit(config, {"verb": "submit", "profile": 'a\nuser=root "x"'}, "ok")
    launcher_guard.audit(config, {"verb": "find"}, "SpecRefusedError: no")
    first, second = log.read_text().splitlines()
    assert f"uid={os.getuid()} " in first
    assert first.endswith('verb=submit profile="a?user=root ?x?" verdict=ok')
    assert second.endswith('verb=find verdict="SpecRefusedError: no"')


def test_the_audit_log_may_not_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_guard, "_to_syslog", lambda _: None)
    (tmp_path / "target").touch()
    (tmp_path / "audit").symlink_to(tmp_path / "target")
    config = Config(launcher=LauncherConfig(audit_log=tmp_path / "audit"))
    launcher_guard.audit(config, {}, "ok")
    assert (tmp_path / "target").read_text() == ""


@pytest.mark.skipif(not ROOT, reason="shows that root is refused")
def test_root_is_refused() -> None:
    answer = json.loads(launcher._serve(b"{}"))
    assert answer["error"]["kind"] == "SpecRefusedError"
    assert "system account with uid 0" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (LauncherConfig(), "launcher.group is not set"),
        (LauncherConfig(group="no-such-group"), "not in the group"),
        (LauncherConfig(group="root", min_uid=30_000), "below launcher.min_uid"),
    ],
)
def test_whom_it_does_not_act_for(rules: LauncherConfig, words: str) -> None:
    account = pwd.struct_passwd(("alice", "x", 20_001, 20_001, "", "/home/alice", "/bin/sh"))
    with pytest.raises(SpecRefusedError, match=words):
        launcher._may_be_acted_for(account, Config(launcher=rules))


def test_an_unexpected_error_tells_nothing_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(launcher, "_account", broken)
    monkeypatch.setattr(launcher, "audit", lambda *_: None)
    assert json.loads(launcher._serve(b"")) == {
        "ok": False,
        "error": {
            "kind": "SchedulerError",
            "message": "the launcher failed: RuntimeError",
            "hint": None,
        },
    }


def test_every_verb_is_served() -> None:
    assert set(launcher._VERBS) == set(wire.FIELDS)


def test_nobody_may_look_into_it() -> None:
    """And it may still open its own descriptors by name, as the check of an image does."""
    import subprocess
    import sys

    program = """if True:
        import ctypes, os
        from nearfield.scheduler import launcher
        def answer(raw):
            open(f"/proc/self/fd/{os.open('/etc/hosts', os.O_RDONLY)}").close()
            return str(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
        launcher._refuse_untrusted_code = lambda: answer(b"")
        print(answer(b""), flush=True)
        launcher.main()
    """
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, input=b"", capture_output=True, check=True, timeout=30)
    assert done.stdout == b"1\n0\n"


def test_importing_it_needs_no_asyncio() -> None:
    """Its start-up time is part of every spawn."""
    import subprocess
    import sys

    code = "import sys, nearfield.scheduler.launcher; print({'asyncio', 'httpx'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ---------------------------------------------------------------------- names


NAME = "nearfield-00000000000000aa"


class Queue:
    """An account with these jobs."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names, self.ended, self.asked = names, list[str](), list[str]()

    def name_of(self, number: str) -> str | None:
        return self.names.get(number)

    def names_of(self, numbers: list[str]) -> dict[str, str]:
        return {n: self.names[n] for n in numbers if n in self.names}

    def find(self, _name: str) -> None:
        raise AssertionError

    def withdraw(self, _name: str) -> bool:
        raise AssertionError

    def log_tail(self, _name: str, _lines: int) -> None:
        raise AssertionError

    def cancel(self, number: str, name: str) -> None:
        assert self.names[number] == name
        self.ended.append(number)

    def status(self, numbers: list[str]) -> dict[str, JobStatus]:
        self.asked += numbers
        return {n: JobStatus(state=JobState.RUNNING, host="na1") for n in numbers}


def test_nothing_is_told_of_paths_outside_of_the_storages(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    config = Config(storages={"raw": Storage(prefix=tmp_path / "raw")})
    raw, home = f"{tmp_path}/raw", f"{tmp_path}/home"
    outside = ["/etc/hosts", home, f"{raw}/../home", f"{raw}/..", f"{raw}er", f"/{raw}", "/"]
    asked: list[str] = []

    class Account:
        def access(self, paths: list[str]) -> dict[str, PathAccess]:
            asked.extend(paths)
            return dict.fromkeys(paths, PathAccess.NO)

    account: Any = Account()
    told: Any = launcher._access({"paths": [raw, f"{raw}/a..b", *outside]}, account, config)
    assert asked == [raw, f"{raw}/a..b"]
    assert told == {raw: "no", f"{raw}/a..b": "no"} | dict.fromkeys(outside, "unknown")
    none: Any = launcher._access({"paths": ["/etc/hosts"]}, account, Config())
    assert none == {"/etc/hosts": "unknown"}


@pytest.mark.parametrize(
    "name",
    ["nf-core", "nearfield-x", "nearfield-", f"{NAME}0", f"{NAME}\n", NAME.upper(), f"x{NAME}"],
)
def test_a_job_of_another_name_is_not_the_hubs(name: str) -> None:
    queue: Any = Queue({"7": name, "8": NAME})
    with pytest.raises(SpecRefusedError, match="7 is not a session"):
        launcher._cancel({"number": "7"}, queue, {})
    for verb in (launcher._find, launcher._withdraw, launcher._log_tail):
        with pytest.raises(SpecRefusedError, match="session's name is nearfield-<16"):
            verb({"name": name, "lines": 1}, queue)
    told: Any = launcher._status({"numbers": ["7", "8", "9"]}, queue)
    assert (told["7"]["state"], told["7"]["reason"]) == ("unknown", "not a session")
    assert told["7"]["host"] is None
    assert told["8"]["state"] == told["9"]["state"] == "running"
    assert queue.asked == ["8", "9"]
    launcher._cancel({"number": "8"}, queue, {})
    assert queue.ended == ["8"]


# ---------------------------------------------------------------------- whose code


def test_a_python_variable_is_refused() -> None:
    launcher_guard.only_roots_code([], {"PATH": "x", "MY_PYTHON": "x"})
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONX"):
        with pytest.raises(SpecRefusedError, match=f"variable {name} is set"):
            launcher_guard.only_roots_code([], {name: ""})


def test_a_module_path_that_others_write_is_refused(tmp_path: Path) -> None:
    """/tmp, where this is, may be written by everybody."""
    launcher_guard.only_roots_code(["/usr", "/", "/usr/nosuch.zip"], {})
    (tmp_path / "to-usr").symlink_to("/usr")
    for path in (tmp_path, tmp_path / "nosuch", tmp_path / "to-usr"):
        with pytest.raises(SpecRefusedError, match=r"may write|belongs to"):
            launcher_guard.only_roots_code(["/usr", str(path)], {})


def test_the_working_directory_is_no_place_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecRefusedError, match=r"may write|belongs to"):
        launcher_guard.only_roots_code([""], {})


def test_the_accounts_own_packages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_guard, "_user_site", lambda: "/usr/nosuch/site-packages")
    with pytest.raises(SpecRefusedError, match="/usr/nosuch/site-packages is on the module path"):
        launcher_guard.only_roots_code(["/usr/nosuch/site-packages"], {})


def test_the_refusal_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(launcher, "audit", lambda *words: told.append(words))
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", "/x")
    answer = json.loads(launcher._refuse_untrusted_code() or "")
    assert answer["error"]["kind"] == "SpecRefusedError"
    assert "PYTHONPATH" in answer["error"]["message"]
    assert len(told) == 1
