"""From files that belong together to one dataset record."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from nearfield.catalogue._links import Groups
from nearfield.catalogue._posix import AccessReader
from nearfield.catalogue._tree import Tree, on_tape
from nearfield.catalogue.metadata import FileMetadata, contains
from nearfield.config import Config
from nearfield.datasets import Access, DataFile, Dataset, dataset_pid
from nearfield.errors import DataFileError
from nearfield.storage import locate

Problem = tuple[str, str]
"""A path and what is wrong with it."""


@dataclass(frozen=True)
class Draft:
    """A dataset before anything of its content is loaded."""

    pid: str
    root: str
    storage: str | None
    files: list[tuple[str, os.stat_result]]
    """All files that are there, the root first."""
    access: Access
    dangling: list[tuple[str, str]]
    """Referring file and the name that leads nowhere."""

    @property
    def key(self) -> list[object]:
        """What besides the files' fingerprints makes the record."""
        return [self.pid, self.storage, self.access.model_dump(mode="json"), self.dangling]


@dataclass
class Composer:
    """Makes datasets of the groups of one scanned tree."""

    config: Config
    catalogue: str
    tree: Tree
    groups: Groups
    access: AccessReader

    def draft(self, root: str) -> Draft:
        """What can be told without opening a file."""
        storage, relative = locate(self.config, root)
        members = self.groups.members[root]
        files: list[tuple[str, os.stat_result]] = []
        for path in members:
            status = self.tree.files.get(path) or self.tree.plain.get(path) or _status(path)
            if status is not None:
                files.append((path, status))
        dangling = [
            (referrer, name)
            for referrer in members
            for name, goals in self.groups.targets.get(referrer, {}).items()
            if not goals
        ]
        top = str(self.config.storages[storage].prefix) if storage else "/"
        return Draft(
            pid=dataset_pid(self.catalogue, storage or "", relative),
            root=root,
            storage=storage,
            files=files,
            access=self.access.access(files, top),
            dangling=dangling,
        )

    def compose(
        self, draft: Draft, reading: Callable[[str], FileMetadata]
    ) -> tuple[Dataset, list[Problem]]:
        """The record, and what is wrong with it although it is registered."""
        root = reading(draft.root)
        problems: list[Problem] = [(draft.root, problem) for problem in root.problems]
        for referrer, name in draft.dangling:
            problems.append((referrer, f"refers to {name!r}, which is not there"))
        for path, _ in draft.files:
            if path in self.groups.targets:
                problems += self._broken(path, root if path == draft.root else reading(path))
            elif path in self.tree.files:
                problems.append((draft.root, f"refers to {path!r}, which cannot be read"))
        notes = list(root.warnings)
        outside = [path for path, _ in draft.files if not self._in_tree(path)]
        if outside:
            notes.append(f"files outside of the scanned folder, not looked into: {len(outside)}")
        dataset = Dataset(
            pid=draft.pid,
            title=root.title,
            description=root.description,
            techniques=root.techniques,
            format=root.format,
            instrument=root.instrument,
            facility=root.facility,
            sample=root.sample,
            proposal=root.proposal,
            start_time=root.start_time,
            end_time=root.end_time,
            keywords=root.keywords,
            storage=draft.storage,
            source_folder=draft.root.rpartition("/")[0] or "/",
            size=sum(status.st_size for _, status in draft.files),
            files=tuple(_data_file(path, status, draft.root) for path, status in draft.files),
            arrays=root.arrays,
            access=draft.access,
            warnings=tuple(dict.fromkeys([*notes, *(reason for _, reason in problems)])),
            scientific=root.scientific,
        )
        return dataset, problems

    def _in_tree(self, path: str) -> bool:
        return path in self.tree.files or path in self.tree.plain

    def _broken(self, referrer: str, metadata: FileMetadata) -> list[Problem]:
        """References into files of this tree that lead to no object in them."""
        wanted: dict[str, list[str]] = {}
        for link in metadata.links:
            # A %-pattern stands for many objects; raw bytes have none.
            if link.object is None or "%" in link.object:
                continue
            for goal in self.groups.targets.get(referrer, {}).get(link.file, ()):
                if goal in self.groups.targets:
                    wanted.setdefault(goal, []).append(link.object)
        problems: list[Problem] = []
        for goal, objects in wanted.items():
            if on_tape(self.tree.files[goal]):
                continue
            try:
                there = contains(goal, list(dict.fromkeys(objects)))
            except DataFileError as error:
                problems.append((referrer, f"refers to {goal!r}: {error.reason}"))
                continue
            problems += [
                (referrer, f"refers to {name!r} in {goal!r}, which is not there")
                for name, found in there.items()
                if not found
            ]
        return problems


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except OSError:
        return None


def _data_file(path: str, status: os.stat_result, root: str) -> DataFile:
    return DataFile(
        path=path,
        size=status.st_size,
        mtime=datetime.fromtimestamp(status.st_mtime, UTC),
        role="root" if path == root else "linked",
    )
