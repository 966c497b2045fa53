"""One thing that is wrong, where it is written, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["error", "warning", "note"]


class Finding(BaseModel):
    """``error``: somebody's session will not start. ``warning``: perhaps. ``note``: not checked."""

    model_config = ConfigDict(frozen=True)

    severity: Severity
    key: str
    """Where in the file: ``hardware.large.minutes``."""
    what: str
    fix: str = ""
    line: int | None = None

    def placed(self, lines: Mapping[tuple[str, ...], int]) -> Finding:
        """This finding with the line of its key, or of the nearest key above that is there."""
        at = tuple(self.key.split("."))
        line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), None)
        return self.model_copy(update={"line": line})


class Report(BaseModel):
    """What a check has found."""

    model_config = ConfigDict(frozen=True)

    file: str | None
    findings: tuple[Finding, ...] = ()
    silent: tuple[str, ...] = ()
    """Clusters that did not answer: of these nothing is known."""
    tried: int = 0
    """How many jobs were put to ``sbatch --test-only``."""
    tried_as: str = ""

    @property
    def exit_code(self) -> int:
        """0 in order, 1 errors, 3 a cluster did not answer."""
        if self.silent:
            return 3
        return int(any(finding.severity == "error" for finding in self.findings))
