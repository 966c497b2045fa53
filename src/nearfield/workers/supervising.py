"""What to do about worker jobs, from what is seen of them: no clock, no Slurm, no Dask here.

Dask's own scaling starts what is missing and asks nothing else: it starts a job that failed again
at once, for ever, and notices a worker's time limit when the worker is gone. So it is decided here:

- what is missing is started; after a failure later and later, after some failures not again;
- a worker near its time limit gets a successor as long before as the queue takes, and leaves when
  that has come, its partial results moved to others;
- jobs that somebody cancelled from outside are not started again if none is left;
- what Slurm does not know is not over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

OVER = frozenset(
    {"completed", "failed", "cancelled", "timeout", "out_of_memory", "node_fail", "preempted"}
)
REFUSED, UNAVAILABLE = "refused", "unavailable"
"""States of a job that was not made: for good, or as Slurm did not answer."""


@dataclass(frozen=True)
class Seen:
    """A worker's job. All times in seconds of one clock."""

    name: str
    asked: float
    """When it was submitted."""
    state: str = "pending"
    """As the broker says, or REFUSED, UNAVAILABLE."""
    began: float | None = None
    """When the job began to run."""
    ends: float | None = None
    """When it reaches its limit."""
    arrived: float | None = None
    """When its worker was first in the cluster."""
    gone: float | None = None
    """Since when it is no more."""
    leaving: bool = False
    """It was told to leave."""
    words: str = ""
    """Why it ended, or was not made."""

    @property
    def there(self) -> bool:
        return self.arrived is not None and self.gone is None


@dataclass(frozen=True)
class Asked:
    """What is wanted, and what there may be."""

    wanted: int
    most: int
    """Jobs at a time."""
    length: float
    """Seconds that a job may run."""
    session_ends: float | None = None
    """No job runs longer than that."""
    wait: float = 0.0
    """Seconds in the queue, by its estimate."""


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds."""

    start: float = 60.0
    """From a job's begin until its worker has come."""
    leave: float = 90.0
    """For a worker to give its results to others."""
    arrive: float = 180.0
    """A job whose worker has not come by then has failed."""
    lost: float = 15.0
    """A worker that is away for so long does not come back."""
    brief: float = 60.0
    """A worker that was there for less has failed too."""
    hold: float = 10.0
    """After a job was cancelled from outside: are the others too?"""
    again: float = 5.0
    """After the first failure, doubled by each one."""
    longest: float = 120.0
    tries: int = 4
    """Failures in a row."""
    worth: float = 60.0
    """A successor must live longer by that."""


@dataclass(frozen=True)
class Memory:
    """From one decision to the next."""

    failures: int = 0
    """In a row: of jobs that were submitted one after the other's failure."""
    counted: float = float("-inf")
    """When the last one was counted."""
    not_before: float = float("-inf")
    """Nothing is started until then."""
    held: float = float("-inf")
    """A job was cancelled from outside; until then others may be."""
    words: str = ""
    """Of the last failure."""
    ended: str | None = None
    """Why there is nothing any more, and nothing will be started."""


@dataclass(frozen=True)
class Decision:
    start: int = 0
    leave: tuple[str, ...] = ()
    """Workers that are to give their results away and go."""
    drop: tuple[str, ...] = ()
    """Jobs that are over, or not wanted: cancelled, if they are not over."""
    memory: Memory = field(default_factory=Memory)


def decide(
    seen: Sequence[Seen], asked: Asked, memory: Memory, now: float, pace: Pace | None = None
) -> Decision:
    """One look, one decision.

    Args:
        seen: Of each job that was started and not dropped since.
        memory: Of the decision before.
        now: On the clock of what is seen.
    """
    pace = pace or Pace()
    alive, drop = [], []
    for one in seen:
        words = _over(one, now, pace)
        if words is None:
            alive.append(one)
            memory = _lasting(one, memory, now, pace)
        else:
            drop.append(one.name)
            memory = _after(one, words, memory, now, pace)
    if (reason := _end(alive, asked, memory, now, pace)) is not None:
        return Decision(drop=tuple(drop), memory=replace(memory, ended=reason))
    leaving = [one for one in alive if one.leaving or _expires(one, asked, now, pace)]
    staying = [one for one in alive if one not in leaving]
    surplus = _surplus(staying, asked.wanted)
    staying = [one for one in staying if one not in surplus]
    drop += [one.name for one in surplus if not one.there]
    leave = [one.name for one in surplus if one.there]
    serving = sum(one.there for one in alive if not one.leaving and one not in surplus)
    for one in sorted(leaving, key=lambda one: one.ends or 0.0):
        if one.leaving:
            continue
        soon = one.ends is not None and one.ends - now < _margin(one, asked, pace)
        if one.there and (soon or serving > asked.wanted):
            leave.append(one.name)
            serving -= 1
    start = 0
    if now >= max(memory.not_before, memory.held) and memory.failures < pace.tries:
        room = asked.most - len(alive) + len(surplus)
        start = max(0, min(asked.wanted - len(staying), room))
        if _session_too_short(asked, now, pace):
            start = 0
    return Decision(start, tuple(leave), tuple(drop), memory)


