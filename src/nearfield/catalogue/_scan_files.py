"""The first half of a scan: what each file says, from memory or read anew."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from nearfield.catalogue._ledger import (
    Ledger,
    Remembered,
    fingerprint,
    remember,
    same_content,
)
from nearfield.catalogue._reading import (
    TOO_LONG,
    WORTH_ANOTHER,
    Outcome,
    cores,
    read_here,
    read_in_workers,
)
from nearfield.catalogue._rules import RuleBook
from nearfield.catalogue._stacks import Stacks
from nearfield.catalogue._tree import Failure, Tree, on_tape, shown
from nearfield.catalogue._writers import WriteLocks
from nearfield.catalogue.metadata import FileMetadata
from nearfield.catalogue.metadata.reader import OPEN_FOR_WRITING, PERMISSION_DENIED
from nearfield.errors import DataFileError

BATCH_FILES = 100
BATCH_SECONDS = 2.0
_FRAME = FileMetadata(format="frame")


@dataclass
class FileScan:
    """Reads what must be read of one tree. ``failed`` names what could not be."""

    ledger: Ledger
    tree: Tree
    before: dict[str, Remembered]
    say: Callable[[int, int, str], None]
    recall: bool
    workers: int | None
    book: RuleBook
    failed: list[Failure] = field(default_factory=list)

    def _remember_plain(self) -> None:
        fresh = []
        for path, status in self.tree.plain.items():
            mark = fingerprint(status)
            known = self.before.get(path)
            if known is None or known.fingerprint != mark:
                fresh.append((path, Remembered(mark, data=False), None))
        if fresh:
            self.ledger.save_files(fresh)

    def run(self) -> dict[str, Remembered]:
        """What every data file says, read again only where it has changed."""
        self._remember_plain()
        stacks = Stacks.among(self.tree.files)
        now, frames = self._from_memory(stacks)
        fresh = [path for path in self.tree.files if path not in now]
        batch: list[tuple[str, Remembered, FileMetadata | None]] = frames
        last = time.monotonic()
        for path, outcome in self._outcomes(fresh):
            taken = self._take(
                path, fingerprint(self.tree.files[path]), outcome, self.before.get(path)
            )
            if taken is not None:
                now[path] = taken[0]
                if path in stacks.pattern:
                    now[path] = replace(now[path], series=stacks.pattern[path])
                if asked := self._asked(path):
                    now[path] = replace(now[path], asked=asked)
                batch.append((path, now[path], taken[1]))
            if len(batch) >= BATCH_FILES or time.monotonic() - last > BATCH_SECONDS:
                self.ledger.save_files(batch)
                batch, last = [], time.monotonic()
        if batch:
            self.ledger.save_files(batch)
        for path, first in stacks.first.items():
            if first not in now:
                # Not opened this time. Its stack is still its own, and not the next frame's.
                pattern = stacks.pattern[path]
                now[first] = Remembered("", series=pattern, error="the first frame was not read")
        return now

    def _from_memory(
        self, stacks: Stacks
    ) -> tuple[dict[str, Remembered], list[tuple[str, Remembered, FileMetadata | None]]]:
        """What need not be opened; and of that, the frames that nobody knew."""
        now: dict[str, Remembered] = {}
        frames: list[tuple[str, Remembered, FileMetadata | None]] = []
        for path, status in self.tree.files.items():
            mark = fingerprint(status)
            known = self.before.get(path)
            same = known is not None and (
                known.fingerprint == mark or (on_tape(status) and same_content(known, mark))
            )
            usable = known if same and known is not None and known.data else None
            if usable is not None and usable.asked != self._asked(path):
                usable = None
            if path in stacks.first:
                if usable is not None and usable.error is None:
                    now[path] = usable
                else:
                    now[path] = Remembered(mark, series=stacks.pattern[path], frame=True)
                    frames.append((path, now[path], _FRAME))
            elif usable is not None and not usable.frame:
                now[path] = usable
                if usable.error is not None:
                    self.failed.append(Failure(path, usable.error))
        return now, frames

    def _asked(self, path: str) -> str:
        wanted = self.book.wanted(path)
        return hashlib.sha256("\0".join(wanted).encode()).hexdigest()[:16] if wanted else ""

    def _outcomes(self, fresh: list[str]) -> Iterator[tuple[str, Outcome]]:
        """What each of these files says, read where :attr:`workers` wants it."""
        empty: list[str] = []
        locks = WriteLocks()

        def to_open() -> Iterator[str]:
            # Asked one by one: right before a file is opened is when it counts.
            known = len(self.tree.files) - len(fresh)
            for done, path in enumerate(fresh, start=known):
                self.say(done, len(self.tree.files), shown(path.rpartition("/")[2]))
                status = self.tree.files[path]
                if on_tape(status) and not self.recall:
                    reason = "on tape: not opened; scan with --recall to fetch it"
                    self.failed.append(Failure(path, reason))
                elif status.st_size == 0:
                    empty.append(path)
                elif locks.held(status):
                    self.failed.append(Failure(path, OPEN_FOR_WRITING))
                else:
                    yield path

        workers = self.workers
        if workers is None:
            workers = 0 if len(fresh) < WORTH_ANOTHER else cores()
        if workers and fresh:
            yield from read_in_workers(to_open(), workers, self.book.wanted)
        else:
            yield from read_here(to_open(), self.book.wanted)
        for path in empty:
            yield path, DataFileError(path, "empty: zero bytes")

    def _take(
        self, path: str, mark: str, outcome: Outcome, known: Remembered | None
    ) -> tuple[Remembered, FileMetadata | None] | None:
        """What is remembered of it; ``None`` where the next scan must try again anyway."""
        try:
            after = os.lstat(path)
        except OSError:
            return None  # gone meanwhile: nothing to say about it
        if fingerprint(after) != mark:
            self.failed.append(Failure(path, "changed while it was read; scan again later"))
            return None
        if isinstance(outcome, FileMetadata):
            return remember(mark, outcome), outcome
        if outcome.reason in (OPEN_FOR_WRITING, PERMISSION_DENIED) or outcome.reason.startswith(
            TOO_LONG
        ):
            # Depends on others, not on the file.
            self.failed.append(Failure(path, outcome.reason))
            return None
        return self._unreadable(path, mark, outcome.reason, known)

    def _unreadable(
        self, path: str, mark: str, reason: str, known: Remembered | None
    ) -> tuple[Remembered, None]:
        """What the file referred to when it was read stays its own."""
        self.failed.append(Failure(path, reason))
        if known is None:
            return Remembered(mark, error=reason), None
        return Remembered(mark, known.links, known.series, error=reason), None
