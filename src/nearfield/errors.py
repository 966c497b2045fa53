"""Every error that Nearfield raises on purpose.

::

    NearfieldError
    ├── UsageError                  exit 2   a wrong argument, an unknown name
    │   ├── ConfigError                      nearfield.yaml: file, line, key
    │   ├── ParameterError                   a template parameter
    │   ├── QuerySyntaxError                 a search; names the character
    │   ├── TooManySessionsError             a limit per user; names those that run
    │   ├── UnknownNameError                 names the choices that exist
    │   └── UnsupportedQueryError            a condition that a source cannot apply
    ├── BlockedError                exit 3   a needed part is missing
    ├── CatalogueError              exit 1
    │   ├── DatasetNotFoundError
    │   ├── DatasetNotPermittedError
    │   ├── CatalogueUnavailableError
    │   ├── SourceLoginError                 no token, or one that has expired: log in again
    │   └── SourceStatusError                a source's refusal, with its HTTP status
    ├── DataFileError                        a file that cannot be read, with its path
    ├── ReductionCancelledError              somebody ended it before it was done
    ├── SumOverflowError                     a sum of integers that 64 bits cannot hold
    ├── ClusterError                         nearfield.cluster() without workers, and why
    ├── SchedulerError
    │   ├── SubmitError                      sbatch's own words
    │   │   └── ImageRefusedError            not signed as the site requires
    │   ├── SchedulerUnavailableError        no answer: the job's state is UNKNOWN
    │   └── SpecRefusedError                 the launcher will not start this
    ├── AccountError                         no Unix account for this person
    ├── RunError                             an execution that failed
    └── PublishError

An error says what happened, where, and what to do; the command line prints just that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from unicodedata import combining, east_asian_width


class NearfieldError(Exception):
    """Base class. ``hint`` tells the reader what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # An exception is unpickled by its ``args``, which are not what our constructors take.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[NearfieldError], args: tuple[object, ...]) -> NearfieldError:
    return kind.__new__(kind, *args)


class UsageError(NearfieldError):
    """The request itself is wrong: nothing was done."""

    exit_code = 2


@dataclass(frozen=True)
class ConfigProblem:
    """One thing that keeps a configuration from being used."""

    key: str
    line: int
    words: str

    def said_of(self, source: str) -> str:
        where = f"{source}, line {self.line}"
        return f"{where}, {self.key}: {self.words}" if self.key else f"{where}: {self.words}"


class ConfigError(UsageError):
    """A configuration file that cannot be used; the message names file, line and key."""

    def __init__(
        self, message: str, *, hint: str | None = None, problems: Iterable[ConfigProblem] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class ParameterError(UsageError):
    """A template parameter that does not exist, is missing, or has a value out of its schema."""


class TooManySessionsError(UsageError):
    """A user has as many sessions as the configuration allows."""


class UnknownNameError(UsageError):
    """A name that is not among the choices."""

    def __init__(self, kind: str, name: str, choices: Iterable[str]) -> None:
        known = sorted(choices)
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        if not known:
            hint += f"there is no {kind} at all"
        else:
            shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
            hint += f"choose one of: {shown}"
        super().__init__(f"unknown {kind} {name!r}", hint=hint)
        self.kind, self.name, self.choices = kind, name, known


class QuerySyntaxError(UsageError):
    """A search that cannot be understood. ``position`` counts characters from 0."""

    def __init__(self, message: str, text: str, position: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.text, self.position = text, position

    def __str__(self) -> str:
        said = f"{self.message}\n{self._pointed()}"
        return f"{said}\n  {self.hint}" if self.hint else said

    def _pointed(self) -> str:
        """The text around the position on one line, and a caret below the character."""
        begin, room = max(0, self.position - 40), 60
        shown = self.text[begin : self.position + room]
        shown = "".join(c if c.isprintable() else " " for c in shown)
        lead = "…" if begin else ""
        before = lead + shown[: self.position - begin]
        more = "…" if len(self.text) > self.position + room else ""
        # What a terminal draws two columns wide, or none, moves the caret.
        width = sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in before)
        return f"  {lead}{shown}{more}\n  {' ' * width}^"


class UnsupportedQueryError(UsageError):
    """A source that cannot apply one of the conditions; nothing was asked."""

    def __init__(self, source: str, conditions: Iterable[str]) -> None:
        self.source, self.conditions = source, tuple(conditions)
        super().__init__(
            f"{source}: cannot search by {', '.join(self.conditions)}",
            hint="leave the condition out, or name other sources with source:NAME",
        )


class BlockedError(NearfieldError):
    """A part that the work needs is missing on this machine."""

    exit_code = 3


class CatalogueError(NearfieldError):
    """The catalogue refused or failed."""


class DatasetNotFoundError(CatalogueError):
    """No dataset of that PID that the asking user may see."""


class DatasetNotPermittedError(CatalogueError):
    """The dataset exists and may not be read or written by the asking user."""


class CatalogueUnavailableError(CatalogueError):
    """The catalogue does not answer; try again later."""


class SourceLoginError(CatalogueError):
    """A source that asks for a log-in, or takes the token no longer.

    ``again``: does it help to log in again? Not where no token is configured at all.
    """

    def __init__(self, message: str, *, hint: str | None = None, again: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.again = again


class SourceStatusError(CatalogueError):
    """A source's refusal; ``status`` is HTTP's, ``said`` the JSON that came with it."""

    def __init__(
        self, message: str, status: int, said: object = None, *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status, self.said = status, said


class DataFileError(NearfieldError):
    """A data file that cannot be read. ``path`` is as the file system has it."""

    def __init__(self, path: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path!r}: {reason}", hint=hint)
        self.path, self.reason = path, reason


class ReductionCancelledError(NearfieldError):
    """A reduction that was cancelled before it was done; nothing of it is kept."""


class SumOverflowError(NearfieldError, OverflowError):
    """A sum of integers does not fit 64 bits."""


class ClusterError(NearfieldError):
    """A cluster that has no workers and will get none."""


class SchedulerError(NearfieldError):
    """The scheduler refused or failed."""


class SubmitError(SchedulerError):
    """A job that the scheduler did not take, with its own words."""


class ImageRefusedError(SubmitError):
    """An image whose signature is required and is missing or wrong."""


class SchedulerUnavailableError(SchedulerError):
    """No answer from the scheduler. What it runs is unknown, never gone."""


class SpecRefusedError(SchedulerError):
    """A job specification outside what the profiles allow."""


class AccountError(NearfieldError):
    """A person without a Unix account that sessions may run as."""


class RunError(NearfieldError):
    """An execution that ended without its result."""


class PublishError(NearfieldError):
    """A result that could not be published; nothing of it is half-done."""


def without_package(error: ImportError, what: str, extra: str) -> Exception:
    """What is raised where a package of an extra is not installed: a fault of our own stays one.

    Args:
        what: Needs it, in the plural.
        extra: Of Nearfield, that has it.
    """
    if (error.name or "nearfield").partition(".")[0] == "nearfield":
        return error
    return BlockedError(
        f"{what} need the package {error.name}",
        hint=f"install Nearfield with the extra {extra!r}",
    )
