"""An image file: its identity, its parts and its digest, and what is remembered of it."""

import hashlib
import json
import os
import struct
import time
from typing import Any, BinaryIO, Dict, List, Tuple

KEPT_IMAGES = 50
SETTLED_SECONDS = 2.0


def identity_of(found: os.stat_result) -> List[int]:
    """Changes with every write or replacement of a file; ctime cannot be set back. Not the device:
    its number differs from host to host."""
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def sif_parts(file: BinaryIO) -> List[Tuple[int, int, int]]:
    """(role, start, size) of the file systems in an image. Raises ValueError if it is no SIF."""
    file.seek(0)
    head = file.read(128)
    if head[32:41] != b"SIF_MAGIC":
        raise ValueError("it is no Apptainer image (SIF)")
    if len(head) < 128:
        raise ValueError("it is cut off")
    total, offset = struct.unpack_from("<qq", head, 88)
    end = file.seek(0, 2)
    if not 0 <= offset <= end:
        raise ValueError("it is damaged: its table lies outside of the file")
    file.seek(offset)
    table = file.read(585 * max(0, min(total, 256)))
    found = []
    for at in range(0, len(table) - 584, 585):
        kind, used = struct.unpack_from("<i?", table, at)
        start, size = struct.unpack_from("<qq", table, at + 17)
        role = struct.unpack_from("<i", table, at + 205)[0]
        if used and start + size > end:
            raise ValueError("it is cut off")
        if used and kind == 0x4004:
            found.append((role, start, size))
    return found


def payload_digest(file: BinaryIO) -> str:
    """SHA-256 of a SIF's system partition: unlike the file's, it does not change by signing."""
    for role, start, size in sif_parts(file):
        if role == 2:
            digest = hashlib.sha256()
            file.seek(start)
            left = size
            while left > 0:
                block = file.read(min(left, 1 << 20))
                if not block:
                    return ""
                digest.update(block)
                left -= len(block)
            return digest.hexdigest()
    return ""


def image_key(path: str, identity: List[int]) -> str:
    return " ".join([path, *(str(number) for number in identity)])


def known_of(folder: str, path: str, identity: List[int]) -> Dict[str, Any]:
    """What earlier sessions of this account have learnt of this very file."""
    try:
        with open(os.path.join(folder, ".images.json"), encoding="utf-8") as file:
            found = json.load(file)[image_key(path, identity)]
        return dict(found)
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def remember(folder: str, path: str, identity: List[int], facts: Dict[str, Any]) -> None:
    """Keep ``facts`` for the next session. Two jobs at once may drop each other's entry.

    Not of a file that was changed just now: another change might fall into the same clock tick.
    """
    if time.time() - identity[3] / 1e9 < SETTLED_SECONDS:
        return
    place = os.path.join(folder, ".images.json")
    try:
        with open(place, encoding="utf-8") as file:
            known = dict(json.load(file))
    except (OSError, ValueError, TypeError):
        known = {}
    key = image_key(path, identity)
    known[key] = dict(known.pop(key, {}), **facts)  # the newest last
    # Nothing is said where that fails: a launcher's output is its answer, and it is a cache.
    new = "%s.%d" % (place, os.getpid())
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(dict(list(known.items())[-KEPT_IMAGES:]), out)
        os.rename(new, place)
    except OSError:
        return
