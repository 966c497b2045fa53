"""A virtual dataset whose sources are counted in their names."""

from __future__ import annotations

from pathlib import Path

import h5py
from h5py import h5d, h5p, h5s, h5t

from nearfield.reductions.stack import Shape


def counting(path: Path, pattern: str, block: Shape) -> None:
    """``d``, of as many blocks as there are files ``pattern`` (with ``%b``), each a ``d`` of u2."""
    endless = (h5s.UNLIMITED, *block[1:])
    ones = (1,) * (len(block) - 1)
    space = h5s.create_simple(block, endless)
    start = (0,) * len(block)
    space.select_hyperslab(start, (h5s.UNLIMITED, *ones), (block[0], *ones), block)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_virtual(space, pattern.encode(), b"d", h5s.create_simple(block))
    with h5py.File(path, "w", libver="latest") as file:
        h5d.create(file.id, b"d", h5t.STD_U16LE, h5s.create_simple(block, endless), plist)
