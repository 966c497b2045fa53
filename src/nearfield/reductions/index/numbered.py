"""The numbered files of an EIGER master: ``data_000001``, ``data_000002``, … as one stack.

Detectors from Dectris link the files of frames so, with or without a virtual dataset over them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from h5py import h5g

from nearfield.errors import DataFileError
from nearfield.reductions.index import links
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources

_NUMBERED = re.compile(r"data_(\d{6,})")


def is_numbered(name: str) -> bool:
    return _NUMBERED.fullmatch(name) is not None


def numbered(group: Any) -> list[str]:
    """The members of a group (h5py's GroupID) that are runs of frames, by number."""
    if not isinstance(group, h5g.GroupID):
        return []
    names = (os.fsdecode(name) for name in group)
    found = [(int(match[1]), name) for name in names if (match := _NUMBERED.fullmatch(name))]
    return [name for _, name in sorted(found)]


def datasets(
    sources: Sources, opened: Opened, group: Any, path: str, names: list[str]
) -> Iterator[tuple[Opened, Any]]:
    """Each run's file and dataset, in order; ends at the first whose file is not there yet.

    Raises:
        DataFileError: one in the middle is missing: nobody knows how many frames it had.
    """
    gone: str | None = None
    for name in names:
        at = f"{path.rstrip('/')}/{name}"
        try:
            # To ask for the file keeps it open, and the group with it.
            found = links.dataset(sources, sources.open(opened.path), name, group)
        except Absent as error:
            gone = gone or f"{at}: {error} is missing"
            sources.writing = True  # a detector links all files before it writes them
            continue
        if gone is not None:
            raise DataFileError(
                opened.path,
                f"{gone}, and later ones are there",
                hint="fetch the missing file; name one run of frames to read that alone",
            )
        yield found
