"""openPMD series in one file: a dataset of every iteration, ``/data/%T/meshes/E/x``, as one stack.

``%T`` stands for the iteration's number, as in the standard's ``basePath`` and ``iterationFormat``
(https://github.com/openPMD/openPMD-standard, 1.1.0, "Iterations and Time Series"). An iteration is
one frame, of all axes that the dataset has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from h5py import h5g

from nearfield.errors import UsageError
from nearfield.reductions.index import links
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources

ANY = "%T"


def is_series(name: str) -> bool:
    return ANY in name.split("/")


def iterations(sources: Sources, root: Opened, name: str) -> list[tuple[int, str]]:
    """The numbers of all iterations that have the dataset, in order, and their paths.

    Raises:
        UsageError: there is none.
    """
    before, _, after = f"/{name.strip('/')}".partition(f"/{ANY}/")
    try:
        _, group = links.locate(sources, root, before or "/")
        names = list(group) if isinstance(group, h5g.GroupID) else []
    except Absent:
        names = []
    # Names may be filled up with zeros.
    told = sorted((int(n), n) for n in map(os.fsdecode, names) if n.isdecimal())
    found = [(number, f"{before}/{each}/{after}") for number, each in told]
    if not found or not after:
        raise UsageError(
            f"{root.path!r}: no iteration has {name!r}",
            hint="an openPMD series is named like /data/%T/meshes/E/x",
        )
    return found


def datasets(sources: Sources, root: Opened, name: str) -> Iterator[tuple[Opened, Any]]:
    """Each iteration's file and dataset. Raises UsageError where one has none."""
    for number, path in iterations(sources, root, name):
        try:
            yield links.dataset(sources, root, path)
        except Absent as error:
            raise UsageError(
                f"{root.path!r}: iteration {number} has no {path!r}: {error} is missing",
                hint="fields that only some iterations have are reduced one by one",
            ) from None
