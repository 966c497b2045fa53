"""The command that runs something in the image."""

import csv
import io
import os
from typing import Any, Dict, List


def bind(source: str, target: str, read_only: bool) -> List[str]:
    """``--mount`` with CSV quoting: ``--bind`` breaks on a colon in a path."""
    line = io.StringIO()
    fields = ["type=bind", "source=" + source, "destination=" + target]
    csv.writer(line, lineterminator="").writerow(fields + (["ro"] if read_only else []))
    return ["--mount", line.getvalue()]


def container_options(
    folder: str, session: Dict[str, Any], mounts: List[Any], scratch: str
) -> List[str]:
    """``apptainer exec`` up to the image: the server and every kernel see the same folders."""
    argv = [session["task"]["apptainer"], "exec", "--no-mount", "cwd,tmp"]
    # First our own /tmp: what is mounted below it comes after.
    argv += bind(scratch, "/tmp", False)
    for mount in mounts:
        argv += bind(mount["source"], mount["target"], mount["read_only"])
        if mount["target"].startswith("/tmp/"):
            os.makedirs(os.path.join(scratch, mount["target"][5:]), exist_ok=True)
    argv += bind(os.path.join(folder, "data"), "/data", False)
    argv += bind(folder, folder, False)
    if folder.startswith("/tmp/"):
        os.makedirs(os.path.join(scratch, folder[5:]), exist_ok=True)
    if session.get("gpus"):
        if os.path.exists("/dev/nvidiactl"):
            argv.append("--nv")
        elif os.path.exists("/dev/kfd"):
            argv.append("--rocm")
    return argv


def server_argv(task: Dict[str, Any], options: List[str], home: str, image: str) -> List[str]:
    """``image`` is what is given to apptainer: the path, or the open file that was verified."""
    if task["server"] == "site":
        return list(task["command"])
    return [*options, "--pwd", home, image, *task["command"]]
