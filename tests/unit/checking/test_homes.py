"""A storage is bound read-only over what is below its prefix: homes must not be."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path
from typing import Any

import pytest

from nearfield.checking.homes import check_homes, homes_of
from nearfield.config import Config


def config(*, group: str | None = None, **storages: dict[str, Any]) -> Config:
    return Config.model_validate({"storages": storages, "launcher": {"group": group}})


def account(name: str, uid: int, home: str) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", home, "/bin/sh"))


def test_homes_in_a_read_only_storage() -> None:
    homes = {"alice": "/gpfs/home/alice", "bob": "/gpfs/home/bob", "carol": "/home/carol"}
    (found,) = check_homes(config(all={"prefix": "/gpfs"}), homes)
    assert (found.severity, found.key) == ("error", "storages.all.prefix")
    assert found.what == (
        "/gpfs holds homes (/gpfs/home/alice of alice and 1 more): in images they are read-only"
    )
    assert "read_only: false" in found.fix


@pytest.mark.parametrize(
    "storages",
    [
        {"raw": {"prefix": "/gpfs/raw"}},
        {"raw": {"prefix": "/gpfs/hom"}},
        {"all": {"prefix": "/gpfs", "read_only": False}},
        {"all": {"prefix": "/gpfs"}, "homes": {"prefix": "/gpfs/home", "read_only": False}},
        {},
    ],
)
def test_homes_that_stay_writable(storages: dict[str, dict[str, Any]]) -> None:
    assert list(check_homes(config(**storages), {"alice": "/gpfs/home/alice"})) == []


def test_a_home_that_is_a_link_into_a_storage(tmp_path: Path) -> None:
    (tmp_path / "gpfs/alice").mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "gpfs")
    (found,) = check_homes(
        config(all={"prefix": str(tmp_path / "gpfs")}), {"alice": f"{tmp_path}/home/alice"}
    )
    assert f"({tmp_path}/gpfs/alice of alice)" in found.what


def test_whose_homes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"alice": account("alice", 20001, "/home/alice")}
    people = grp.struct_group(("people", "x", 1, ["alice", "nobody-any-more"]))
    monkeypatch.setattr(grp, "getgrnam", {"people": people}.__getitem__)
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
    root, bob = account("root", 0, "/root"), account("bob", 20002, "/home/bob")
    assert homes_of(config(group="people"), root) == {"alice": "/home/alice"}
    assert homes_of(config(), bob) == {"bob": "/home/bob"}
    assert homes_of(config(group="no-such"), bob) == {"bob": "/home/bob"}
