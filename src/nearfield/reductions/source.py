"""What ``nearfield.reduce`` is given: a dataset of a catalogue, a PID, a path, an open array."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import h5py

from nearfield.datasets import Dataset
from nearfield.errors import NearfieldError, UsageError
from nearfield.reductions.by_library import IMAGES
from nearfield.reductions.index import open_stack
from nearfield.reductions.index.zarrs.documents import is_zarr
from nearfield.reductions.naming import opened_as
from nearfield.reductions.stack import Stack

_ENDINGS = (".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".nexus", ".cxi", ".he5", ".zarr", *IMAGES)
_STARTS = ("/", "./", "../", "~")

Local = Callable[[Dataset | str], tuple[str, dict[str, str]]]
"""From a dataset or PID to its root file here, and what a result says of it."""


def stack_of(
    source: Any, array: str | None, local: Local, frame_ndim: int | None = None
) -> tuple[Stack, dict[str, str]]:
    """The frames, and attributes that tell which dataset they are of.

    Raises:
        UsageError: it is none of these things, or the file has no such array.
        DataFileError: the file cannot be read, or is not on this machine.
    """
    about: dict[str, str] = {}
    if array is not None and not isinstance(array, str):
        raise UsageError(f"array={array!r} is no name", hint="e.g. array='/entry/data/data'")
    if isinstance(source, Stack):
        return source, about
    if isinstance(source, h5py.Dataset):
        return open_stack(*_open_array(source, array), frame_ndim=frame_ndim), about
    path, about = file_of(source, local)
    return open_stack(path, array, frame_ndim=frame_ndim), about


def file_of(source: Any, local: Local) -> tuple[str, dict[str, str]]:
    """The file of a dataset, a PID or a path, and what a result says of it. Raises the same."""
    about: dict[str, str] = {}
    if isinstance(source, str) and not source.strip():
        raise UsageError("an empty text is no file and no PID")
    if isinstance(source, Dataset):
        path, about = local(source)
    elif isinstance(source, str) and not is_path(source):
        try:
            path, about = local(source)
        except NearfieldError as error:
            error.add_note(f"{source!r} was taken for a PID: there is no such file here")
            raise
    elif isinstance(source, str) and "://" in source:
        raise UsageError(
            f"{source!r} is an address, and no file of this machine",
            hint="give the file's path, or the PID of its dataset",
        )
    elif isinstance(source, str | os.PathLike):
        path = os.path.expanduser(os.fsdecode(source))  # noqa: PTH111
    else:
        raise UsageError(
            f"{type(source).__name__} is nothing with frames",
            hint=_hint(source),
        )
    return path, about


def _hint(source: Any) -> str:
    if isinstance(source, h5py.File | h5py.Group):
        return (
            f"give its path, {source.file.filename!r}" if source else "it is closed: give its path"
        )
    if hasattr(source, "data_vars"):
        return "of an array of it: ds[NAME].nearfield.reduce(…)"
    if hasattr(source, "coords"):
        return "it has a method of its own: array.nearfield.reduce(…)"
    if hasattr(source, "__array__"):
        return "an array in memory: xarray.DataArray(array).nearfield.reduce(…, frame_ndim=2)"
    return "give a dataset, a PID, the path of a file or an open h5py.Dataset"


def is_path(text: str) -> bool:
    """Is it a file's path, and no PID? Both may have slashes."""
    looks = text.startswith(_STARTS) or text.lower().endswith(_ENDINGS)
    return looks or os.path.isfile(text) or is_zarr(text)  # noqa: PTH113


def _open_array(source: Any, array: str | None) -> tuple[str, str]:
    if array is not None:
        raise UsageError("array= goes with a file, and this is an array already")
    if not source:
        raise UsageError("the file of this h5py.Dataset is closed", hint="give its path")
    path, name = opened_as(source)
    if not name or not os.path.isfile(path):  # noqa: PTH113
        raise UsageError(
            f"the array {name!r} of {path!r} is not in a file of this machine",
            hint="a file in memory, or over the network, has to be saved first",
        )
    return path, name
