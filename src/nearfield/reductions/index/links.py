"""Where a path leads, hop by hop: through soft links, and external links into other files.

HDF5 would go the way by itself; step by step every file on it is known, and so what the index
rests on.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any

from h5py import h5d, h5f, h5g, h5l, h5o

from nearfield.errors import DataFileError
from nearfield.reductions.index.places import Kind
from nearfield.reductions.index.refusing import Absent, NotUnderstood
from nearfield.reductions.index.sources import READ_ERRORS, Opened, Sources, reason

MAX_HOPS = 64
"""Links one after the other; HDF5's own limit is 16 (H5Pset_nlinks)."""


def locate(sources: Sources, opened: Opened, path: str, start: Any = None) -> tuple[Opened, Any]:
    """The object at a path: the file that it is in, and h5py's identifier.

    Raises:
        Absent: there is no such object, or a file on the way is missing.
        DataFileError: a file on the way cannot be read.
        NotUnderstood: a link of a kind that programs define for themselves.
    """
    rest = deque(path.split("/"))
    here = h5o.open(opened.id, b"/") if start is None or path.startswith("/") else start
    hops = 0
    while rest:
        part = rest.popleft()
        if part in {"", "."}:
            continue
        raw = os.fsencode(part)
        if not isinstance(here, h5g.GroupID):
            raise Absent(path)
        try:
            if not here.links.exists(raw):
                raise Absent(path)
            kind = here.links.get_info(raw).type
            if kind == h5l.TYPE_HARD:
                here = h5o.open(here, raw)
                continue
            leads = here.links.get_val(raw)
        except READ_ERRORS as error:
            raise DataFileError(opened.path, f"{path}: {reason(error)}") from None
        hops += 1
        if hops > MAX_HOPS:
            raise Absent(path)
        if kind == h5l.TYPE_SOFT:
            goal = os.fsdecode(leads)
        elif kind == h5l.TYPE_EXTERNAL:
            name, goal = (os.fsdecode(each) for each in leads)
            opened = sources.open(sources.find(opened.path, name, Kind.LINK))
            goal = f"/{goal}"
        else:
            raise NotUnderstood(f"{path}: a link of a kind that is not HDF5's own")
        if kind == h5l.TYPE_EXTERNAL and not rest and (short := _within(opened, goal)) is not None:
            return opened, short
        if goal.startswith("/"):
            here = h5o.open(opened.id, b"/")
        rest.extendleft(reversed(goal.split("/")))
    return opened, here


def _within(opened: Opened, path: str) -> Any:
    """A dataset that a path leads to in one go and in the same file; ``None`` for all else."""
    try:
        found = h5d.open(opened.id, os.fsencode(path))
    except READ_ERRORS:
        return None
    # An external link on the way would have led to another file.
    return found if os.fsdecode(h5f.get_name(found)) == opened.path else None


def dataset(sources: Sources, opened: Opened, path: str, start: Any = None) -> tuple[Opened, Any]:
    """The same for a dataset. Raises Absent where it is none."""
    if start is None and (short := _within(opened, path)) is not None:
        return opened, short
    found, here = locate(sources, opened, path, start)
    if not isinstance(here, h5d.DatasetID):
        raise Absent(path)
    return found, here
