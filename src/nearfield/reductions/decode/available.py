"""Which ways of storing are decoded here, and which are left to HDF5, several times slower."""

from __future__ import annotations

from nearfield.reductions.decode.pipeline import NotUnderstood, understood
from nearfield.reductions.stack import Filter

FILTERS = {
    "gzip": Filter(1, (4,)),
    "bitshuffle/lz4": Filter(32008, (0, 4, 2, 0, 2)),
    "bitshuffle/zstd": Filter(32008, (0, 4, 2, 0, 3)),
    "lz4": Filter(32004),
    "zstd": Filter(32015),
    "blosc": Filter(32001),
}


def missing() -> list[str]:
    """The names of the filters whose decoder the packages that are here do not have."""
    found = []
    for name, each in FILTERS.items():
        try:
            understood(each)
        except NotUnderstood:
            found.append(name)
    return found
