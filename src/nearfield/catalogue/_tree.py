"""What lies in a folder: data files, everything else, and what must not be touched.

Only ``lstat`` and ``scandir`` are used, and eight bytes of files without a data suffix. FIFOs,
sockets and devices are never opened, symbolic links never followed, files on tape not recalled.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nearfield.catalogue.metadata.reader import SIGNATURE, has_signature

_HDF5 = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx5", ".nexus", ".nxspe", ".cxi", ".h5oina")
IMAGE_SUFFIXES = frozenset((".edf", ".cbf", ".tif", ".tiff"))
DATA_SUFFIXES = IMAGE_SUFFIXES | {*_HDF5, ".nxs5", ".orb", ".ort"}
# What file systems call their snapshots: copies of everything, not more data.
SNAPSHOT_FOLDERS = frozenset((".snapshot", ".snapshots", ".zfs"))
# Below this a file system may keep the bytes in the inode: no blocks, and still on disk.
INLINE_BYTES = 4096
# What marks a folder as the result of a run: its files are no raw data.
RUN_RECORD = ".nearfield/record.json"


@dataclass(frozen=True, slots=True)
class Failure:
    """One path that could not be taken, and why. ``path`` can be shown and sent anywhere."""

    path: str
    reason: str


@dataclass
class Tree:
    """The result of one pass. Paths are absolute, below ``root`` as it was given."""

    root: str
    real_root: str
    files: dict[str, os.stat_result] = field(default_factory=dict)
    """Files that hold data by suffix or signature, or did when last looked at."""
    plain: dict[str, os.stat_result] = field(default_factory=dict)
    """Files that do not."""
    ignored: int = 0
    failed: list[Failure] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    """Folders that could not be listed: what is below them is unknown, not gone."""
    results: list[str] = field(default_factory=list)
    """Folders of run results: counted and not looked into."""

    def inside(self, real: str) -> str | None:
        """The path in this tree of a path without symbolic links; ``None`` outside."""
        if real == self.real_root:
            return self.root
        base = self.real_root.rstrip("/") + "/"
        return f"{self.root.rstrip('/')}/{real[len(base) :]}" if real.startswith(base) else None

    def in_results(self, path: str) -> bool:
        """Is ``path`` part of a run's results?"""
        return any(path.startswith(folder.rstrip("/") + "/") for folder in self.results)

    def may_hold(self, path: str) -> bool:
        """Could ``path`` be there in a folder that could not be listed?"""
        return any(path.startswith(folder.rstrip("/") + "/") for folder in self.unseen)


def shown(path: str) -> str:
    """A path as text that every encoding can carry: bytes that are not UTF-8 as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_text(path: str) -> bool:
    """Can the path be written as UTF-8, and so be recorded at all?"""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def has_data_suffix(path: str) -> bool:
    name = path[path.rfind("/") + 1 :]
    # A name that begins with its only dot has no suffix.
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in DATA_SUFFIXES


def on_tape(status: os.stat_result) -> bool:
    """A stub of hierarchical storage: a size, and not one block on disk."""
    return status.st_size > INLINE_BYTES and status.st_blocks == 0


def list_tree(root: str, known_plain: Callable[[str, os.stat_result], bool]) -> Tree:
    """Look at everything below ``root``.

    ``known_plain`` says of a file without a data suffix that it was looked at before and has
    not changed since, so that it need not be opened again.
    """
    tree = Tree(root, os.path.realpath(root))
    for entry in _entries(tree):
        path = entry.path
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            tree.failed.append(Failure(shown(path), error.strerror or str(error)))
            continue
        if stat.S_ISLNK(status.st_mode):
            _take_link(tree, path)
        elif not is_text(path):
            tree.failed.append(
                Failure(shown(path), "the name is not UTF-8: no catalogue can hold it")
            )
        elif not stat.S_ISREG(status.st_mode):
            if has_data_suffix(path):
                tree.failed.append(Failure(path, "not a regular file: never opened"))
            else:
                tree.ignored += 1
        elif has_data_suffix(path):
            tree.files[path] = status
        elif known_plain(path, status) or not _begins_as_data(path, status):
            tree.plain[path] = status
            tree.ignored += 1
        else:
            tree.files[path] = status
    return tree


def _entries(tree: Tree) -> Iterator[os.DirEntry[str]]:
    """Everything that is not a folder, folder by folder in a fixed order."""
    folders = [tree.root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except FileNotFoundError:
            if folder == tree.root:
                tree.failed.append(Failure(shown(folder), "not there"))
            continue
        except OSError as error:
            tree.failed.append(Failure(shown(folder), f"folder not read: {error.strerror}"))
            tree.unseen.append(folder)
            continue
        if os.path.isfile(f"{folder}/{RUN_RECORD}"):  # noqa: PTH113
            tree.results.append(folder)
            tree.ignored += sum(len(names) for _, _, names in os.walk(folder))
            continue
        below = []
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry
            elif not is_text(entry.name):
                reason = "the folder's name is not UTF-8: nothing below it can be registered"
                tree.failed.append(Failure(shown(entry.path), reason))
            elif entry.name not in SNAPSHOT_FOLDERS:
                below.append(entry.path)
        folders.extend(reversed(below))


def _take_link(tree: Tree, path: str) -> None:
    """A link into the tree is another name of what is found there; all others are reported."""
    try:
        goal = shown(os.readlink(path))  # noqa: PTH115  # a Path cannot hold every name
        os.stat(path)  # noqa: PTH116
    except OSError as error:
        if error.errno == errno.ELOOP:
            reason = "symbolic link in a loop"
        elif error.errno == errno.ENOENT:
            reason = f"dangling symbolic link to {goal}"
        else:
            reason = f"symbolic link not followed: {error.strerror}"
        tree.failed.append(Failure(shown(path), reason))
        return
    if tree.inside(os.path.realpath(path)) is None:
        tree.failed.append(
            Failure(shown(path), f"symbolic link out of the scanned folder to {goal}: not followed")
        )
    else:
        tree.ignored += 1


def _begins_as_data(path: str, status: os.stat_result) -> bool:
    if status.st_size < len(SIGNATURE) or on_tape(status):
        return False
    try:
        # The file may have become a FIFO since lstat: do not hang on it, do not follow a link.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # it cannot be told what it is: not data by its name
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and has_signature(os.read(handle, 8))
    except OSError:
        return False
    finally:
        os.close(handle)
