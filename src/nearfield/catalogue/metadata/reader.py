"""Open one HDF5 file and read what it says about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nearfield.catalogue.metadata.cxi import is_cxi, read_cxi
from nearfield.catalogue.metadata.fields import values_at
from nearfield.catalogue.metadata.headers import read_cbf, read_edf, read_tiff
from nearfield.catalogue.metadata.model import FileMetadata
from nearfield.catalogue.metadata.nexus import is_nexus, read_nexus
from nearfield.catalogue.metadata.openpmd import is_openpmd, read_openpmd
from nearfield.catalogue.metadata.orso import read_orso
from nearfield.catalogue.metadata.values import text_of, time_of
from nearfield.catalogue.metadata.walk import (
    READ_ERRORS,
    Walk,
    attribute,
    describe,
    follow,
    reason,
    walk,
)
from nearfield.datasets import ArrayInfo
from nearfield.errors import BlockedError, DataFileError, NearfieldError
from nearfield.extras import install_extra

# https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html, "Format Signature"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HDF4 = b"\x0e\x03\x13\x01"
_CONVENTIONS: tuple[tuple[Callable[[Walk], bool], Callable[[Walk], FileMetadata]], ...] = (
    (is_openpmd, read_openpmd),
    (is_cxi, read_cxi),
    (is_nexus, read_nexus),
)
_OTHERS: dict[str, Callable[[str], FileMetadata]] = {
    ".ort": read_orso,
    ".edf": read_edf,
    ".cbf": read_cbf,
    ".tif": read_tiff,
    ".tiff": read_tiff,
}
OPEN_FOR_WRITING = "open for writing; scan again later"
PERMISSION_DENIED = "permission denied"


def has_signature(head: bytes) -> bool:
    """Do these first bytes begin an HDF5 file?"""
    return head.startswith(SIGNATURE)


def read_file(path: str, wanted: tuple[str, ...] = ()) -> FileMetadata:
    """Everything that the file at ``path`` says about itself; other files are not opened.

    Which format it is its suffix says where that is not one of HDF5. ``wanted`` are places of
    which the values are told besides (:attr:`FileMetadata.fields`), in HDF5 files.

    Raises:
        BlockedError: h5py is not installed.
        DataFileError: the file cannot be read, with the reason.
    """
    other = _OTHERS.get(path[path.rfind(".") :].lower())
    if other is not None:
        return other(path)
    with _opened(path) as file:
        found = walk(file)
        read = next((read for fits, read in _CONVENTIONS if fits(found)), _read_plain)
        metadata = read(found)
        if wanted:
            metadata = metadata.model_copy(update={"fields": values_at(file, wanted)})
        # What no catalogue could keep is this file's fault, and is said here.
        metadata.model_dump_json()
        return metadata


@dataclass(frozen=True)
class Target:
    """An object that a link leads to: its own path, and what it is if it is an array."""

    path: str
    array: ArrayInfo | None = None


def targets(path: str, objects: list[str]) -> dict[str, Target | None]:
    """What HDF5 paths lead to in the file at ``path``; ``None`` where nothing is there.

    An external link on the way counts as reached: its own file is checked by itself.
    Raises as :func:`read_file`.
    """
    with _opened(path) as file:
        return {name: _target(file, name) for name in objects}


def _target(file: Any, name: str) -> Target | None:
    import h5py

    place = follow(file, name)
    if place is None:
        return None
    try:
        is_array = isinstance(place.handle, h5py.Dataset)
        return Target(place.path, describe(place.path, place.handle) if is_array else None)
    except READ_ERRORS:
        return Target(place.path)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise BlockedError(
            "data files cannot be read: h5py is not installed",
            hint=install_extra("hub"),
        ) from error
    try:
        # Without locks: a scan must never keep a detector from opening its own file, and
        # read-only or parallel file systems often have no locks to give.
        file = h5py.File(path, "r", locking=False)
    except READ_ERRORS as error:
        raise DataFileError(path, _why(path, error)) from error
    try:
        yield file
    except NearfieldError:
        raise
    except Exception as error:
        # Whatever a file holds that the readers did not think of concerns this file only.
        raise DataFileError(path, f"cannot be read: {reason(error)}") from error
    finally:
        file.close()


def _why(path: str, error: BaseException) -> str:
    """The cause in words: HDF5's own message is often only "file signature not found"."""
    if isinstance(error, PermissionError):
        return PERMISSION_DENIED
    words = reason(error)
    if "already open for" in words or "unable to lock file" in words:
        return OPEN_FOR_WRITING
    if "truncated file" in words:
        return "truncated: the file is shorter than it says"
    if "signature not found" in words:
        try:
            with open(path, "rb") as raw:  # noqa: PTH123  # bytes of a path as scandir gave it
                head = raw.read(8)
        except OSError as failure:
            return f"cannot be read: {failure.strerror}"
        if head.startswith(_HDF4):
            return "not an HDF5 file but HDF4"
        return "not an HDF5 file" if head else "empty: zero bytes"
    return f"cannot be opened: {words}"


def _read_plain(found: Walk) -> FileMetadata:
    """HDF5 without a known convention: the root's own ``title`` and the arrays."""
    root = found.root
    arrays = tuple(found.arrays.values())
    return FileMetadata(
        format="HDF5",
        title=text_of(attribute(root, "title")),
        description=text_of(attribute(root, "description")),
        start_time=time_of(text_of(attribute(root, "start_time"))),
        arrays=arrays,
        links=tuple(found.links),
        warnings=tuple(found.warnings),
        problems=tuple(found.problems),
    )
