"""Images on the node: their parts, what is remembered of them, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import examine, sif, signature
from nearfield.scheduler.node.session import NotStarted
from standins.sif import PRINT, Apptainer, sif_file, told


def test_parts_and_digest(tmp_path: Path) -> None:
    path = sif_file(
        tmp_path / "a.sif", (0x4001, 0, b"def"), (0x4004, 2, b"squash"), (0x4004, 4, b"o")
    )
    with path.open("rb") as file:
        assert [p[0] for p in sif.sif_parts(file)] == [2, 4]
        assert sif.payload_digest(file) == hashlib.sha256(b"squash").hexdigest()
    signed = sif_file(tmp_path / "b.sif", (0x4004, 2, b"squash"), (0x4005, 1, b"signature"))
    with signed.open("rb") as file:
        assert sif.payload_digest(file) == hashlib.sha256(b"squash").hexdigest()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no Apptainer image"),
        (b"x" * 10_000, "no Apptainer image"),
        (b"\0" * 32 + b"SIF_MAGIC\0", "cut off"),
        (b"\0" * 32 + b"SIF_MAGIC\0" + b"\xff" * 5_000, "damaged|cut off|no file system"),
        (b"\0" * 32 + b"SIF_MAGIC\0" + b"\x7f" * 5_000, "damaged"),
    ],
)
def test_what_is_no_image_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x.sif").write_bytes(content)
    with (tmp_path / "x.sif").open("rb") as file:
        found = signature.verify_file("/nosuch", file, b"", {}, 5)
    assert found["verdict"] == "not-an-image"
    assert re.search(why, found["why"])


def test_an_image_that_is_cut_off(tmp_path: Path) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash" * 100))
    path.write_bytes(path.read_bytes()[:-1])
    with path.open("rb") as file:
        assert signature.verify_file("/nosuch", file, b"", {}, 5)["why"] == "it is cut off"


@pytest.fixture
def apptainer(tmp_path: Path) -> Apptainer:
    return Apptainer(tmp_path)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was made just now counts as old."""
    monkeypatch.setattr(sif, "SETTLED_SECONDS", -60.0)


def session_in(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions" / "nf-1"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def task_of(
    path: Path, apptainer: Apptainer, keyring: Path, rule: str = "required"
) -> dict[str, Any]:
    return {
        "image": str(path),
        "apptainer": str(apptainer.program),
        "signature": {"rule": rule, "signers": [PRINT], "keyring": str(keyring)},
    }


@pytest.mark.usefixtures("settled")
def test_a_second_start_costs_no_verification(
    tmp_path: Path, keyring: Path, apptainer: Apptainer
) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    folder, task = session_in(tmp_path), task_of(path, apptainer, keyring)
    for _ in range(2):
        image = examine.examined_image(str(folder), task)
        assert image is not None
        assert image.verdict["verdict"] == "verified"
        assert image.digest == hashlib.sha256(b"squash").hexdigest()
    assert apptainer.asked == 1
    assert (folder.parent / ".images.json").stat().st_mode & 0o777 == 0o600
    # Other keys, another file at the same path, a list without this signer: asked again or refused.
    (keyring / "more.gpg").write_bytes(b"more")
    examine.examined_image(str(folder), task)
    assert apptainer.asked == 2
    sif_file(path, (0x4004, 2, b"squasH"))
    examine.examined_image(str(folder), task)
    assert apptainer.asked == 3
    task["signature"]["signers"] = ["c" * 40]
    with pytest.raises(NotStarted, match="not among the allowed signers") as caught:
        examine.examined_image(str(folder), task)
    assert caught.value.record["reason"] == "image-not-allowed"
    assert apptainer.asked == 3


@pytest.mark.usefixtures("settled")
def test_a_cache_that_cannot_be_written_is_passed_over_in_silence(
    tmp_path: Path, keyring: Path, apptainer: Apptainer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The launcher's output is its answer, and a new user has no folder yet."""
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    image = examine.Examined(str(path))
    rule = task_of(path, apptainer, keyring)["signature"]
    examine.verify_image(image, str(apptainer.program), rule, "/nosuch/sessions", 10)
    image.close()
    assert image.verdict["verdict"] == "verified"
    assert capsys.readouterr().out == ""


def test_a_file_that_was_changed_just_now_is_not_remembered(
    tmp_path: Path, keyring: Path, apptainer: Apptainer
) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    for _ in range(2):
        examine.examined_image(str(session_in(tmp_path)), task_of(path, apptainer, keyring))
    assert apptainer.asked == 2


@pytest.mark.usefixtures("settled")
def test_a_refusal_is_not_remembered(tmp_path: Path, keyring: Path, apptainer: Apptainer) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    task = task_of(path, apptainer, keyring)
    apptainer.answer(255, told(0), "signature not found for object group 1")
    for _ in range(2):
        with pytest.raises(NotStarted, match="is not signed; have it signed"):
            examine.examined_image(str(session_in(tmp_path)), task)
    assert apptainer.asked == 2


def test_warn_starts_and_tells(
    tmp_path: Path, keyring: Path, apptainer: Apptainer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    apptainer.answer(255, told(0), "signature not found for object group 1")
    folder = session_in(tmp_path)
    image = examine.examined_image(str(folder), task_of(path, apptainer, keyring, "warn"))
    assert image is not None
    assert "warning: the image" in capsys.readouterr().out
    told_there = json.loads((folder / "image.json").read_text())
    assert told_there["verdict"] == "unsigned"
    assert "is not signed" in told_there["warnings"][0]
    env = examine.image_environment(image)
    assert env["NEARFIELD_IMAGE_VERDICT"] == "unsigned"
    assert "NEARFIELD_IMAGE_SIGNER" not in env


def test_an_image_that_is_written_to_meanwhile_is_refused(
    tmp_path: Path, keyring: Path, apptainer: Apptainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    real = examine.verify_file

    def slow(*args: Any) -> dict[str, Any]:
        found = real(*args)
        with path.open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"H")
        os.utime(path, ns=(0, 0))
        return found

    monkeypatch.setattr(examine, "verify_file", slow)
    with pytest.raises(NotStarted, match="was written to while it was verified"):
        examine.examined_image(str(session_in(tmp_path)), task_of(path, apptainer, keyring))


def test_a_path_that_leads_elsewhere_by_now_does_not_matter(
    tmp_path: Path, keyring: Path, apptainer: Apptainer
) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    image = examine.examined_image(str(session_in(tmp_path)), task_of(path, apptainer, keyring))
    assert image is not None
    sif_file(tmp_path / "evil", (0x4004, 2, b"evil")).replace(path)
    given = image.for_apptainer()
    assert b"squash" in Path(given).read_bytes()
    assert image.descriptors() == [int(given.rsplit("/", 1)[1])]


@pytest.mark.usefixtures("keyring")
def test_a_folder_cannot_be_signed(tmp_path: Path, keyring: Path, apptainer: Apptainer) -> None:
    (tmp_path / "sandbox").mkdir()
    task = task_of(tmp_path / "sandbox", apptainer, keyring)
    with pytest.raises(NotStarted, match="is a folder, which cannot be signed"):
        examine.examined_image(str(session_in(tmp_path)), task)


def test_without_a_rule_the_digest_alone_is_found(tmp_path: Path) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    image = examine.examined_image(
        str(session_in(tmp_path)), {"image": str(path), "signature": None, "layer": False}
    )
    assert image is not None
    assert image.digest == hashlib.sha256(b"squash").hexdigest()
    assert image.for_apptainer() == str(path)
    assert examine.examined_image(str(session_in(tmp_path)), {"image": None}) is None
