"""The image: its digest, and the command that runs something in it."""

import csv
import hashlib
import io
import json
import os
import struct
import threading
from typing import Any, Dict, List

from nearfield.scheduler.node.session import write_json

DIGEST_SECONDS = 3.0


def payload_digest(path: str) -> str:
    """SHA-256 of a SIF's system partition: unlike the file's, it does not change by signing."""
    with open(path, "rb") as file:
        head = file.read(128)
        if head[32:41] != b"SIF_MAGIC":
            return ""
        total, offset = struct.unpack_from("<qq", head, 88)
        file.seek(offset)
        table = file.read(585 * min(total, 256))
        for at in range(0, len(table) - 584, 585):
            kind, used = struct.unpack_from("<i?", table, at)
            start, size = struct.unpack_from("<qq", table, at + 17)
            part = struct.unpack_from("<i", table, at + 205)[0]
            if used and kind == 0x4004 and part == 2:
                digest = hashlib.sha256()
                file.seek(start)
                while size > 0:
                    block = file.read(min(size, 1 << 20))
                    if not block:
                        return ""
                    digest.update(block)
                    size -= len(block)
                return digest.hexdigest()
    return ""


def image_digest(folder: str, image: str) -> str:
    """From the cache beside the session folders, or computed; "" if that takes too long now."""
    cache = os.path.join(os.path.dirname(folder), ".image-digests.json")
    found = os.stat(image)
    key = "%s %d %d %d" % (image, found.st_ino, found.st_size, found.st_mtime_ns)
    try:
        with open(cache, encoding="utf-8") as file:
            known = json.load(file)
        if isinstance(known.get(key), str):
            return str(known[key])
    except (OSError, ValueError, AttributeError):
        known = {}
    result = [""]

    def compute() -> None:
        try:
            result[0] = payload_digest(image)
        except (OSError, struct.error):
            return
        if result[0]:
            # Two jobs at once may drop each other's entry: it is a cache.
            kept = dict(sorted(known.items())[-49:])
            write_json(cache, dict(kept, **{key: result[0]}))

    # A large image is hashed on while the server starts; the next session has its digest.
    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    thread.join(DIGEST_SECONDS)
    return result[0]


def bind(source: str, target: str, read_only: bool) -> List[str]:
    """``--mount`` with CSV quoting: ``--bind`` breaks on a colon in a path."""
    line = io.StringIO()
    fields = ["type=bind", "source=" + source, "destination=" + target]
    csv.writer(line, lineterminator="").writerow(fields + (["ro"] if read_only else []))
    return ["--mount", line.getvalue()]


def server_argv(
    folder: str, session: Dict[str, Any], mounts: List[Any], scratch: str, home: str
) -> List[str]:
    task = session["task"]
    if not task["image"]:
        return list(task["server"])
    argv = [task["apptainer"], "exec", "--no-mount", "cwd,tmp"]
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
    return [*argv, "--pwd", home, task["image"], *task["server"]]
