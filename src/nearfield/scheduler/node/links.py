"""Links to the chosen datasets, made safely: by the job, and later by the session itself."""

import errno
import os
import stat
from typing import Any, Dict, List, Tuple

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Skipped and told. The first three are the ways of a record that would lead us out of our folder.
SKIPPED = (errno.ELOOP, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


def link_files(data: str, links: List[Any]) -> List[Tuple[str, str, str]]:
    """``<data>/<slug>/…``: links to the files at their original paths, in their own folders.

    The paths are a catalogue's word, and what they name may be another account's. No name is
    looked up through a link here: with "evil" a link to somebody's home, "evil/.profile" must not
    be made there. Links that are there already stay. Returns dataset, path and reason of what is
    not linked.
    """
    left = []  # type: List[Tuple[str, str, str]]
    top = os.open(data, FOLDER)
    try:
        for link in links:
            for path in link["files"]:
                why = make_link(top, link, path)
                if why:
                    left.append((link["pid"], path, why))
    finally:
        os.close(top)
    return left


def make_link(top: int, link: Dict[str, Any], path: str) -> str:
    """Why there is no link; "" if there is, or if the path is not the dataset's to link."""
    start = link["folder"].rstrip("/") + "/"
    names = path[len(start) :].split("/")
    if not path.startswith(start) or any(name in ("", ".", "..") for name in names):
        return ""
    here = os.dup(top)
    try:
        for name in [link["slug"], *names[:-1]]:
            inner = inner_folder(here, name)
            os.close(here)
            here = inner
        make_one_link(here, names[-1], path)
    except OSError as error:
        if error.errno not in SKIPPED:
            raise
        return error.strerror or str(error)
    finally:
        os.close(here)
    return ""


def inner_folder(outer: int, name: str) -> int:
    """The real folder ``name`` in ``outer``, made if need be; never through a link."""
    try:
        os.mkdir(name, 0o700, dir_fd=outer)
    except FileExistsError:
        pass
    return os.open(name, FOLDER, dir_fd=outer)


def make_one_link(outer: int, name: str, path: str) -> None:
    try:
        os.symlink(path, name, dir_fd=outer)
    except FileExistsError:
        found = os.lstat(name, dir_fd=outer)
        if not stat.S_ISLNK(found.st_mode) or os.readlink(name, dir_fd=outer) != path:
            raise
