"""One source among several: asked within its time, its failures told as its state."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from nearfield.catalogue._protocol import Catalogue
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    NearfieldError,
    UnsupportedQueryError,
    UsageError,
)
from nearfield.querying import SourceState
from nearfield.querying.reasons import reason_of

T = TypeVar("T")
_Kind = Literal["timeout", "failed", "unsupported"]


@dataclass(frozen=True)
class FederatedSource:
    """A catalogue that is searched together with others."""

    name: str
    catalogue: Catalogue | None
    """``None``: it cannot be asked on this machine, or by this user; see ``problem``."""
    timeout: float = 3.0
    """Seconds that a question may take."""
    problem: NearfieldError | None = None


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a source said, or why it did not."""

    source: FederatedSource
    value: T | None
    error: Exception | None
    kind: _Kind | None
    seconds: float

    def state(
        self, total: int | None = None, exact: bool = True, note: str | None = None
    ) -> SourceState:
        """For people; the numbers are of an answer, and count for nothing without one."""
        if self.kind is None:
            return SourceState(
                source=self.source.name,
                state="answered",
                message=note,
                total=total,
                total_exact=exact,
                seconds=round(self.seconds, 3),
            )
        message, hint = self._words()
        return SourceState(
            source=self.source.name,
            state=self.kind,
            message=message,
            hint=hint,
            reason="unavailable" if self.kind == "timeout" else reason_of(self.error),
            seconds=round(self.seconds, 3),
        )

    def failure(self) -> NearfieldError:
        """The error of a source that did not answer, with its name in it."""
        if isinstance(self.error, NearfieldError):
            return self.error
        message, hint = self._words()
        return CatalogueUnavailableError(f"{self.source.name}: {message}", hint=hint)

    def _words(self) -> tuple[str, str | None]:
        if self.kind == "timeout":
            return f"no answer in {self.source.timeout:g} s", "try again later"
        if isinstance(self.error, NearfieldError):
            # The state has the name already.
            said = self.error.message.removeprefix(f"{self.source.name}: ")
            return said, self.error.hint
        return _fault(self.error), "this is a fault of Nearfield's: please report it"


def _fault(error: Exception | None) -> str:
    """What went wrong and where; not in the error's own words, which may hold a token."""
    steps = traceback.extract_tb(error.__traceback__) if error is not None else []
    where = f" in {Path(steps[-1].filename).name}, line {steps[-1].lineno}" if steps else ""
    return f"unexpected {type(error).__name__}{where}"


async def ask(source: FederatedSource, question: Callable[[Catalogue], Awaitable[T]]) -> Answer[T]:
    """The source's answer. Whatever it raises, and its time running out, is an answer, too."""
    seconds = source.timeout
    began = time.monotonic()

    def failed(kind: _Kind, error: Exception) -> Answer[T]:
        return Answer(source, None, error, kind, time.monotonic() - began)

    if source.catalogue is None:
        return failed("failed", source.problem or BlockedError(f"{source.name}: cannot be asked"))
    try:
        async with asyncio.timeout(seconds):
            value = await question(source.catalogue)
    except TimeoutError as error:
        return failed("timeout", error)
    except UnsupportedQueryError as error:
        return failed("unsupported", error)
    except CatalogueUnavailableError as error:
        # A driver that keeps the same time may be the first to notice.
        late = time.monotonic() - began >= 0.95 * seconds
        return failed("timeout" if late else "failed", error)
    except Exception as error:  # a driver's fault is no reason to lose the others' answers
        return failed("failed", error)
    return Answer(source, value, None, None, time.monotonic() - began)


def raise_if_none(answers: Sequence[Answer[T]]) -> None:
    """Where no source answered there is nothing to give back.

    Raises:
        UsageError: all refused the query itself.
        CatalogueUnavailableError: otherwise; it tells each one's state.
    """
    if any(answer.kind is None for answer in answers):
        return
    wrong = [answer.error for answer in answers if isinstance(answer.error, UsageError)]
    if wrong and len(wrong) == len(answers):
        raise wrong[0]
    raise_if_no_state([answer.state() for answer in answers])


def raise_if_no_state(states: Iterable[SourceState]) -> None:
    """The same, where only the states are known.

    Raises:
        CatalogueUnavailableError: none has answered.
    """
    states = tuple(states)
    if any(state.state == "answered" for state in states):
        return
    raise CatalogueUnavailableError(
        "no catalogue answered: " + "; ".join(f"{one.source}: {one.message}" for one in states),
        hint=next((one.hint for one in states if one.hint), "try again later"),
    )
