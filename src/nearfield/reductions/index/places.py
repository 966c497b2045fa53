"""Where HDF5 looks for a file that another file names: links and sources of virtual datasets.

The order is that of HDF5's own search, as its reference manual tells it for external links and
virtual datasets (H5Lcreate_external, H5Pset_virtual_prefix): an absolute name as it is, then only
its last part; below each folder of an environment variable; beside the file as it was opened; in
the working folder; beside the file's real place where it was opened through a link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum


class Kind(Enum):
    """What names the file, and the environment variable that HDF5 asks for it."""

    LINK = "HDF5_EXT_PREFIX"
    VIRTUAL = "HDF5_VDS_PREFIX"


def places(referrer: str, name: str, kind: Kind) -> Iterator[str]:
    """Absolute paths to try, in HDF5's order; none twice.

    Args:
        referrer: Absolute path of the file that names the other.
    """
    seen = set()
    for path in _all(referrer, name, kind):
        whole = os.path.abspath(path)  # noqa: PTH100
        if whole not in seen:
            seen.add(whole)
            yield whole


def _all(referrer: str, name: str, kind: Kind) -> Iterator[str]:
    if name.startswith("/"):
        yield name
        name = name.rpartition("/")[2]
    folder = referrer.rpartition("/")[0]
    prefixes = os.environ.get(kind.value, "")
    for prefix in prefixes.split(":"):
        if prefix:
            yield f"{prefix}/{name}"
    if kind is Kind.VIRTUAL and prefixes.startswith("${ORIGIN}"):
        yield f"{folder}{prefixes.removeprefix('${ORIGIN}')}/{name}"
    yield f"{folder}/{name}"
    yield name
    if os.path.islink(referrer):  # noqa: PTH114
        yield f"{os.path.realpath(referrer).rpartition('/')[0]}/{name}"


def environment() -> str:
    """What of the environment decides where files are found."""
    return "\0".join(os.environ.get(kind.value, "") for kind in Kind)
