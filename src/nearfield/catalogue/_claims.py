"""Whose a file is that another one refers to: to name a file gives nobody a right to it.

A scan may read more than those whose files it reads. Whoever may put a file into a scanned folder
could otherwise learn of files that are closed to them, or make another's dataset a part of theirs.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from nearfield.catalogue._posix import AccessReader
from nearfield.catalogue._tree import Tree
from nearfield.config import Config
from nearfield.storage import locate


@dataclass
class Claims:
    """What the owner of a referring file may have of another file.

    The files of ``root`` and of the account that scans may refer to everything that it reads.
    """

    tree: Tree
    config: Config
    _access: AccessReader = field(default_factory=AccessReader)
    _folders: dict[str, os.stat_result | None] = field(default_factory=dict)

    def may_know(self, referrer: str, goal: str) -> bool:
        """May they read it? If not, it is to them as if it were not there."""
        if self.may_take(referrer, goal):
            return True
        mine, other = self._status(referrer), self._status(goal)
        if mine is None or other is None:
            return False
        storage, _ = locate(self.config, goal)
        top = str(self.config.storages[storage].prefix) if storage else "/"
        return self._access.world_reads(goal, other, top) or (
            other.st_gid == mine.st_gid and self._access.group_reads(goal, other, top)
        )

    def may_take(self, referrer: str, goal: str) -> bool:
        """Is it theirs to make a part of their dataset: their file, or one in their folder?"""
        mine, other = self._status(referrer), self._status(goal)
        if mine is None or other is None:
            return False
        if mine.st_uid in (other.st_uid, 0, os.geteuid()):
            return True
        above = os.path.dirname(referrer)  # noqa: PTH120
        if goal.startswith(above.rstrip("/") + "/"):
            place = self._folder(above)
            # In a folder like /tmp everybody may write, and nobody may move another's files.
            return place is not None and not place.st_mode & stat.S_ISVTX
        place = self._folder(os.path.dirname(goal))  # noqa: PTH120
        return place is not None and place.st_uid == mine.st_uid

    def _status(self, path: str) -> os.stat_result | None:
        return self.tree.files.get(path) or self.tree.plain.get(path) or _status(path)

    def _folder(self, path: str) -> os.stat_result | None:
        if path not in self._folders:
            self._folders[path] = _status(path)
        return self._folders[path]


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except OSError:
        return None
