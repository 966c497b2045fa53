"""How many sessions one user may have at a time: ``sessions`` and ``profiles.*.per_user``.

A session takes its seat when its start is checked, before anything is awaited, so that of two
starts at once the second already sees the first. The seats are those of the hub; what a cluster
itself allows an account is its QOS's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nearfield.config import Config
from nearfield.errors import TooManySessionsError, UsageError


@dataclass(frozen=True)
class Seat:
    """A session that runs, starts or ends."""

    server: str
    profile: str
    job: str = ""

    def __str__(self) -> str:
        name = f"server {self.server!r}" if self.server else "the default server"
        return f"{name} (profile {self.profile}{', job ' + self.job if self.job else ''})"


def seats_of(spawners: Iterable[object], *, but: object) -> list[Seat]:
    """The seats that a user's other servers take."""
    found = (getattr(other, "seat", None) for other in list(spawners) if other is not but)
    return [seat for seat in found if isinstance(seat, Seat)]


def check_limits(config: Config, server: str, profile: str, taken: Iterable[Seat]) -> None:
    """Is there a seat left for one more session of ``profile``?

    Raises:
        UsageError: the server has a name, and there are no named servers here.
        TooManySessionsError: names the sessions that take the seats.
    """
    if server and not config.sessions.named:
        raise UsageError(
            f"server {server!r} cannot be started: there are no named servers here",
            hint="start the default server; administrators set sessions.named in nearfield.yaml",
        )
    seats = list(taken)
    _check(seats, config.sessions.per_user, "sessions at a time")
    if (most := config.profiles[profile].per_user) is not None:
        same = [seat for seat in seats if seat.profile == profile]
        _check(same, most, f"sessions of profile {profile!r} at a time")


def _check(seats: list[Seat], most: int, what: str) -> None:
    if len(seats) >= most:
        raise TooManySessionsError(
            f"a user may have {most} {what if most > 1 else what.replace('sessions', 'session', 1)}"
            f", and there {'are' if len(seats) > 1 else 'is'}: {'; '.join(map(str, seats))}",
            hint="stop one of them first",
        )
