"""Who signed the image. Also asked by the launcher, before a job is submitted.

Apptainer verifies; here its keys are set apart from the user's own, its answer is read, and the
site's list of signers is applied. A verdict is a plain dictionary::

    {"verdict": "verified", "signers": ["260788aa…"], "name": "Site <images@…>", "why": ""}
"""

import base64
import binascii
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from typing import Any, BinaryIO, Dict, List, Tuple

from nearfield.scheduler.node.sif import sif_parts

TRUSTED_UID = 0
MAX_KEY_FILE = 1 << 20
ADVICE = {
    "unsigned": "have it signed: apptainer sign",
    "tampered": "take it from its source again; do not use it until you know who changed it",
    "unknown-signer": "put the signer's public key into the keyring, if it is to be trusted",
    "not-allowed": "have it signed by an allowed key, or add this one to signers",
    "not-an-image": "build or copy it again",
    "keyring": "see docs/how-to/images.md",
    "undecided": "try again, or look at the message",
}
"""What to do, by verdict. "verified" needs nothing."""


def verdict_of(word: str, why: str, signers: Any = (), name: str = "") -> Dict[str, Any]:
    return {"verdict": word, "why": why, "signers": list(signers), "name": name}


def complaint(verdict: Dict[str, Any], path: str) -> str:
    """What is wrong, with which image, and what to do."""
    word = verdict["verdict"]
    return "the image %s %s; %s" % (path, verdict["why"], ADVICE.get(word, ADVICE["undecided"]))


def why_not_roots(path: str, found: os.stat_result) -> str:
    if found.st_uid != TRUSTED_UID:
        return "%s belongs to uid %d, not to root" % (path, found.st_uid)
    # The mode of a link itself says nothing.
    if not stat.S_ISLNK(found.st_mode) and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "accounts other than root may write %s" % path
    return ""


def read_keyring(keyring: str) -> Tuple[bytes, Dict[str, bytes], str]:
    """(PGP keys, PEM keys by fingerprint, what is wrong). Only what root alone can change."""
    folder = os.path.realpath(keyring)
    try:
        names = sorted(os.listdir(folder))
        # Both the way that is written down and the way that it leads.
        for part in with_parents(keyring) + with_parents(folder):
            why = why_not_roots(part, os.lstat(part))
            if why:
                return b"", {}, "cannot be verified: the keyring is not safe: " + why
        pgp, pem = b"", {}
        for name in names:
            path = os.path.join(folder, name)
            if name.startswith(".") or not name.endswith((".asc", ".gpg", ".pem", "pgp-public")):
                continue
            with open(path, "rb") as file:
                why = why_not_roots(path, os.fstat(file.fileno()))
                content = file.read(MAX_KEY_FILE)
            if why:
                return b"", {}, "cannot be verified: the keyring is not safe: " + why
            if name.endswith(".pem"):
                pem[hashlib.sha256(unarmoured(content)).hexdigest()] = content
            elif name.endswith(".asc"):
                pgp += unarmoured(content)
            else:
                pgp += content
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return b"", {}, "cannot be verified: the keyring %s cannot be read: %s" % (keyring, why)
    if not pgp and not pem:
        return b"", {}, "cannot be verified: there is no key (.asc, .gpg, .pem) in %s" % keyring
    return pgp, pem, ""


def with_parents(path: str) -> List[str]:
    way = [path]
    while os.path.dirname(way[-1]) != way[-1]:
        way.append(os.path.dirname(way[-1]))
    return way


def unarmoured(text: bytes) -> bytes:
    """The bytes between BEGIN and END of the first block of an armoured key or a PEM."""
    lines = [line.strip() for line in text.splitlines()]
    starts = [n for n, line in enumerate(lines) if line.startswith(b"-----BEGIN ")]
    if not starts or b"PRIVATE" in lines[starts[0]]:
        raise ValueError("a file holds no public key")
    body = []  # type: List[bytes]
    for line in lines[starts[0] + 1 :]:
        if line.startswith(b"-----END "):
            break
        if b":" in line:
            continue  # a header
        if not line.startswith(b"="):  # a checksum
            body.append(line)
    try:
        return base64.b64decode(b"".join(body), validate=True)
    except binascii.Error as error:
        raise ValueError("a key is not base64: %s" % error) from None


def keyring_digest(pgp: bytes, pem: Dict[str, bytes]) -> str:
    """A verdict holds for the keys that it was made with."""
    return hashlib.sha256(pgp + b"\0" + "".join(sorted(pem)).encode()).hexdigest()[:32]


