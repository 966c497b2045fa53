"""Images are verified as a node verifies them before a session starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from nearfield.checking.finding import Finding
from nearfield.config import EnvironmentConfig
from nearfield.scheduler.node.examine import Examined, verify_image
from nearfield.scheduler.node.signature import ADVICE
from nearfield.scheduler.sessions import signature_of

VERIFY_SECONDS = 300.0


def signature_holds(name: str, environment: EnvironmentConfig) -> Iterator[Finding]:
    """An error where the signature is required and wrong; a warning where it is only asked for."""
    rule = signature_of(environment)
    if rule is None or environment.image is None:
        return
    key = f"environments.{name}.signature"
    if not os.access(environment.apptainer, os.X_OK):
        yield Finding(
            severity="note",
            key=key,
            what=f"not verified: {environment.apptainer} cannot be run on this host",
            fix="check on a node, or on a login node that has it",
        )
        return
    try:
        image = Examined(str(environment.image))
    except OSError as error:
        yield Finding(
            severity="note",
            key=key,
            what=f"not verified: {environment.image}: {error.strerror}",
            fix="check as an account that may read the image",
        )
        return
    # A cache of its own: a verdict of today is not taken from yesterday.
    with tempfile.TemporaryDirectory() as cache:
        try:
            apptainer = str(environment.apptainer)
            verify_image(image, apptainer, rule.model_dump(), cache, VERIFY_SECONDS)
            verdict = image.verdict
        finally:
            image.close()
    if verdict["verdict"] != "verified":
        yield Finding(
            severity="error" if rule.rule == "required" else "warning",
            key=key,
            what=f"{environment.image} {verdict['why']}",
            fix=ADVICE.get(verdict["verdict"], ADVICE["undecided"]),
        )
