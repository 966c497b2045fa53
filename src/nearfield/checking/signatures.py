"""Images are verified as a node verifies them before a session starts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from nearfield.checking.finding import Finding
from nearfield.config import EnvironmentConfig
from nearfield.scheduler.images import verify_image

VERIFY_SECONDS = 300.0


def signature_holds(name: str, environment: EnvironmentConfig) -> Iterator[Finding]:
    """An error where the signature is required and wrong; a warning where it is only asked for."""
    if environment.signature == "off":
        return
    # A cache of its own: a verdict of today is not taken from yesterday.
    with tempfile.TemporaryDirectory() as cache:
        report = verify_image(environment, cache=Path(cache), seconds=VERIFY_SECONDS)
    if report is None or report.verdict == "verified":
        return
    severity = "error" if environment.signature == "required" else "warning"
    yield Finding(
        severity="note" if report.verdict == "unseen" else severity,
        key=f"environments.{name}.signature",
        what=f"{report.path} {report.why}",
        fix=report.fix,
    )
