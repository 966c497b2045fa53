"""Images as the submitting host sees them, and their cards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nearfield.config import EnvironmentConfig
from nearfield.errors import ImageRefusedError, SubmitError
from nearfield.scheduler import images
from nearfield.scheduler.jobspec import CommandTask, SessionTask, Signature
from nearfield.scheduler.node import examine, signature


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.sif"
    path.write_bytes(b"x")
    return path


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What verification finds; set by the test."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(signature, "read_keyring", lambda _: (b"k", {}, ""))
    monkeypatch.setattr(examine, "read_keyring", lambda _: (b"k", {}, ""))
    monkeypatch.setattr(examine, "verify_file", lambda *_: dict(found))
    return found


def environment(image: Path, **more: Any) -> EnvironmentConfig:
    rule = {"signature": "required", "keyring": Path("/etc/keys"), "apptainer": Path("/bin/true")}
    return EnvironmentConfig(image=image, **rule | more)


def task(image: Path, rule: str = "required", apptainer: str = "/bin/true") -> SessionTask:
    made = Signature.model_validate({"rule": rule, "keyring": "/etc/keys"})
    return SessionTask(image=str(image), apptainer=apptainer, signature=made)


def test_a_good_image(image: Path, verdict: dict[str, Any], tmp_path: Path) -> None:
    verdict.update(signature.verdict_of("verified", "", ["a" * 40], "Site"))
    report = images.verify_image(environment(image), cache=tmp_path)
    assert report is not None
    assert (report.verdict, report.signers, report.name) == ("verified", ("a" * 40,), "Site")
    assert not report.refused
    assert report.message == ""
    images.refuse_image(task(image), tmp_path)
    narrowed = images.verify_image(environment(image, signers=("b" * 40,)), cache=tmp_path)
    assert narrowed is not None
    assert narrowed.verdict == "not-allowed"


def test_a_wrong_image_is_refused_before_the_submit(
    image: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    verdict.update(signature.verdict_of("unsigned", "is not signed"))
    with pytest.raises(ImageRefusedError, match=r"a\.sif is not signed; have it signed") as caught:
        images.refuse_image(task(image), tmp_path)
    assert isinstance(caught.value, SubmitError)
    images.refuse_image(task(image, "warn"), tmp_path)
    report = images.verify_image(environment(image, signature="warn"), cache=tmp_path)
    assert report is not None
    assert report.refused


def test_what_cannot_be_told_from_here_is_left_to_the_node(
    image: Path, verdict: dict[str, Any], tmp_path: Path
) -> None:
    images.refuse_image(task(tmp_path / "nosuch.sif"), tmp_path)
    images.refuse_image(task(image, apptainer="/nosuch/apptainer"), tmp_path)
    verdict.update(signature.verdict_of("undecided", "could not be verified within 20 s"))
    images.refuse_image(task(image), tmp_path)
    images.refuse_image(CommandTask(argv=("/bin/true",)), tmp_path)
    for missing, why in (
        (environment(tmp_path / "no"), f"the image {tmp_path}/no is not on this host"),
        (environment(image, apptainer=Path("/nosuch")), "/nosuch cannot be run on this host"),
    ):
        report = images.verify_image(missing, cache=tmp_path)
        assert report is not None
        assert report.verdict == "unseen"
        assert why in report.message


def test_without_rule_or_image_nothing_is_verified(image: Path, tmp_path: Path) -> None:
    report = images.verify_image(EnvironmentConfig(image=image), cache=tmp_path)
    assert report is not None
    assert (report.verdict, report.message) == ("unchecked", "")
    assert images.verify_image(EnvironmentConfig(), cache=tmp_path) is None


def inspector(tmp_path: Path, answer: str) -> Path:
    program = tmp_path / "apptainer"
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/calls\ncat <<'E'\n{answer}\nE\n")
    program.chmod(0o755)
    return program


def test_the_card_is_the_configurations_then_the_images(image: Path, tmp_path: Path) -> None:
    labels = {
        "org.nearfield.card.title": "Host Python",
        "org.nearfield.card.kernels": "python3, julia",
        "org.nearfield.card.techniques": "saxs,waxs",
        "org.nearfield.card.default-url": "/lab/tree/x",
        "org.label-schema.schema-version": "1.0",
    }
    answer = json.dumps({"data": {"attributes": {"labels": labels}}})
    settings = EnvironmentConfig(image=image, apptainer=inspector(tmp_path, answer), title="Mine")
    for _ in range(2):
        card = images.read_card(settings)
    assert (tmp_path / "calls").read_text().count("x") == 1
    assert (card.title, card.kernels, card.techniques) == (
        "Mine",
        ("python3", "julia"),
        ("saxs", "waxs"),
    )
    assert card.default_url == "/lab/tree/x"
    assert "widgets" in card.lacks
    os.utime(image, (1, 1))
    images.read_card(settings)
    assert (tmp_path / "calls").read_text().count("x") == 2


@pytest.mark.parametrize("answer", ["", "[]", '{"data": {"attributes": {"labels": null}}}'])
def test_an_image_that_cannot_be_asked_has_an_empty_card(
    image: Path, tmp_path: Path, answer: str
) -> None:
    settings = EnvironmentConfig(image=image, apptainer=inspector(tmp_path, answer))
    assert images.read_card(settings) == images.Card()
    assert images.read_card(EnvironmentConfig(image=Path("/nosuch"))) == images.Card()
    assert images.read_card(EnvironmentConfig(title="T")).title == "T"


def test_what_the_node_wrote_down_is_read_with_care(tmp_path: Path) -> None:
    folder = tmp_path / "nearfield-1"
    folder.mkdir()
    assert images.image_of_session(tmp_path, "nearfield-1") == {}
    told = {"path": "/a", "digest": "d" * 99, "verdict": "unsigned", "signers": [], "name": "",
            "warnings": ["w" * 5000]}  # fmt: skip
    (folder / "image.json").write_text(json.dumps(told))
    found = images.image_of_session(tmp_path, "nearfield-1")
    assert len(found["digest"]) == 64
    assert len(found["warnings"][0]) == 1000
    (folder / "image.json").unlink()
    os.mkfifo(folder / "image.json")
    assert images.image_of_session(tmp_path, "nearfield-1") == {}
    (folder / "image.json").unlink()
    (tmp_path / "elsewhere").write_text(json.dumps(told))
    (folder / "image.json").symlink_to(tmp_path / "elsewhere")
    assert images.image_of_session(tmp_path, "nearfield-1") == {}
