"""Images: there, open to the people, and they start."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import Any

import pytest

from nearfield.checking import reach
from nearfield.checking.finding import Finding
from nearfield.checking.images import check_image
from nearfield.config import Config
from nearfield.scheduler.commands import Result

OWN_GROUP = grp.getgrgid(os.getegid()).gr_name


class Apptainer:
    """Remembers what it was asked to run."""

    def __init__(self, code: int = 0, err: str = "") -> None:
        self.answer, self.asked = Result(code, "", err), list[list[str]]()

    def __call__(self, argv: list[str]) -> Result:
        self.asked.append(argv)
        return self.answer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose parents are open, whatever this machine's are."""
    closed = reach._closed
    monkeypatch.setattr(
        reach,
        "_closed",
        lambda path, *rest: iter(()) if path in tmp_path.parents else closed(path, *rest),
    )
    tmp_path.chmod(0o755)
    (tmp_path / "a.sif").write_bytes(b"x")
    (tmp_path / "a.sif").chmod(0o644)
    program = tmp_path / "apptainer"
    program.touch(mode=0o755)
    return tmp_path


def site(folder: Path, image: str = "a.sif", **more: Any) -> Config:
    environment = {"image": str(folder / image), "apptainer": str(folder / "apptainer")}
    return Config.model_validate(
        {
            "clusters": {"lab": {}},
            "environments": {"e": environment | more.pop("environment", {})},
            "hardware": {"h": {"cluster": "lab"}},
            "profiles": {"p": {"environment": "e", "hardware": "h"} | more.pop("profile", {})},
        }
        | more
    )


def check(config: Config, run: Apptainer | None = None) -> list[Finding]:
    return list(check_image("e", config, run or Apptainer()))


def test_in_order(folder: Path) -> None:
    mounts = [
        {"source": str(folder)},
        {"source": "/nosuch", "required": False},
    ]
    run = Apptainer()
    assert check(site(folder, environment={"mounts": mounts}), run) == []
    (argv,) = run.asked
    assert argv[:4] == [str(folder / "apptainer"), "exec", "--no-mount", "cwd,tmp"]
    assert argv[4:] == [
        "--mount",
        f"type=bind,source={folder},destination={folder},ro",
        str(folder / "a.sif"),
        "true",
    ]


def test_no_image_is_nothing_to_check(folder: Path) -> None:
    config = Config.model_validate({"environments": {"e": {}}, "profiles": {}})
    assert check(config) == []


def test_not_there_and_empty(folder: Path) -> None:
    (found,) = check(site(folder, "b.sif"))
    assert (found.severity, found.key) == ("error", "environments.e.image")
    assert "No such file" in found.what
    (folder / "c.sif").touch(mode=0o644)
    assert "is empty" in check(site(folder, "c.sif"))[0].what


def test_closed_to_people(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir(mode=0o750)
    (inner / "a.sif").write_bytes(b"x")
    (inner / "a.sif").chmod(0o600)
    run = Apptainer()
    first, second = check(site(folder, "inner/a.sif"), run)
    assert first.what == f"{inner} can be entered by group {OWN_GROUP} alone (mode 0750)"
    assert first.fix == f"chmod o+x {inner}"
    assert second.what == f"{inner / 'a.sif'} can be read by its owner alone (mode 0600)"
    assert run.asked == []


@pytest.mark.parametrize(
    ("more", "open_to_all"),
    [
        ({"launcher": {"group": OWN_GROUP}}, True),
        ({"profile": {"groups": [OWN_GROUP]}}, True),
        ({"profile": {"groups": [OWN_GROUP, "others"]}}, False),
        ({"profile": {"groups": [OWN_GROUP], "users": ["bob"]}}, False),
    ],
)
def test_a_group_that_all_of_them_are_in_is_enough(
    folder: Path, more: dict[str, Any], open_to_all: bool
) -> None:
    (folder / "a.sif").chmod(0o640)
    found = check(site(folder, **more))
    assert (found == []) is open_to_all


def test_an_acl_makes_it_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_has_acl", lambda path: path.name == "a.sif")
    (folder / "a.sif").chmod(0o600)
    run = Apptainer()
    (found,) = check(site(folder), run)
    assert found.severity == "warning" and "ACL" in found.what
    assert run.asked


def test_a_link_leads_through_the_folders_of_its_target(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed" / "real.sif").write_bytes(b"x")
    (folder / "closed" / "real.sif").chmod(0o644)
    (folder / "link.sif").symlink_to(folder / "closed" / "real.sif")
    (found,) = check(site(folder, "link.sif"))
    assert str(folder / "closed") in found.what and "entered" in found.what


def test_does_not_start(folder: Path) -> None:
    said = "INFO: x\nFATAL:   container creation failed: no such mount\n"
    (found,) = check(site(folder), Apptainer(255, said))
    assert (found.severity, found.what) == (
        "error",
        "does not start: FATAL:   container creation failed: no such mount",
    )


def test_what_is_not_on_this_host(folder: Path) -> None:
    (found,) = check(site(folder, environment={"apptainer": "/nosuch/apptainer"}))
    assert (found.severity, found.what) == (
        "note",
        "not started: /nosuch/apptainer cannot be run on this host",
    )
    mounts = [{"source": "/nosuch"}]
    (found,) = check(site(folder, environment={"mounts": mounts}))
    assert (found.severity, found.key) == ("warning", "environments.e.mounts")


def test_verification_is_asked_for(folder: Path) -> None:
    told = Finding(severity="error", key="environments.e.signature", what="tampered")
    found = list(check_image("e", site(folder), Apptainer(), lambda *_: iter([told])))
    assert found == [told]
