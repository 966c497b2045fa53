"""What a check says: one line, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from nearfield.errors import NearfieldError


class Verdict(StrEnum):
    """From harmless to not."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the answer."""

    check: str
    verdict: Verdict
    message: str
    hint: str = ""
    """What to do."""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Reporter:
    """Makes the findings of one check."""

    check: str

    def ok(self, message: str) -> Finding:
        return Finding(self.check, Verdict.OK, message)

    def not_checked(self, why: str, hint: str = "") -> Finding:
        return Finding(self.check, Verdict.NOT_CHECKED, why, hint)

    def warning(self, message: str, hint: str) -> Finding:
        return Finding(self.check, Verdict.WARNING, message, hint)

    def problem(self, message: str, hint: str) -> Finding:
        return Finding(self.check, Verdict.PROBLEM, message, hint)

    def error(self, error: NearfieldError) -> Finding:
        """A problem in the words of an error."""
        return self.problem(error.message, error.hint or "")
