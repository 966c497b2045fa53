"""``nearfield catalogue scan``: register every dataset below a folder.

A dataset is one root file with all that it refers to. What cannot be read is reported and the
scan goes on. A file is opened only if it has changed since it was last read; what was read is
written in batches, so a scan killed at any point leaves a good catalogue and is continued by
the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from nearfield.catalogue._claims import Claims
from nearfield.catalogue._compose import Composer
from nearfield.catalogue._ledger import (
    KnownDataset,
    Ledger,
    Remembered,
    fingerprint,
    forget_dataset,
    save_dataset,
)
from nearfield.catalogue._links import Groups, Resolver, group
from nearfield.catalogue._posix import AccessReader, AccessRule
from nearfield.catalogue._rules import RuleBook
from nearfield.catalogue._scan_files import BATCH_FILES, BATCH_SECONDS, FileScan
from nearfield.catalogue._scan_report import OnProgress, ScanReport
from nearfield.catalogue._store import CatalogueStore, fetch, is_input, put, remove
from nearfield.catalogue._tree import Failure, Tree, list_tree, shown
from nearfield.catalogue._unreadable import mark_unreadable, with_state
from nearfield.config import Config, load_rules
from nearfield.datasets import Dataset
from nearfield.errors import UsageError

_MISSING = "missing"
ABSORBED = "now part of another dataset"


async def scan_into(
    file: Path,
    root: Path,
    config: Config,
    *,
    on_progress: OnProgress | None = None,
    recall: bool = False,
    rule: AccessRule | None = None,
    workers: int | None = None,
) -> ScanReport:
    """Scan ``root`` into the catalogue ``file``, made if need be. Raises as :func:`scan`."""

    def work() -> ScanReport:
        store = CatalogueStore(file, config.catalogue.name)
        try:
            return scan(
                store,
                root,
                config,
                on_progress=on_progress,
                recall=recall,
                rule=rule,
                workers=workers,
            )
        finally:
            store.close()

    return await asyncio.to_thread(work)


def scan(
    store: CatalogueStore,
    root: Path,
    config: Config,
    *,
    on_progress: OnProgress | None = None,
    recall: bool = False,
    rule: AccessRule | None = None,
    workers: int | None = None,
) -> ScanReport:
    """Register the datasets below ``root``.

    Args:
        recall: open files whose blocks are on tape.
        rule: owner, group and publicity where the file system's word is not wanted.
        workers: processes that open the files. 0: this one does, which a file that crashes HDF5
            ends too; None: one for each core where there are many files to open, else 0.

    Raises:
        UsageError: ``root`` is not a folder, or its name is not UTF-8.
        ConfigError: the facility rules cannot be used.
        BlockedError: h5py is missing.
        CatalogueError: the catalogue cannot be written.
    """
    where = os.path.abspath(root)  # noqa: PTH100  # resolve() would lose the storage's own path
    if where.startswith("//"):
        where = where[1:]  # POSIX lets two slashes at the beginning stand; every path has one
    if not os.path.isdir(where):  # noqa: PTH112
        raise UsageError(
            f"{shown(where)}: not a folder", hint="name the folder that holds the data"
        )
    if shown(where) != where:
        raise UsageError(f"{shown(where)}: the folder's name is not UTF-8")
    book = RuleBook(load_rules(config.catalogue.rules))
    access = rule or AccessRule()
    return _Scan(store, where, config, on_progress, recall, access, workers, book).run()


@dataclass
class _Scan:
    store: CatalogueStore
    root: str
    config: Config
    on_progress: OnProgress | None
    recall: bool
    rule: AccessRule
    workers: int | None
    book: RuleBook
    failed: list[Failure] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: {"registered": 0, "unchanged": 0, "updated": 0}
    )

    def run(self) -> ScanReport:
        ledger = Ledger(self.store, self.root)
        before = ledger.files()
        tree = list_tree(
            self.root,
            lambda path, status: (
                (known := before.get(path)) is not None
                and not known.data
                and known.fingerprint == fingerprint(status)
            ),
        )
        self.failed.extend(tree.failed)
        reading = FileScan(ledger, tree, before, self._say, self.recall, self.workers, self.book)
        now = reading.run()
        self.failed.extend(reading.failed)
        ledger.forget_files(
            path
            for path in before
            if path not in tree.files and path not in tree.plain and not tree.may_hold(path)
        )
        readable = {path: known for path, known in now.items() if known.error is None}
        unreadable = {
            path: known
            for path, known in {**before, **now}.items()
            if path not in readable and (path in tree.files or tree.may_hold(path))
        }
        resolver = Resolver(tree)
        claims = Claims(tree, self.config)
        claimed = self._claimed_elsewhere(ledger, resolver, claims)
        groups = group(readable, resolver, claims, claimed, unreadable)
        roots_before = ledger.datasets()
        self._register(ledger, tree, groups, readable, roots_before)
        self._retire(tree, groups, readable, roots_before)
        reasons = {failure.path: failure.reason for failure in self.failed}
        mark_unreadable(
            self.store,
            roots_before,
            {root: reasons.get(root, "") for root in roots_before if root in unreadable},
        )
        gone = self._mark_missing(tree, roots_before)
        return ScanReport(
            **self.counts,
            missing=len(gone),
            ignored=tree.ignored,
            failed=tuple(sorted(set(self.failed), key=lambda f: (f.path, f.reason))),
            missing_paths=tuple(gone),
        )

    def _say(self, done: int, total: int, what: str) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total, what)

    def _claimed_elsewhere(self, ledger: Ledger, resolver: Resolver, claims: Claims) -> set[str]:
        """Files of this folder that belong to datasets registered from other folders."""
        return {
            goal
            for referrer, names in ledger.outside_links()
            if os.path.exists(referrer)  # noqa: PTH110
            for name in names
            for goal in resolver.resolve(referrer, name)
            if claims.may_take(referrer, goal)
        }

    def _register(
        self,
        ledger: Ledger,
        tree: Tree,
        groups: Groups,
        readable: dict[str, Remembered],
        before: dict[str, KnownDataset],
    ) -> None:
        access = AccessReader(self.rule)
        composer = Composer(self.config, self.store.name, tree, groups, access, self.book)
        batch: list[tuple[str, KnownDataset, Dataset]] = []
        last = time.monotonic()
        for done, root in enumerate(groups.members):
            self._say(done, len(groups.members), "registering")
            draft = composer.draft(root)
            known = before.get(root)
            marks = [
                (path, readable[path].fingerprint if path in readable else fingerprint(status))
                for path, status in draft.files
            ]
            state = _digest([marks, draft.key, *self.book.state(root)])
            if known is not None and known.state == state:
                self.counts["unchanged"] += 1
                self.failed.extend(Failure(path, reason) for path, reason in known.problems)
                continue
            self.counts["registered" if known is None else "updated"] += 1
            dataset, problems = composer.compose(draft, ledger.reading)
            self.failed.extend(Failure(path, reason) for path, reason in problems)
            batch.append((root, KnownDataset(dataset.pid, state, tuple(problems)), dataset))
            if len(batch) >= BATCH_FILES or time.monotonic() - last > BATCH_SECONDS:
                self._write(batch)
                batch, last = [], time.monotonic()
        self._write(batch)

    def _write(self, batch: list[tuple[str, KnownDataset, Dataset]]) -> None:
        if not batch:
            return
        with self.store.writing() as connection:
            for root, known, dataset in batch:
                put(connection, dataset)
                save_dataset(connection, root, known)

    def _retire(
        self,
        tree: Tree,
        groups: Groups,
        readable: dict[str, Remembered],
        before: dict[str, KnownDataset],
    ) -> None:
        """Datasets whose root file has become part of another one, usually a new master file,

        or turns out to be the result of a run.
        """
        absorbed = [
            root
            for root in before
            if (root in readable and root not in groups.members) or tree.in_results(root)
        ]
        if not absorbed:
            return
        with self.store.writing() as connection:
            for root in absorbed:
                pid = before[root].pid
                forget_dataset(connection, root)
                if not is_input(connection, pid):
                    remove(connection, pid)
                elif (dataset := fetch(connection, pid)) is not None:
                    # Results refer to it: it stays, and says what has become of it.
                    result = tree.in_results(root)
                    note = f"its file is {'a result of a run' if result else ABSORBED}"
                    if note not in dataset.warnings:
                        put(connection, with_state(dataset, note))

    def _mark_missing(self, tree: Tree, before: dict[str, KnownDataset]) -> list[str]:
        """Datasets whose root file is gone stay, because results refer to them, and say so."""
        gone = [
            root
            for root in before
            if root not in tree.files and not tree.may_hold(root) and not tree.in_results(root)
        ]
        news = [root for root in gone if before[root].state != _MISSING]
        if news:
            today = datetime.now(UTC).strftime("%Y-%m-%d")
            with self.store.writing() as connection:
                for root in news:
                    dataset = fetch(connection, before[root].pid)
                    if dataset is not None:
                        put(connection, with_state(dataset, f"missing since {today}: {root}"))
                    save_dataset(
                        connection, root, replace(before[root], state=_MISSING, problems=())
                    )
        return sorted(gone)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
