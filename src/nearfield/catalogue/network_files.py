"""Is a catalogue's file on a file system of several hosts, where SQLite's locks may not hold?"""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "lustre",
        "gpfs",
        "beegfs",
        "cifs",
        "smb3",
        "ceph",
        "afs",
        "9p",
        "panfs",
        "wekafs",
        "glusterfs",
        "orangefs",
    ]
)
"""Types of file systems as the kernel names them; with ``fuse.`` before it where it is FUSE's."""
ADVICE = (
    "SQLite's locks may not hold there, and its log does not work between hosts: use it from one "
    "host at a time, or keep it on a local disk (--catalogue FILE, or catalogue.path)"
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def network_kind(file: Path, mounts: Path | None = None) -> str | None:
    """The type of the network file system that holds ``file`` or will; else ``None``.

    Unknown is ``None`` as well: this advises, and keeps nobody from anything.
    """
    try:
        lines = (mounts or MOUNTS).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = os.path.realpath(file)
    best, found = "", None
    for line in lines:
        before, _, after = line.partition(" - ")
        words = before.split(" ")
        if len(words) < 5 or not after:
            continue
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), words[4])
        # Of two mounts on one folder the later one is seen.
        if len(point) >= len(best) and f"{real}/".startswith(f"{point.rstrip('/')}/"):
            best, found = point, after.split(" ")[0]
    kind = (found or "").removeprefix("fuse.")
    return found if kind in NETWORK or kind == "sshfs" else None
