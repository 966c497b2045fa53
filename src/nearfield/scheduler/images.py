"""Images as seen from where jobs are submitted: their signature, and the card in their labels.

The node looks once more, with the same code (:mod:`nearfield.scheduler.node.examine`), and its word
is final. Here a wrong image is told before a job waits in a queue for it. Verdicts are remembered
in the asking account's own folder, which no other account can write, so nobody can make another
trust an image; both hosts share it where they share homes.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from nearfield.config import EnvironmentConfig
from nearfield.errors import ImageRefusedError
from nearfield.scheduler.jobspec import SessionTask
from nearfield.scheduler.node import examine, sif, signature
from nearfield.scheduler.sessions import signature_of
from nearfield.scheduler.staging import sessions_dir
from nearfield.scheduler.wire import one_line

SUBMIT_SECONDS = 20.0
"""A submit waits no longer; a large image that nobody has verified yet is left to the node."""
LABEL = "org.nearfield.card."
NEEDS_NEARFIELD = ("provenance capture", "widgets", "Dask workers")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageReport(_Model):
    """What can be said of an image from this host."""

    path: str
    verdict: str
    """``verified``, ``unsigned``, ``tampered``, ``unknown-signer``, ``not-allowed``,
    ``not-an-image``, ``keyring``, ``undecided``; ``unchecked`` where no rule asks, ``unseen`` where
    this host has no Apptainer, or no such file that this account may read."""
    digest: str = ""
    """SHA-256 of the payload; signing does not change it."""
    signers: tuple[str, ...] = ()
    name: str = ""
    why: str = ""
    """What is wrong with it, or why that cannot be told from here; empty where nothing is."""
    fix: str = ""
    """What to do about it."""

    @property
    def message(self) -> str:
        """What is wrong, with which image, and what to do; empty where nothing is."""
        return f"the image {self.path} {self.why}; {self.fix}" if self.why else ""

    @property
    def refused(self) -> bool:
        """Would a session be refused where a signature is required?"""
        return self.verdict not in {"verified", "unchecked", "unseen", "undecided"}


def verify_image(
    environment: EnvironmentConfig, *, cache: Path | None = None, seconds: float = 600
) -> ImageReport | None:
    """The image of an environment, held against its rule by this account. None: it has none.

    ``cache`` is the folder where verdicts are remembered; the account's own by default.
    """
    if environment.image is None:
        return None
    rule = signature_of(environment)
    return _report(
        str(environment.image),
        str(environment.apptainer),
        rule.model_dump() if rule else None,
        cache or sessions_dir(),
        seconds,
    )


def _report(
    path: str, apptainer: str, rule: dict[str, Any] | None, cache: Path, seconds: float
) -> ImageReport:
    if rule is not None and not os.access(apptainer, os.X_OK):
        return _unseen(path, f"was not verified: {apptainer} cannot be run on this host")
    try:
        image = examine.Examined(path)
    except FileNotFoundError:
        return _unseen(path, "is not on this host")
    except OSError as error:
        return _unseen(path, f"cannot be read by this account: {error.strerror}")
    try:
        if rule is None:
            examine.digest_image(image, str(cache), seconds)
        else:
            examine.verify_image(image, apptainer, rule, str(cache), seconds)
    finally:
        image.close()
    found = image.verdict
    bad = found["verdict"] not in {"verified", "unchecked"}
    advice = signature.ADVICE.get(found["verdict"], signature.ADVICE["undecided"])
    return ImageReport(
        path=path,
        verdict=found["verdict"],
        digest=image.digest,
        signers=tuple(found["signers"]),
        name=found["name"],
        why=found["why"] if bad else "",
        fix=advice if bad else "",
    )


def _unseen(path: str, why: str) -> ImageReport:
    fix = "ask on a node, or on a login node that has both, as who may read it"
    return ImageReport(path=path, verdict="unseen", why=why, fix=fix)


def refuse_image(task: object, cache: Path) -> None:
    """Before a submit: raise where the signature is required and surely wrong.

    Raises:
        ImageRefusedError: says what, which image, and what to do.
    """
    if not isinstance(task, SessionTask) or task.image is None or task.signature is None:
        return
    if task.signature.rule != "required":
        return
    rule = task.signature.model_dump()
    report = _report(task.image, str(task.apptainer), rule, cache, SUBMIT_SECONDS)
    if report.refused:
        raise ImageRefusedError(report.message)


class Card(_Model):
    """An environment as people see it: the configuration's words, else those of the image."""

    title: str = ""
    description: str = ""
    kernels: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    default_url: str = ""
    python: str = ""
    nearfield: str = ""
    """Version of Nearfield in the kernel's Python."""
    lacks: tuple[str, ...] = ()
    """What full features need and this image does not have."""


def read_card(environment: EnvironmentConfig) -> Card:
    """The card of an environment. An image that cannot be asked here has an empty one."""
    labels: dict[str, str] = {}
    if environment.image is not None:
        with suppress(OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
            identity = sif.identity_of(environment.image.stat())
            labels = _labels(str(environment.apptainer), str(environment.image), tuple(identity))
    words = {
        key.removeprefix(LABEL).replace("-", "_"): value
        for key, value in labels.items()
        if key.startswith(LABEL)
    }
    lacks = NEEDS_NEARFIELD if labels and not words.get("nearfield") else ()
    return Card(
        title=environment.title or words.get("title", ""),
        description=environment.description or words.get("description", ""),
        kernels=environment.kernels or _list(words.get("kernels", "")),
        techniques=environment.techniques or _list(words.get("techniques", "")),
        default_url=environment.default_url or words.get("default_url", ""),
        python=words.get("python", ""),
        nearfield=words.get("nearfield", ""),
        lacks=lacks,
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split() if word)


@lru_cache(maxsize=200)
def _labels(apptainer: str, image: str, identity: tuple[int, ...]) -> dict[str, str]:
    """``apptainer inspect``, once for each state of a file. Never a container is started."""
    done = subprocess.run(
        [apptainer, "inspect", "--json", image],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        timeout=20,
        check=True,
    )
    found = json.loads(done.stdout)["data"]["attributes"]["labels"]
    return {str(key): str(value)[:1000] for key, value in dict(found).items()}


def image_of_session(sessions: Path, name: str) -> dict[str, Any]:
    """What the node has written down of a session's image; empty before it has."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(sessions / name / "image.json", flags), "rb") as file:
            return told_of_image(json.loads(file.read(20_000)))
    except (OSError, ValueError, RecursionError):
        return {}


def told_of_image(told: Any) -> dict[str, Any]:
    """Of what a session's account says of its image, as much as is kept; empty if it is nothing.

    The user owns both the file and the launcher's process, so the hub reads its answer so too.
    """
    try:
        return {
            "path": one_line(str(told["path"]), 4096),
            "digest": one_line(str(told["digest"]), 64),
            "verdict": one_line(str(told["verdict"]), 32),
            "signers": [one_line(str(who), 64) for who in told["signers"][:10]],
            "warnings": [one_line(str(text), 1000) for text in told["warnings"][:10]],
        }
    except (KeyError, TypeError, RecursionError):
        return {}
