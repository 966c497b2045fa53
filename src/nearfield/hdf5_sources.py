"""What of an HDF5 dataset lies in other files, and where HDF5 would look for them.

HDF5 opens those by itself, with the rights of whoever reads: the values of external storage and
virtual sources, and, where a virtual dataset grows with its sources, them for its shape alone.
"""

from __future__ import annotations

import os
import stat
from typing import Any

# A file system may keep the bytes of so small a file without any block.
_INLINE_BYTES = 4096


def values_elsewhere(opened: Any) -> bool:
    """Are a ``DatasetID``'s values in other files? (To read a virtual scalar crashes HDF5.)"""
    import h5py

    how = opened.get_create_plist()
    kind = how.get_layout()
    if kind == h5py.h5d.CONTIGUOUS:
        return bool(how.get_external_count())
    return bool(kind == h5py.h5d.VIRTUAL)


def extent_elsewhere(opened: Any) -> list[str]:
    """The files, as spelled, that HDF5 opens to tell the shape; ``.`` is the file itself."""
    import h5py

    how = opened.get_create_plist()
    if how.get_layout() != h5py.h5d.VIRTUAL:
        return []
    every = range(how.get_virtual_count())
    growing = [n for n in every if unlimited(how.get_virtual_vspace(n))]
    return list(dict.fromkeys(how.get_virtual_filename(n) for n in growing))


def unlimited(space: Any) -> bool:
    """Does a selection go on for ever?"""
    import h5py

    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return False
    _, _, counts, blocks = space.get_regular_hyperslab()
    return h5py.h5s.UNLIMITED in (*counts, *blocks)


def tried(referrer: str, name: str) -> list[str]:
    """The paths that HDF5 tries for a source, in its order; the first that it can open counts."""
    last = name.rpartition("/")[2] if name.startswith("/") else name
    folder = os.path.dirname(os.path.abspath(referrer))  # noqa: PTH100, PTH120
    real = os.path.dirname(os.path.realpath(referrer))  # noqa: PTH120
    beside = [os.path.join(place, last) for place in (folder, os.getcwd(), real)]  # noqa: PTH109, PTH118
    return list(dict.fromkeys([name, *beside] if name.startswith("/") else beside))


def shape_may_be_asked(opened: Any) -> bool:
    """Does HDF5 open no other file for it, but some of the same owner on disk?"""
    import h5py

    names = extent_elsewhere(opened)
    if not names:
        return True
    path = os.fsdecode(h5py.h5f.get_name(opened))
    mine = os.stat(path).st_uid  # noqa: PTH116
    return all(
        name == "." or ("%" not in name and all(_is_own(one, mine) for one in tried(path, name)))
        for name in names
    )


def _is_own(path: str, owner: int) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return not os.path.lexists(path)
    on_disk = found.st_blocks > 0 or found.st_size <= _INLINE_BYTES
    trusted = owner in (found.st_uid, 0, os.geteuid())
    return stat.S_ISREG(found.st_mode) and on_disk and trusted
