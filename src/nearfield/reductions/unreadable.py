"""Frames that cannot be read: an error, or noted and left out where that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nearfield.errors import DataFileError


@dataclass(frozen=True)
class Unreadable:
    """Frames ``start … stop`` of a stack, the file that was to give them, and why it does not."""

    start: int
    stop: int
    path: str
    words: str


class FileChanged(DataFileError):
    """A file is no longer as it was when its stack was opened, though it was read by then."""


@dataclass
class Noted:
    """Takes what cannot be read: the first is an error, or all are kept.

    Attributes:
        collect: Keep them. They are left out of the blocks then.
        found: In the order in which they were met; a frame may stand in several.
    """

    collect: bool = False
    found: list[Unreadable] = field(default_factory=list)

    def add(self, start: int, stop: int, path: str, words: str) -> None:
        """Raises DataFileError, with file and frame, where they are not collected."""
        if not self.collect:
            raise DataFileError(path, f"frame {start}: {words}")
        last = self.found[-1] if self.found else None
        if last and (last.stop, last.path, last.words) == (start, path, words):
            self.found[-1] = Unreadable(last.start, stop, path, words)
        else:
            self.found.append(Unreadable(start, stop, path, words))


def without(start: int, stop: int, holes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The runs of ``start … stop`` that are in none of the ``holes``."""
    for begin, end in sorted(holes):
        if start < begin:
            yield start, min(begin, stop)
        start = max(start, end)
    if start < stop:
        yield start, stop
