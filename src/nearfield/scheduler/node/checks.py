"""What only the node can tell: is everything there, and may this account read it?"""

import errno
import os
import pwd
import socket
import stat
import threading
from typing import Any, Callable, Dict, List, Optional

from nearfield.scheduler.node.session import NotStarted, say

CHECK_SECONDS = 30.0
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def bounded(check: Callable[[str], Optional[str]], path: str) -> str:
    """What ``check`` says of ``path``: "" if it is fine. A dead mount blocks for ever."""
    answer = ["no answer from the file system within %d s" % CHECK_SECONDS]

    def look() -> None:
        try:
            answer[0] = check(path) or ""
        except OSError as error:
            answer[0] = error.strerror or str(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(CHECK_SECONDS)
    return answer[0]


def why_unreadable(path: str) -> str:
    # The folder is opened too: an automounted or hidden one shows itself only then. The file is
    # not: its blocks may be on tape.
    os.close(os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY))
    os.stat(path)
    return "" if os.access(path, os.R_OK) else "permission denied"


def why_absent(path: str) -> str:
    os.stat(path)
    return ""


def why_no_program(path: str) -> str:
    os.stat(path)
    return "" if os.access(path, os.X_OK) else "not executable"


def why_no_image(path: str) -> str:
    os.stat(path)
    if os.path.isdir(path):
        return "" if os.access(path, os.R_OK | os.X_OK) else "permission denied"
    with open(path, "rb") as file:
        return "" if file.read(1) else "the file is empty"


def check_parts(task: Dict[str, Any]) -> List[Any]:
    """The mounts that this node has. Raises NotStarted for what must be there and is not."""
    if task["image"]:
        why = bounded(why_no_image, task["image"])
        if why:
            raise NotStarted(
                "image",
                "the image %s cannot be used on %s: %s"
                % (task["image"], socket.gethostname(), why),
                path=task["image"],
            )
        why = bounded(why_no_program, task["apptainer"])
        if why:
            raise NotStarted(
                "apptainer",
                "%s cannot be run on %s: %s" % (task["apptainer"], socket.gethostname(), why),
            )
    if task["runtime"]["venv"]:
        check_venv(task["runtime"]["venv"])
    mounts = []
    for mount in task["mounts"]:
        why = bounded(why_absent, mount["source"])
        if not why:
            mounts.append(mount)
        elif mount["required"]:
            raise NotStarted(
                "mount",
                "%s is needed and not on %s: %s" % (mount["source"], socket.gethostname(), why),
                path=mount["source"],
            )
        else:
            say("%s is not on this node: %s" % (mount["source"], why))
    return mounts


def check_venv(venv: str) -> None:
    why = bounded(why_no_program, os.path.join(venv, "bin", "python"))
    if why:
        raise NotStarted(
            "runtime",
            "the virtual environment %s cannot be used on %s: %s"
            % (venv, socket.gethostname(), why),
            path=venv,
        )


def check_datasets(links: List[Any]) -> None:
    """The file system, asked as this account, is the only truth for rights."""
    for link in links:
        path = link["files"][0]
        why = bounded(why_unreadable, path)
        if why:
            raise NotStarted(
                "dataset-not-readable",
                "dataset %s: %s cannot be read by %s on %s: %s"
                % (link["pid"], path, pwd.getpwuid(os.getuid()).pw_name, socket.gethostname(), why),
                dataset=link["pid"],
                path=path,
                why=why,
            )


# Skipped and told. The first three are the ways of a record that would lead us out of our folder.
SKIPPED = (errno.ELOOP, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


def make_links(folder: str, links: List[Any]) -> None:
    """``data/<slug>/…``: links to the files at their original paths, in their own folders.

    The paths are a catalogue's word, and what they name may be another account's. No name is
    looked up through a link here: with "evil" a link to somebody's home, "evil/.profile" must not
    be made there.
    """
    data = os.open(os.path.join(folder, "data"), FOLDER)
    try:
        for link in links:
            for path in link["files"]:
                make_link(data, link, path)
    finally:
        os.close(data)


def make_link(data: int, link: Dict[str, Any], path: str) -> None:
    start = link["folder"].rstrip("/") + "/"
    names = path[len(start) :].split("/")
    if not path.startswith(start) or any(name in ("", ".", "..") for name in names):
        return
    here = os.dup(data)
    try:
        for name in [link["slug"], *names[:-1]]:
            inner = inner_folder(here, name)
            os.close(here)
            here = inner
        make_one_link(here, names[-1], path)
    except OSError as error:
        if error.errno not in SKIPPED:
            raise
        say("%r of dataset %s is not linked: %s" % (path, link["pid"], error.strerror))
    finally:
        os.close(here)


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
