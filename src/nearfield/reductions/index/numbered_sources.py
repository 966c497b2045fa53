"""Sources of a virtual dataset whose names count blocks: ``block-%b.h5`` (H5Pset_virtual).

HDF5 ends such a dataset at the first block that is not there. So one more file makes it longer,
and one that was lost makes it shorter without a word.
"""

from __future__ import annotations

import re
from pathlib import Path

from nearfield.errors import DataFileError
from nearfield.reductions.index.places import Kind, places
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Sources

_PERCENT = re.compile("%[b%]")


def spelled(pattern: str, block: int | None = None) -> str:
    """The name of a block; of none in particular with ``%b`` as it is."""
    number = "%b" if block is None else str(block)
    return _PERCENT.sub(lambda found: number if found[0] == "%b" else "%", pattern)


def look_after(sources: Sources, path: str, pattern: str, count: int) -> None:
    """Note where the next block would be, and as missing where there are later ones.

    Args:
        path: The file that names the blocks.
        pattern: The files' name, with ``%b``.
        count: How many blocks HDF5 found.
    """
    name = spelled(pattern, count)
    if name == spelled(pattern):
        return
    before = name in sources.missing
    try:
        sources.find(path, name, Kind.VIRTUAL)
    except Absent:
        if not before and not _later(path, pattern, count):
            del sources.missing[name]
    except DataFileError:  # not finished, maybe; what it will be is looked at again
        pass


def _later(path: str, pattern: str, count: int) -> bool:
    """Is the file of a block after ``count`` at one of the places?"""
    folder, _, last = pattern.rpartition("/")
    if "%b" in folder or "%b" not in last:
        return False
    parts = [re.escape(spelled(part)) for part in re.split("(?<!%)%b", last)]
    names = re.compile("([0-9]+)".join(parts))
    for place in places(path, spelled(pattern, count), Kind.VIRTUAL):
        try:
            listed = [one.name for one in Path(place).parent.iterdir()]
        except OSError:
            continue
        found = (match for match in map(names.fullmatch, listed) if match)
        if any(int(match[1]) > count for match in found):
            return True
    return False
