"""Images on the node: their parts, their signatures, what is remembered, kernels inside them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import examine, kernels, runtime, sif, signature
from nearfield.scheduler.node.session import NotStarted

PRINT = "260788aa10cc592d27c7945f940243dc42cbb9cc"
KEY = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\neHl6\n=abcd\n"
    "-----END PGP PUBLIC KEY BLOCK-----\n"
)
PEM = "-----BEGIN PUBLIC KEY-----\neHl6\n-----END PUBLIC KEY-----\n"


def sif_file(path: Path, *parts: tuple[int, int, bytes], used: int = 1) -> Path:
    """(kind, role, content) of each part."""
    head = bytearray(128)
    head[32:42] = b"SIF_MAGIC\0"
    struct.pack_into("<qq", head, 88, len(parts), 128)
    table, data, start = bytearray(), b"", 128 + 585 * len(parts)
    for kind, role, content in parts:
        row = bytearray(585)
        struct.pack_into("<i?", row, 0, kind, used)
        struct.pack_into("<qq", row, 17, start + len(data), len(content))
        struct.pack_into("<i", row, 205, role)
        table += row
        data += content
    path.write_bytes(bytes(head) + bytes(table) + data)
    past = time.time() - 60
    os.utime(path, (past, past))
    return path


def signer(part: str = "FS", data: bool = True, fingerprint: str = PRINT) -> dict[str, Any]:
    return {"Signer": {"Partition": part, "Name": "Site <s@e.org>", "Fingerprint": fingerprint,
                       "KeyLocal": True, "KeyCheck": True, "DataCheck": data}}  # fmt: skip


def told(count: int, *signers: dict[str, Any]) -> str:
    return json.dumps({"Signatures": count, "SignerKeys": list(signers) or None})


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


# ---------------------------------------------------------------------- files


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


# ---------------------------------------------------------------------- keyring


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's, as far as the test can make it so."""
    monkeypatch.setattr(signature, "TRUSTED_UID", os.getuid())
    real = os.lstat

    def as_root(path: str) -> os.stat_result:
        found = list(real(path))
        if not str(path).startswith(str(tmp_path)):
            found[4], found[0] = os.getuid(), stat.S_IFDIR | 0o755
        return os.stat_result(found)

    monkeypatch.setattr(signature.os, "lstat", as_root)
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    (folder / "site.asc").write_text(KEY)
    return folder


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


# ---------------------------------------------------------------------- once for each file


class Apptainer:
    """A stand-in that answers and counts how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.program, self.calls = folder / "apptainer", folder / "calls"
        self.answer(0, told(1, signer()), "")

    def answer(self, code: int, out: str, err: str) -> None:
        self.program.write_text(
            f"#!{sys.executable} -I\nimport os, sys\n"
            f"open({str(self.calls)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))\n"
            "assert oct(os.stat(os.environ['APPTAINER_KEYSDIR']).st_mode)[-3:] == '700'\n"
            "assert open(sys.argv[-1], 'rb').read(42)[32:41] == b'SIF_MAGIC'\n"
            f"print({out!r})\nprint({err!r}, file=sys.stderr)\nsys.exit({code})\n"
        )
        self.program.chmod(0o755)

    @property
    def asked(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


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


# ---------------------------------------------------------------------- kernels and runtime


def test_a_kernel_starts_in_the_image_that_the_session_began_with(tmp_path: Path) -> None:
    path = sif_file(tmp_path / "a.sif", (0x4004, 2, b"squash"))
    with path.open("rb") as file:
        identity = sif.identity_of(os.fstat(file.fileno()))
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    task = {"image": str(path), "signature": {"rule": "required"}}
    start = kernels.kernel_start(
        task, [sys.executable, "-Ic", code, "--mount", "x"], identity, ["python3"]
    )
    kernels.write_kernel(str(tmp_path), "python3", "Analysis", start, python=sys.executable)
    spec = json.loads((tmp_path / "jupyter/kernels/python3/kernel.json").read_text())
    assert spec["display_name"] == "Analysis"
    argv = [word.replace("{connection_file}", "/s/$(id).json") for word in spec["argv"]]
    env = {"PYTHONPATH": "/x", "LD_LIBRARY_PATH": "/x", "VIRTUAL_ENV": "/x", "KEEP": "me",
           "NEARFIELD_DATA": "/home"}  # fmt: skip
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    given, seen = json.loads(done.stdout)
    assert given[:2] == ["--mount", "x"]
    assert re.fullmatch(r"/proc/self/fd/\d+", given[2])
    assert given[3:] == ["python3", "-f", "/s/$(id).json"]
    assert (seen["KEEP"], seen["NEARFIELD_DATA"]) == ("me", "/data")
    assert not {"PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV"} & set(seen)
    path.write_bytes(path.read_bytes() + b"x")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was changed since this session began" in done.stderr


def test_a_venv_comes_first_on_the_path() -> None:
    made = runtime.with_runtime({"PATH": "/bin"}, {"venv": "/v", "modules": []})
    assert made == {"PATH": "/v/bin:/bin", "VIRTUAL_ENV": "/v"}


INIT = """
echo "this goes nowhere"
module() {
    [ "$1" = load ] || return 2
    shift
    for name in "$@"; do
        [ "$name" != nosuch/1 ] || { echo "ERROR: no module nosuch/1" >&2; return 1; }
        LOADEDMODULES="${LOADEDMODULES:+$LOADEDMODULES:}$name"
    done
    NEWLINE="a
b"
    export LOADEDMODULES NEWLINE PATH="/opt/$1:$PATH"
}
"""


def test_modules_are_loaded_by_the_sites_own_script(tmp_path: Path) -> None:
    (tmp_path / "init.sh").write_text(INIT)
    rule = {
        "venv": None,
        "modules": ["python/3.12", "jupyter"],
        "modules_init": str(tmp_path / "init.sh"),
    }
    made = runtime.with_runtime({"PATH": "/usr/bin:/bin"}, rule)
    assert made["LOADEDMODULES"] == "python/3.12:jupyter"
    assert made["PATH"].startswith("/opt/python/3.12:")
    assert made["NEWLINE"] == "a\nb"
    with pytest.raises(
        NotStarted, match=r"modules nosuch/1 cannot be loaded on .*no module nosuch/1"
    ):
        runtime.with_runtime({"PATH": "/bin"}, rule | {"modules": ["nosuch/1"]})
    with pytest.raises(NotStarted, match="cannot be loaded"):
        runtime.with_runtime({"PATH": "/bin"}, rule | {"modules_init": "/nosuch"})
