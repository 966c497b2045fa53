"""From files that belong together to one dataset record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from nearfield.catalogue._links import Groups, spelled
from nearfield.catalogue._posix import AccessReader
from nearfield.catalogue._rules import RuleBook
from nearfield.catalogue._stacks import stack_of
from nearfield.catalogue._tree import Tree, on_tape
from nearfield.catalogue.metadata import FileMetadata, Target, targets
from nearfield.catalogue.metadata.walk import MAX_ARRAYS
from nearfield.config import Config
from nearfield.datasets import Access, ArrayInfo, DataFile, Dataset, dataset_pid
from nearfield.errors import DataFileError
from nearfield.storage import locate

Problem = tuple[str, str]
"""A path and what is wrong with it."""
Reading = Callable[[str], FileMetadata]
_Found = dict[tuple[str, str], Target]
"""By file and HDF5 path, as links name it."""


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
    book: RuleBook

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
            (referrer, spelled(name))
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

    def compose(self, draft: Draft, reading: Reading) -> tuple[Dataset, list[Problem]]:
        """The record, and what is wrong with it although it is registered."""
        root = reading(draft.root)
        problems: list[Problem] = [(draft.root, problem) for problem in root.problems]
        for referrer, name in draft.dangling:
            problems.append((referrer, f"refers to {name!r}, which is not there"))
        found: _Found = {}
        for path, _ in draft.files:
            if path in self.groups.targets:
                reached, broken = self._look(path, root if path == draft.root else reading(path))
                problems += broken
                if path == draft.root:
                    found = reached
            elif path in self.tree.files:
                problems.append((draft.root, f"refers to {path!r}, which cannot be read"))
        arrays, missing = self._arrays(draft.root, root, found, reading)
        if len(draft.files) > 1 and stack_of(draft.root) is not None:
            arrays = tuple(
                array.model_copy(update={"shape": (len(draft.files), *array.shape)})
                for array in arrays
            )
        notes = [*root.warnings, *missing]
        outside = [path for path, _ in draft.files if not self._in_tree(path)]
        if outside:
            notes.append(f"files outside of the scanned folder, not looked into: {len(outside)}")
        dataset = Dataset(
            pid=draft.pid,
            title=root.title,
            description=root.description,
            techniques=root.techniques,
            technique_ids=root.technique_ids,
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
            arrays=arrays,
            access=draft.access,
            warnings=tuple(dict.fromkeys([*notes, *(reason for _, reason in problems)])),
            scientific=root.scientific,
        )
        return self.book.apply(dataset, draft.root, root.fields), problems

    def _in_tree(self, path: str) -> bool:
        return path in self.tree.files or path in self.tree.plain

    def _look(self, referrer: str, metadata: FileMetadata) -> tuple[_Found, list[Problem]]:
        """What references lead to in files of this tree, and those that lead to nothing there."""
        wanted: dict[str, list[str]] = {}
        for link in metadata.links:
            # A %-pattern of a virtual source stands for many objects; raw bytes have none.
            virtual = link.kind == "virtual source"
            if link.object is None or (virtual and "%" in link.object):
                continue
            for goal in self.groups.targets.get(referrer, {}).get(link.pattern, ()):
                if goal in self.groups.targets:
                    wanted.setdefault(goal, []).append(link.object)
        found: _Found = {}
        problems: list[Problem] = []
        for goal, objects in wanted.items():
            if on_tape(self.tree.files[goal]):
                found.update({(goal, name): Target(name) for name in objects})
                continue
            try:
                there = targets(goal, list(dict.fromkeys(objects)))
            except DataFileError as error:
                problems.append((referrer, f"refers to {goal!r}: {error.reason}"))
                continue
            for name, target in there.items():
                if target is None:
                    reason = f"refers to {name!r} in {goal!r}, which is not there"
                    problems.append((referrer, reason))
                else:
                    found[goal, name] = target
        return found, problems

    def _linked(
        self, root: str, metadata: FileMetadata, found: _Found, reading: Reading
    ) -> Iterator[ArrayInfo]:
        """Arrays that external links of the root file lead to, by their path in the root file."""
        seen: dict[str, tuple[ArrayInfo, ...]] = {}
        for link in metadata.links:
            if link.kind != "external link" or link.object is None:
                continue
            for goal in self.groups.targets.get(root, {}).get(link.pattern, ()):
                target = found.get((goal, link.object))
                if target is None or goal == root:
                    continue
                if target.array is not None:
                    yield target.array.model_copy(update={"path": link.at})
                    continue
                if goal not in seen:
                    seen[goal] = reading(goal).arrays
                base = target.path.rstrip("/")
                for array in seen[goal]:
                    if array.path == base or array.path.startswith(f"{base}/"):
                        yield _moved(array, base, link.at)

    def _arrays(
        self, root: str, metadata: FileMetadata, found: _Found, reading: Reading
    ) -> tuple[tuple[ArrayInfo, ...], list[str]]:
        """All arrays that can be read through the root file, and what is missing of them.

        The signal is the root file's; what linked files call theirs counts only where the root
        file's plot is a linked NXdata.
        """
        wanted = metadata.signal_link
        signal: ArrayInfo | None = None
        linked: list[ArrayInfo] = []
        left_out = 0
        for array in self._linked(root, metadata, found, reading):
            meant = wanted is not None and (
                array.path == wanted or (array.signal and array.path.startswith(f"{wanted}/"))
            )
            if meant and signal is None:
                signal = array.model_copy(update={"signal": True})
            elif len(linked) < MAX_ARRAYS:
                linked.append(array.model_copy(update={"signal": False, "axes": ()}))
            else:
                left_out += 1
        notes = [f"{left_out} more linked arrays are not listed"] if left_out else []
        if wanted is not None and signal is None:
            notes.append(f"the signal {wanted!r} is linked from a file that could not be read")
        first = () if signal is None else (signal,)
        return (*first, *metadata.arrays, *linked), notes


def _moved(array: ArrayInfo, base: str, to: str) -> ArrayInfo:
    """The array of a linked file as it is seen below the link, its axes with it."""
    axes = tuple(
        axis
        if axis is None or axis.path is None
        else axis.model_copy(
            update={
                "path": to + axis.path[len(base) :] if axis.path.startswith(f"{base}/") else None
            }
        )
        for axis in array.axes
    )
    return array.model_copy(update={"path": to + array.path[len(base) :], "axes": axes})


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
