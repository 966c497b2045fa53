"""Who may see a scanned dataset, from what the file system says about its files.

The catalogue never shows a record to more people than may read the files: group and world
count only if every folder on the way lets them through.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from nearfield.datasets import Access, Principal

_WORLD_READ = stat.S_IROTH | stat.S_IRGRP
_WORLD_PASS = stat.S_IXOTH | stat.S_IXGRP


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What the operator says instead of the file system."""

    owner: str | None = None
    group: str | None = None
    public: bool = False


@lru_cache(maxsize=4096)
def account_name(uid: int) -> str | None:
    """The account's name; ``None`` for a number that this host does not know."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str | None:
    """The group's name; ``None`` for a number that this host does not know."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def unix_groups(name: str) -> frozenset[str]:
    """The Unix groups of an account; none if the host does not know it."""
    try:
        account = pwd.getpwnam(name)
        gids = os.getgrouplist(name, account.pw_gid)
    except (KeyError, OSError):
        return frozenset()
    return frozenset(found for gid in gids if (found := group_name(gid)) is not None)


def current_account() -> Principal:
    """The account that runs this process.

    It sees all of an embedded catalogue: whoever can read the file can read every record.
    """
    uid = os.geteuid()
    name = account_name(uid) or str(uid)
    gids = {os.getegid(), *os.getgroups()}
    groups = frozenset(found for gid in gids if (found := group_name(gid)) is not None)
    return Principal(name=name, groups=groups, admin=True)


@dataclass
class AccessReader:
    """Reads rights, remembering folders. ``top`` is where looking at folders ends."""

    rule: AccessRule = AccessRule()
    _world: dict[tuple[str, str], bool] = field(default_factory=dict)
    _group: dict[tuple[str, str, int], bool] = field(default_factory=dict)

    def access(self, files: Iterable[tuple[str, os.stat_result]], top: str) -> Access:
        """Access of a dataset made of ``files``, the root file first."""
        gid = uid = -1
        group_reads = public = True
        for number, (path, status) in enumerate(files):
            if number == 0:
                gid, uid = status.st_gid, status.st_uid
            group_reads = group_reads and (
                status.st_gid == gid and self.group_reads(path, status, top)
            )
            public = public and self.world_reads(path, status, top)
            if not (group_reads or public):
                break
        return Access(
            owner=self.rule.owner or account_name(uid),
            owner_group=self.rule.group or (group_name(gid) if group_reads else None),
            public=self.rule.public or public,
        )

    def group_reads(self, path: str, status: os.stat_result, top: str) -> bool:
        """May the file's own group read it, and come so far?"""
        return bool(effective_mode(path, status) & stat.S_IRGRP) and self._group_passes(
            _folder_of(path), status.st_gid, top
        )

    def world_reads(self, path: str, status: os.stat_result, top: str) -> bool:
        """May everybody read it, and come so far?"""
        return effective_mode(path, status) & _WORLD_READ == _WORLD_READ and self._world_passes(
            _folder_of(path), top
        )

    def _world_passes(self, folder: str, top: str) -> bool:
        key = (folder, top)
        if key not in self._world:
            mode = _folder_mode(folder)[0]
            self._world[key] = mode & _WORLD_PASS == _WORLD_PASS and (
                _is_top(folder, top) or self._world_passes(os.path.dirname(folder), top)  # noqa: PTH120
            )
        return self._world[key]

    def _group_passes(self, folder: str, gid: int, top: str) -> bool:
        key = (folder, top, gid)
        if key not in self._group:
            mode, folder_gid = _folder_mode(folder)
            needed = stat.S_IXGRP if folder_gid == gid else stat.S_IXOTH
            self._group[key] = bool(mode & needed) and (
                _is_top(folder, top) or self._group_passes(os.path.dirname(folder), gid, top)  # noqa: PTH120
            )
        return self._group[key]


def _folder_of(path: str) -> str:
    return path[: path.rfind("/")] or "/"


def _is_top(folder: str, top: str) -> bool:
    return folder in (top, "/", "")


def _folder_mode(folder: str) -> tuple[int, int]:
    try:
        status = Path(folder).stat()
    except OSError:
        return 0, -1
    return effective_mode(folder, status), status.st_gid


def effective_mode(path: str, status: os.stat_result) -> int:
    """The mode, with the owning group's real rights where the file has a POSIX ACL.

    With an ACL the group bits of ``st_mode`` are the mask for *all* named groups and users, and
    may say more than the owning group has (acl(5)).
    """
    mode = status.st_mode
    if not mode & stat.S_IRWXG:
        return mode
    try:
        acl = os.getxattr(path, "system.posix_acl_access")
    except OSError:
        return mode
    # linux/posix_acl_xattr.h: a 4-byte version, then entries of tag, perm (16 bit), id (32 bit).
    allowed = 7
    for tag, perm, _ in struct.iter_unpack("<HHI", acl[4:]):
        if tag in (0x04, 0x10):  # ACL_GROUP_OBJ, ACL_MASK
            allowed &= perm
    return mode & (~stat.S_IRWXG | (allowed << 3))
