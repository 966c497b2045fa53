"""What a node would say of an image's signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nearfield.checking.signatures import signature_holds
from nearfield.config import EnvironmentConfig
from nearfield.scheduler.node import examine


def environment(folder: Path, **more: Any) -> EnvironmentConfig:
    given = {"image": folder / "a.sif", "apptainer": "/bin/true", "keyring": folder}
    return EnvironmentConfig.model_validate({"signature": "required"} | given | more)


@pytest.fixture
def verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is found; the image is there."""
    (tmp_path / "a.sif").write_bytes(b"x")
    told: dict[str, Any] = {"verdict": "verified", "why": "", "signers": [], "name": ""}

    def verify(image: Any, _apptainer: str, rule: dict[str, Any], *_: object) -> None:
        assert rule["keyring"] == str(tmp_path)
        image.verdict = told

    monkeypatch.setattr(examine, "verify_image", verify)
    return told


@pytest.mark.parametrize(("rule", "severity"), [("required", "error"), ("warn", "warning")])
def test_not_verified(tmp_path: Path, verdict: dict[str, Any], rule: str, severity: str) -> None:
    made = environment(tmp_path, signature=rule)
    assert list(signature_holds("e", made)) == []
    verdict.update(verdict="unsigned", why="is not signed")
    (found,) = signature_holds("e", made)
    assert (found.severity, found.key) == (severity, "environments.e.signature")
    assert found.what == f"{tmp_path / 'a.sif'} is not signed"
    assert "apptainer sign" in found.fix


def test_what_cannot_be_told_here_is_a_note(
    tmp_path: Path, verdict: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict.update(verdict="unsigned")
    told = []
    for made in (
        environment(tmp_path, apptainer="/nosuch"),
        environment(tmp_path, image=tmp_path / "gone.sif"),
    ):
        (found,) = signature_holds("e", made)
        told.append((found.severity, found.what))

    def denied(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(examine, "Examined", denied)
    (found,) = signature_holds("e", environment(tmp_path))
    assert [*told, (found.severity, found.what)] == [
        ("note", f"{tmp_path}/a.sif was not verified: /nosuch cannot be run on this host"),
        ("note", f"{tmp_path}/gone.sif is not on this host"),
        ("note", f"{tmp_path}/a.sif cannot be read by this account: Permission denied"),
    ]
    assert found.fix.startswith("ask on a node")


def test_nothing_is_asked_where_no_rule_is() -> None:
    made = EnvironmentConfig.model_validate({"image": "/a.sif"})
    assert list(signature_holds("e", made)) == []