def _over(one: Seen, now: float, pace: Pace) -> str | None:
    """Why a job is to be dropped, in words."""
    if one.state in OVER or one.state in {REFUSED, UNAVAILABLE}:
        return one.words or f"its job ended ({one.state})"
    if one.there or one.state == "unknown":
        return None
    if one.gone is not None and now - one.gone >= pace.lost:
        return "its worker was lost"
    if one.arrived is None and one.began is not None and now - one.began >= pace.arrive:
        return f"its worker did not come within {pace.arrive:.0f} s of the job's start"
    return None


def _lasting(one: Seen, memory: Memory, now: float, pace: Pace) -> Memory:
    """One that was started since the last failure and lives: all is well again."""
    well = one.there and one.arrived is not None and now - one.arrived >= pace.brief
    if well and memory.failures and one.asked > memory.counted:
        return replace(memory, failures=0, not_before=float("-inf"), words="")
    return memory


def _after(one: Seen, words: str, memory: Memory, now: float, pace: Pace) -> Memory:
    said = f"{one.name}: {words}"
    if one.state == REFUSED:
        return replace(memory, failures=pace.tries, counted=now, words=said)
    if one.state == UNAVAILABLE:
        return replace(memory, not_before=now + pace.again, words=said)
    if one.leaving:
        return memory
    if one.state == "cancelled":
        memory = replace(memory, held=now + pace.hold)
    lived = 0.0 if one.arrived is None else (one.gone or now) - one.arrived
    if lived >= pace.brief:
        return memory
    # Jobs that were submitted together fail together: that is one failure.
    if one.asked <= memory.counted:
        return replace(memory, words=said)
    failures = memory.failures + 1
    rest = min(pace.again * 2 ** (failures - 1), pace.longest)
    return replace(memory, failures=failures, counted=now, not_before=now + rest, words=said)


def _end(alive: Sequence[Seen], asked: Asked, memory: Memory, now: float, pace: Pace) -> str | None:
    if memory.ended is not None or alive or not asked.wanted:
        return memory.ended
    if now < memory.held:
        return "all its jobs were cancelled from outside (scancel)"
    if memory.failures >= pace.tries:
        return f"its workers cannot be started: {memory.words}"
    if _session_too_short(asked, now, pace):
        return "its session ends in a moment"
    return None


def _expires(one: Seen, asked: Asked, now: float, pace: Pace) -> bool:
    """Is it time for a successor that would live longer?"""
    if one.ends is None:
        return False
    lead = min(asked.wait + pace.start + _margin(one, asked, pace), _length(one, asked) * 3 / 4)
    later = now + asked.wait + asked.length
    if asked.session_ends is not None:
        later = min(later, asked.session_ends)
    return one.ends - now < lead and later - one.ends > min(pace.worth, asked.length / 4)


def _length(one: Seen, asked: Asked) -> float:
    """Of its own job, which may have been given less than was asked for."""
    if one.began is None or one.ends is None:
        return asked.length
    return min(asked.length, one.ends - one.began)


def _margin(one: Seen, asked: Asked, pace: Pace) -> float:
    return min(pace.leave, _length(one, asked) / 4)


def _session_too_short(asked: Asked, now: float, pace: Pace) -> bool:
    if asked.session_ends is None:
        return False
    return asked.session_ends - now < min(pace.worth, asked.length / 4)


def _surplus(staying: Sequence[Seen], wanted: int) -> list[Seen]:
    """More than are wanted: first those that do not work yet, then the youngest."""
    order = sorted(staying, key=lambda one: (one.there, -one.asked))
    return order[: max(0, len(staying) - wanted)]
