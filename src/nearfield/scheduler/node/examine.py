"""The image that a session is about to run in: opened, hashed, verified, once for each file."""

import os
import stat
import threading
from typing import Any, BinaryIO, Dict, List, Optional

from nearfield.scheduler.node.session import NotStarted, say, write_json
from nearfield.scheduler.node.sif import identity_of, known_of, payload_digest, remember
from nearfield.scheduler.node.signature import (
    complaint,
    judged,
    keyring_digest,
    read_keyring,
    verdict_of,
    verify_file,
)

DIGEST_SECONDS = 3.0
"""With a layer of the user's own, which needs the digest, as long as a verification may take."""
VERIFY_SECONDS = 900.0


class Examined:
    """An image file and what is known of it. It stays open until the session ends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.digest = ""
        self.verdict = verdict_of("unchecked", "")
        self.warnings: List[str] = []
        self.identity: List[int] = []
        self.fd = -1  # of a folder there is none
        if stat.S_ISREG(os.stat(path).st_mode):
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.identity = identity_of(os.fstat(self.fd))

    def open_again(self) -> BinaryIO:
        """The very same file, with a position of its own."""
        return open("/proc/self/fd/%d" % self.fd, "rb")

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def changed(self) -> bool:
        """Was it written to since it was opened?"""
        return self.fd >= 0 and self.identity != identity_of(os.fstat(self.fd))

    def tell_also(self, folder: str, warning: str) -> None:
        if warning:
            self.warnings.append(warning)
        self.tell(folder)

    def tell(self, folder: str) -> None:
        """``image.json``: for the hub, for the session's own pages and for its user."""
        content = {
            "path": self.path,
            "digest": self.digest,
            "verdict": self.verdict["verdict"],
            "signers": self.verdict["signers"],
            "name": self.verdict["name"],
            "warnings": self.warnings,
        }
        write_json(os.path.join(folder, "image.json"), content)

    def for_apptainer(self) -> str:
        """The open file: what was verified is what is run, whatever its path leads to by now."""
        if self.fd < 0 or self.verdict["verdict"] == "unchecked":
            return self.path
        return "/proc/self/fd/%d" % self.fd

    def descriptors(self) -> List[int]:
        return [] if self.fd < 0 else [self.fd]


def verify_image(
    image: Examined, apptainer: str, rule: Dict[str, Any], cache: str, seconds: float
) -> None:
    """Fill in verdict and digest; from the cache where this file met these keys before."""
    if image.fd < 0:
        image.verdict = verdict_of("unsigned", "is a folder, which cannot be signed")
        return
    pgp, pem, why = read_keyring(rule["keyring"])
    if why:
        image.verdict = verdict_of("keyring", why)
        return
    keys = keyring_digest(pgp, pem)
    known = known_of(cache, image.path, image.identity)
    verdict = dict(known.get("verdicts", {})).get(keys)
    if not isinstance(verdict, dict) or not known.get("digest"):
        digest = [""]
        thread = threading.Thread(target=hash_into, args=(digest, image.open_again()), daemon=True)
        thread.start()
        with image.open_again() as file:
            verdict = verify_file(apptainer, file, pgp, pem, seconds)
        thread.join(seconds)
        if image.changed():
            verdict = verdict_of("tampered", "was written to while it was verified")
        elif verdict["verdict"] in ("verified", "unknown-signer") and digest[0]:
            # What is wrong with a file is found anew each time: it may be mended meanwhile.
            remember(cache, image.path, image.identity, {
                "digest": digest[0],
                "verdicts": dict(known.get("verdicts", {}), **{keys: verdict}),
            })  # fmt: skip
        known = {"digest": digest[0]}
    image.digest = str(known["digest"])
    image.verdict = judged(verdict, list(rule["signers"]))


def hash_into(result: List[str], file: BinaryIO) -> None:
    with file:
        try:
            result[0] = payload_digest(file)
        except (OSError, ValueError):
            return


def digest_image(image: Examined, cache: str, seconds: float) -> None:
    """The digest alone, from the cache or computed; "" if that takes too long now."""
    if image.fd < 0:
        return
    image.digest = str(known_of(cache, image.path, image.identity).get("digest", ""))
    if image.digest:
        return
    result, file = [""], image.open_again()

    def compute() -> None:
        hash_into(result, file)
        if result[0] and not image.changed():
            remember(cache, image.path, image.identity, {"digest": result[0]})

    # A large image is hashed on while the server starts; the next session has its digest.
    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    thread.join(seconds)
    image.digest = result[0]


def examined_image(folder: str, task: Dict[str, Any]) -> Optional[Examined]:
    """The image of this session. Raises NotStarted where its signature is required and wrong."""
    if not task["image"]:
        return None
    image, rule, cache = Examined(task["image"]), task["signature"], os.path.dirname(folder)
    if rule is None:
        digest_image(image, cache, VERIFY_SECONDS if task["layer"] else DIGEST_SECONDS)
        image.tell(folder)
        return image
    verify_image(image, task["apptainer"], rule, cache, VERIFY_SECONDS)
    word, warning = image.verdict["verdict"], ""
    if word != "verified":
        warning = complaint(image.verdict, image.path)
        if rule["rule"] == "required":
            image.close()
            raise NotStarted("image-" + word, warning, path=image.path)
        say("warning: " + warning)
    image.tell_also(folder, warning)
    return image


def image_environment(image: Examined) -> Dict[str, str]:
    env = {"NEARFIELD_IMAGE": image.path, "NEARFIELD_IMAGE_VERDICT": image.verdict["verdict"]}
    if image.digest:
        env["NEARFIELD_IMAGE_DIGEST"] = image.digest
    if image.verdict["verdict"] == "verified":
        env["NEARFIELD_IMAGE_SIGNER"] = " ".join(image.verdict["signers"])
    return env
