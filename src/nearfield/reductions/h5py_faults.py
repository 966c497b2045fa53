"""What HDF5 does not tell, or not in words that help: missing filters, raw files without an end."""

from __future__ import annotations

import math
import os
from typing import Any

from h5py import h5z

_UNLIMITED = 2**63
_PREFIX = "HDF5_EXTFILE_PREFIX"
_ORIGIN = "${ORIGIN}"


def absent_filters(dataset: Any) -> str | None:
    """Words on filters that this HDF5 has not; ``None`` where all are there."""
    plist = dataset.id.get_create_plist()
    steps = [plist.get_filter(i) for i in range(plist.get_nfilters())]
    absent = [
        f"{code} ({os.fsdecode(name).split(';')[0].strip() or 'without a name'})"
        for code, _flags, _options, name in steps
        if not h5z.filter_avail(code)
    ]
    return f"HDF5 has no filter {', '.join(absent)} here" if absent else None


def short_files(
    dataset: Any, path: str, cut: int, start: int, stop: int
) -> list[tuple[int, int, str, str]]:
    """Of the frames ``start … stop`` those that external storage is to hold and does not, with the
    file and why. HDF5 gives zeros beyond the end of such a file.

    Args:
        dataset: An ``h5py.Dataset`` of the file ``path``.
        cut: How many of its axes count frames.
    """
    plist = dataset.id.get_create_plist()
    each = math.prod(dataset.shape[cut:]) * dataset.dtype.itemsize
    total = math.prod(dataset.shape) * dataset.dtype.itemsize
    found = []
    begin = 0
    for number in range(plist.get_external_count()):
        name, offset, size = plist.get_external(number)
        wanted = total - begin if size >= _UNLIMITED else min(size, total - begin)
        where = _place(path, os.fsdecode(name))
        try:
            have = max(0, os.stat(where).st_size - offset)  # noqa: PTH116
            words = "the file ends before the frame does"
        except OSError as error:
            have, words = 0, f"it cannot be opened: {error.strerror}"
        if have < wanted:
            low, high = (begin + have) // each, -(-(begin + wanted) // each)
            if max(low, start) < min(high, stop):
                found.append((max(low, start), min(high, stop), where, words))
        begin += wanted
    return found


def _place(path: str, name: str) -> str:
    """Where HDF5 looks for it (H5Pset_external, H5Pset_efile_prefix)."""
    prefix = os.environ.get(_PREFIX, "")
    if prefix.startswith(_ORIGIN):
        prefix = path.rpartition("/")[0] + prefix.removeprefix(_ORIGIN)
    return os.path.abspath(os.path.join(prefix, name))  # noqa: PTH100, PTH118
