"""May everybody who is meant to read this file? Told from the bits of it and of its folders."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACL = "system.posix_acl_access"


@dataclass(frozen=True)
class Obstacle:
    """What keeps people from a file."""

    path: Path
    why: str
    fix: str
    certain: bool = True
    """False: there is an ACL, which the bits do not tell."""


def obstacles(path: Path, groups: frozenset[str]) -> Iterator[Obstacle]:
    """Each folder that not everybody may enter, and the file if not everybody may read it.

    ``groups`` are those that all of the people are in: what these may, is enough.
    """
    real = path.resolve()
    ways = dict.fromkeys([*reversed(path.parents), *reversed(real.parents)])
    for folder in ways:
        yield from _closed(folder, groups, stat.S_IXOTH, "entered")
    yield from _closed(real, groups, stat.S_IROTH, "read")
    if real.is_dir():
        yield from _closed(real, groups, stat.S_IXOTH, "entered")


def _closed(path: Path, groups: frozenset[str], bit: int, verb: str) -> Iterator[Obstacle]:
    found = path.stat()
    if found.st_mode & bit:
        return
    group = _group(found.st_gid)
    if found.st_mode & (bit << 3) and group in groups:
        return
    owner_of = f"group {group}" if found.st_mode & (bit << 3) else "its owner"
    letter = "x" if bit == stat.S_IXOTH else "r"
    yield Obstacle(
        path=path,
        why=f"can be {verb} by {owner_of} alone (mode {stat.S_IMODE(found.st_mode):04o})",
        fix=f"chmod o+{letter} {path}",
        certain=not _has_acl(path),
    )


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _has_acl(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, ACL))
    except OSError:
        return False
