"""What only the node can tell: is everything there, and may this account read it?"""

import os
import pwd
import socket
import threading
from typing import Any, Callable, Dict, List, Optional

from nearfield.scheduler.node.session import NotStarted, say

CHECK_SECONDS = 30.0


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


def make_links(folder: str, links: List[Any]) -> None:
    """``data/<slug>/…``: links to the files at their original paths, in their own folders."""
    for link in links:
        for path in link["files"]:
            inner = os.path.relpath(path, link["folder"])
            if inner.startswith("..") or inner == ".":
                continue
            here = os.path.join(folder, "data", link["slug"], inner)
            os.makedirs(os.path.dirname(here), exist_ok=True)
            try:
                os.symlink(path, here)
            except FileExistsError:
                pass
