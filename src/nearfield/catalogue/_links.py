"""Which files belong together: references between files, and which of them are roots."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nearfield.catalogue._claims import Claims
from nearfield.catalogue._ledger import Remembered
from nearfield.catalogue._tree import Tree
from nearfield.catalogue.metadata.series import series_expression

# %b in a virtual source's file name counts blocks from 0 (H5Pset_virtual).
MAX_BLOCKS = 100_000
_PERCENT = re.compile("%[b%]")


@dataclass
class Resolver:
    """Finds the files that references mean, as HDF5 does.

    An absolute name is tried as it is, then by its last part beside the referring file; a
    relative name beside the referring file (H5Lcreate_external). The process's own working
    folder and HDF5's environment variables are not consulted: they say nothing about the data.
    """

    tree: Tree
    _real: dict[str, str] = field(default_factory=dict)

    def resolve(self, referrer: str, name: str) -> list[str]:
        """Paths that the pattern ``name`` means, in the tree's own spelling; none if it dangles."""
        if not counts_blocks(name):
            one = self._one(referrer, spelled(name))
            return [] if one is None else [one]
        found = []
        for block in range(MAX_BLOCKS):
            one = self._one(referrer, spelled(name, str(block)))
            if one is None:
                break
            found.append(one)
        return found

    def _one(self, referrer: str, name: str) -> str | None:
        if "\0" in name:
            return None
        folder = os.path.dirname(referrer)  # noqa: PTH120
        tries = [os.path.join(folder, name)]  # noqa: PTH118
        if name.startswith("/"):
            tries.append(os.path.join(folder, PurePosixPath(name).name))  # noqa: PTH118
        for path in tries:
            if os.path.isfile(path):  # noqa: PTH113
                real = self._real_path(path)
                return self.tree.inside(real) or real
        return None

    def _real_path(self, path: str) -> str:
        """realpath, looking at each folder once."""
        folder, _, last = path.rpartition("/")
        if os.path.islink(path):  # noqa: PTH114
            return os.path.realpath(path)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder or "/")
        return f"{self._real[folder].rstrip('/')}/{last}"


def spelled(pattern: str, block: str = "%b") -> str:
    """The file's name that a :attr:`FileLink.pattern` means for one block."""
    return _PERCENT.sub(lambda found: block if found[0] == "%b" else "%", pattern)


def counts_blocks(pattern: str) -> bool:
    return "%b" in _PERCENT.findall(pattern)


@dataclass
class Groups:
    """The files of the tree, each with what it refers to, and the roots among them."""

    targets: dict[str, dict[str, list[str]]]
    """By referring file: the name as spelled → the paths that it means."""
    members: dict[str, list[str]]
    """By root file: all files of its dataset, the root first."""


def group(
    readable: Mapping[str, Remembered],
    resolver: Resolver,
    claims: Claims,
    claimed: Iterable[str] = (),
    unreadable: Mapping[str, Remembered] | None = None,
) -> Groups:
    """Form datasets. ``claimed`` are files that belong to datasets elsewhere.

    ``unreadable`` are files with what they said when they were last read: what they referred
    to stays theirs, but they make no dataset.

    A file that another refers to is no root, unless that one is somebody else's and lies
    elsewhere (``claims``). Where files refer to each other in a ring, the first by name is.
    """
    known = {**(unreadable or {}), **readable}
    targets = {
        path: {
            name: [goal for goal in resolver.resolve(path, name) if claims.may_know(path, goal)]
            for name in one.links
        }
        for path, one in known.items()
    }
    edges: dict[str, list[str]] = {
        path: [goal for goals in names.values() for goal in goals if goal != path]
        for path, names in targets.items()
    }
    own = {
        path: [goal for goal in goals if claims.may_take(path, goal)]
        for path, goals in edges.items()
    }
    for first, others in _series(known).items():
        edges[first].extend(others)
        own[first].extend(others)
    pointed_at = {goal for goals in own.values() for goal in goals} | set(claimed)
    members: dict[str, list[str]] = {}
    reached: set[str] = set(claimed)
    alone = sorted(set(known) - pointed_at)
    ringed = sorted(set(known) & pointed_at)
    for root in [*alone, *ringed]:
        if root in reached:
            continue
        reached.update(_closure(root, own))
        if root in readable:
            members[root] = _closure(root, edges)
    return Groups({path: targets[path] for path in readable}, members)


def _closure(root: str, edges: Mapping[str, list[str]]) -> list[str]:
    found = {root: None}
    queue = [root]
    while queue:
        for goal in edges.get(queue.pop(), ()):
            if goal not in found:
                found[goal] = None
                queue.append(goal)
    return [root, *sorted(path for path in found if path != root)]


def _series(files: Mapping[str, Remembered]) -> dict[str, list[str]]:
    """First file of each openPMD series → its other files, by iteration."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for path, known in files.items():
        if known.series is None:
            continue
        folder, _, name = path.rpartition("/")
        pattern = known.series.rpartition("/")[2]
        match = re.fullmatch(series_expression(pattern), name)
        if match is not None:
            groups.setdefault((folder, pattern), []).append((int(match[1]), path))
    series = {}
    for found in groups.values():
        first, *others = [path for _, path in sorted(found)]
        series[first] = others
    return series