def verify_file(
    apptainer: str, file: BinaryIO, pgp: bytes, pem: Dict[str, bytes], seconds: float
) -> Dict[str, Any]:
    """The verdict on an open image, whoever may sign. Nothing but this very file is looked at."""
    try:
        partitions = len(sif_parts(file))
    except ValueError as error:
        return verdict_of("not-an-image", str(error))
    if not partitions:
        return verdict_of("not-an-image", "holds no file system")
    keys = tempfile.mkdtemp(prefix="nearfield-keys-")
    try:
        # A copy: apptainer insists on mode 0700 and makes its key folder so.
        with open(os.path.join(keys, "pgp-public"), "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(pgp)
        told = ask_apptainer(apptainer, file, [], keys, seconds)
        verdict = read_verdict(*told, partitions=partitions, fingerprint="")
        for fingerprint, content in pem.items():
            if verdict["verdict"] not in ("unknown-signer", "undecided"):
                break
            path = os.path.join(keys, fingerprint)
            with open(path, "wb") as out:
                out.write(content)
            told = ask_apptainer(apptainer, file, ["--key", path], keys, seconds)
            found = read_verdict(*told, partitions=partitions, fingerprint=fingerprint)
            # "Not signed by this key" says little as long as there are others.
            if found["verdict"] in ("verified", "tampered"):
                verdict = found
        return verdict
    except subprocess.TimeoutExpired:
        return verdict_of("undecided", "could not be verified within %d s" % seconds)
    except OSError as error:
        why = "cannot be verified: %s: %s" % (apptainer, error.strerror)
        return verdict_of("undecided", why)
    finally:
        shutil.rmtree(keys, ignore_errors=True)


def ask_apptainer(
    apptainer: str, file: BinaryIO, options: List[str], keys: str, seconds: float
) -> Tuple[int, str, str]:
    fd = file.fileno()
    done = subprocess.run(
        [apptainer, "verify", "--local", "--json", *options, "/proc/self/fd/%d" % fd],
        env={
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": keys,
            "APPTAINER_KEYSDIR": keys,
            "APPTAINER_CONFIGDIR": keys,
        },
        pass_fds=[fd],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        timeout=seconds,
        check=False,
    )
    words = (done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    return done.returncode, words[0], words[1]


def read_verdict(
    code: int, out: str, err: str, partitions: int, fingerprint: str
) -> Dict[str, Any]:
    """From apptainer's answer. ``fingerprint`` is that of the PEM key it was asked about."""
    try:
        told = json.loads(out)
        entries = [dict(entry["Signer"]) for entry in told["SignerKeys"] or []]
        count = int(told["Signatures"] or 0)
    except (ValueError, TypeError, KeyError):
        entries, count = [], 0
    if code == 0:
        signers = {}  # type: Dict[str, List[Any]]
        for entry in entries:
            who = str(entry.get("Fingerprint") or fingerprint).lower()
            # Somebody who signed a part only does not answer for the image.
            if entry.get("Partition") == "FS" and entry.get("DataCheck") and who:
                signers.setdefault(who, []).append(str(entry.get("Name") or ""))
        whole = {who: names[0] for who, names in signers.items() if len(names) >= partitions}
        if whole:
            name = "" if fingerprint else next(iter(whole.values()))
            return verdict_of("verified", "", sorted(whole), name)
        return verdict_of("unsigned", "is not signed as a whole")
    said = err.strip().split("\n")[-1]
    if "integrity compromised" in err or any(entry.get("DataCheck") is False for entry in entries):
        return verdict_of("tampered", "was changed after it had been signed")
    if "not associated with object group" in err or "object not signed" in err:
        return verdict_of("tampered", "was changed: a part was added after it had been signed")
    if "signature not found" in err:
        if count:
            why = "was changed: a part was added after it had been signed"
            return verdict_of("tampered", why)
        return verdict_of("unsigned", "is not signed")
    if "unknown entity" in err or "not provided for" in err or "signature verification" in err:
        why = "is signed with a key that is not in the site's keyring"
        return verdict_of("unknown-signer", why)
    said = "".join(c for c in said if c.isprintable())
    return verdict_of("undecided", "cannot be verified: " + (said or "exit code %d" % code)[-300:])


def judged(verdict: Dict[str, Any], allowed: List[str]) -> Dict[str, Any]:
    """The site's list of signers, applied to what was found in the file."""
    if verdict["verdict"] != "verified" or not allowed:
        return verdict
    good = [who for who in verdict["signers"] if who in allowed]
    if good:
        return dict(verdict, signers=good)
    why = "is signed by %s, which is not among the allowed signers" % " and ".join(
        verdict["signers"]
    )
    return verdict_of("not-allowed", why, verdict["signers"], verdict["name"])
