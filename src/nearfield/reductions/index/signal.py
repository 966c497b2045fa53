"""Which dataset of a file is meant where no name is given: the one that NeXus says to plot.

As the catalogue finds it, so that a record's signal and a reduction's are the same one.
"""

from __future__ import annotations

import math
from typing import Any

from nearfield.catalogue.metadata.nexus import read_nexus
from nearfield.catalogue.metadata.walk import walk
from nearfield.errors import UsageError


def default_name(root: Any, path: str) -> str:
    """The path of the default signal in an open file (an ``h5py.File``).

    Where nothing says so: the one array with frames (three axes or more), or else the only array.

    Raises:
        UsageError: there is none, or several; names them.
    """
    found = walk(root)
    said = read_nexus(found)
    marked = [array.path for array in said.arrays if array.signal]
    if marked:
        return marked[0]
    if said.signal_link:
        return said.signal_link
    stacks = [array for array in said.arrays if len(array.shape) >= 3]
    arrays = stacks or list(said.arrays)
    if len(arrays) == 1:
        return arrays[0].path
    if not arrays:
        raise UsageError(f"{path!r}: there is no array of frames in it")
    shown = sorted(arrays, key=lambda array: -math.prod(array.shape))[:20]
    raise UsageError(
        f"{path!r}: it does not say which of {len(arrays)} arrays is meant",
        hint="name one: " + ", ".join(f"{a.path} {a.shape}" for a in shown),
    )
