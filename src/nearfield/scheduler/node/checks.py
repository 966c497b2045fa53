"""What only the node can tell: is everything there, and may this account read it?"""

import os
import pwd
import socket
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

from nearfield.scheduler.node.links import link_files
from nearfield.scheduler.node.readable import first_unreadable
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
        head = file.read(1082)
    if not head:
        return "the file is empty"
    # SIF, a bare squashfs, a bare ext3: what apptainer runs. It says itself what else is wrong.
    known = head[32:41] == b"SIF_MAGIC" or head[:4] == b"hsqs" or head[1080:] == b"\x53\xef"
    return "" if known else "it is no Apptainer image"


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


def on_this_node(task: Dict[str, Any], mounts: List[Any]) -> List[Any]:
    """The chosen datasets without those of a storage that this node does not have.

    Datasets of two storages may have been chosen where no node has both. Raises NotStarted if
    none is left: nobody wants a session without any of its data.
    """
    here, left = [], []  # type: List[Any], List[Any]
    for link in task["datasets"]:
        folder = link["folder"].rstrip("/") + "/"
        over = [m for m in task["mounts"] if folder.startswith(m["source"].rstrip("/") + "/")]
        # One storage may lie in another: the innermost has the data.
        storage = max(over, key=lambda mount: len(mount["source"]), default=None)
        (here if storage is None or storage in mounts else left).append(link)
    for link in left:
        say("dataset %s is in %s, which is not on this node" % (link["pid"], link["folder"]))
    if left and not here:
        raise NotStarted(
            "dataset-not-readable",
            "dataset %s: %s is not on %s"
            % (left[0]["pid"], left[0]["folder"], socket.gethostname()),
            dataset=left[0]["pid"],
            path=left[0]["files"][0],
            why="its storage is not on this node",
        )
    return here


def check_datasets(links: List[Any]) -> None:
    """The file system, asked as this account, is the only truth for rights."""
    for link in links:
        path, why = unreadable_part(link["files"])
        if why:
            raise NotStarted(
                "dataset-not-readable",
                "dataset %s: %s cannot be read by %s on %s: %s"
                % (link["pid"], path, pwd.getpwuid(os.getuid()).pw_name, socket.gethostname(), why),
                dataset=link["pid"],
                path=path,
                why=why,
            )


def unreadable_part(files: List[str]) -> Tuple[str, str]:
    """Path and reason; the reason is "" if the dataset can be read."""
    found = [files[0], ""]

    def look(_: str) -> str:
        found[:] = first_unreadable(files) or (files[0], "")
        return found[1]

    why = bounded(look, files[0])
    return found[0], why


def make_links(folder: str, links: List[Any]) -> None:
    """``data/<slug>/…`` in the session folder."""
    for pid, path, why in link_files(os.path.join(folder, "data"), links):
        say("%r of dataset %s is not linked: %s" % (path, pid, why))
