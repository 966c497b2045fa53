"""Whether an image may be trusted: what Apptainer says of it, and whose keys are asked."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import signature
from standins.sif import PEM, PRINT, signer, told

FATAL = "INFO:    Verifying image with PGP key material\nFATAL:   Failed to verify container: "


@pytest.mark.parametrize(
    ("code", "out", "err", "word"),
    [
        (0, told(1, signer("Def.FILE"), signer()), "INFO: Verified", "verified"),
        # Recorded from Apptainer 1.4.5.
        (255, told(1, signer(data=False)), "integrity: data object integrity compromised: 3",
         "tampered"),
        (255, told(0), "integrity: signature not found for object group 1", "unsigned"),
        (255, told(1), "signature object 4 not valid: openpgp: signature made by unknown entity",
         "unknown-signer"),
        (255, told(1), "integrity: non-signature object not associated with object group",
         "tampered"),
        (255, told(1, signer()), "integrity: object 5: object not signed", "tampered"),
        (255, told(1, signer()), "integrity: signature not found for object group 2", "tampered"),
        (255, told(0), "integrity: key material not provided for PGP clear-sign signature",
         "unknown-signer"),
        # Never a yes.
        (0, told(1), "", "unsigned"),
        (0, told(1, signer("Def.FILE")), "", "unsigned"),
        (0, "", "", "unsigned"),
        (0, "[]", "", "unsigned"),
        (1, "", "something new", "undecided"),
        (-9, "", "", "undecided"),
        (255, told(1, signer()), "something new", "undecided"),
    ],
)  # fmt: skip
def test_what_apptainer_says_is_read(code: int, out: str, err: str, word: str) -> None:
    found = signature.read_verdict(code, out, FATAL + err, partitions=1, fingerprint="")
    assert found["verdict"] == word
    if word == "verified":
        assert (found["signers"], found["name"]) == ([PRINT], "Site <s@e.org>")
    else:
        assert found["why"]


def test_who_signed_one_of_two_file_systems_signed_nothing() -> None:
    out = told(2, signer(), signer(fingerprint="b" * 40))
    assert signature.read_verdict(0, out, "", 2, "")["verdict"] == "unsigned"
    both = told(2, signer(), signer())
    assert signature.read_verdict(0, both, "", 2, "")["verdict"] == "verified"


def test_only_allowed_signers_count() -> None:
    found = signature.verdict_of("verified", "", [PRINT, "b" * 40], "Site")
    assert signature.judged(found, [])["verdict"] == "verified"
    assert signature.judged(found, ["b" * 40])["signers"] == ["b" * 40]
    other = signature.judged(found, ["c" * 40])
    assert other["verdict"] == "not-allowed"
    assert PRINT in signature.complaint(other, "/i.sif")
    unsigned = signature.verdict_of("unsigned", "is not signed")
    assert signature.judged(unsigned, ["c" * 40]) == unsigned


def test_each_verdict_has_a_message_of_its_own() -> None:
    words = set(signature.ADVICE)
    said = {signature.complaint(signature.verdict_of(w, "is odd"), "/i.sif") for w in words}
    assert len(said) == len(words)


def test_a_keyring_is_read(keyring: Path) -> None:
    (keyring / "pgp-public").write_bytes(b"abc")
    (keyring / "site.pem").write_text(PEM)
    (keyring / "README").write_text("no key")
    pgp, pem, why = signature.read_keyring(str(keyring))
    assert (pgp, why) == (b"abcxyz", "")
    assert list(pem) == [hashlib.sha256(b"xyz").hexdigest()]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda k: k.chmod(0o777), "may write"),
        (lambda k: k.chmod(0o1777), "may write"),
        (lambda k: k.parent.chmod(0o775), "may write"),
        (lambda k: (k / "site.asc").chmod(0o666), "may write"),
        (lambda k: (k / "site.asc").unlink(), "there is no key"),
        (lambda k: (k / "site.asc").write_text("hello"), "no public key"),
        (lambda k: (k / "x.pem").write_text(PEM.replace("PUBLIC", "PRIVATE")), "no public key"),
        (lambda k: (k / "x.pem").write_text(PEM.replace("eHl6", "eHl")), "not base64"),
    ],
)
def test_a_bad_keyring_is_told(keyring: Path, spoil: Any, words: str) -> None:
    spoil(keyring)
    _, _, why = signature.read_keyring(str(keyring))
    assert re.search(words, why), why
    assert str(keyring.parent) in why or "holds no" in why


def test_the_way_to_a_keyring_is_looked_at_too(keyring: Path, tmp_path: Path) -> None:
    """A link in a folder of everybody's leads to root's keys today."""
    public = tmp_path / "public"
    public.mkdir()
    (public / "keys").symlink_to(keyring)
    assert signature.read_keyring(str(public / "keys"))[2] == ""
    public.chmod(0o777)
    assert f"may write {public}" in signature.read_keyring(str(public / "keys"))[2]


def test_a_keyring_of_somebody_else_is_not_used(
    keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature, "TRUSTED_UID", os.getuid() + 1)
    assert "not to root" in signature.read_keyring(str(keyring))[2]
