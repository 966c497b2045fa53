"""openPMD series: a record component of every iteration, ``/data/%T/meshes/E/x``, as one stack.

``%T`` stands for the iteration's number, as in the standard's ``basePath`` and ``iterationFormat``
(https://github.com/openPMD/openPMD-standard, 1.1.0, "Iterations and Time Series", "Constant Record
Components"). All iterations are in one file, or each in one of its own: then the file's name has
``%T`` too. An iteration is one frame, of all axes that the component has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from h5py import h5g, h5i, h5o

from nearfield.catalogue.metadata.mesh import units_of
from nearfield.catalogue.metadata.series import series_expression
from nearfield.catalogue.metadata.values import number_of, text_of
from nearfield.catalogue.metadata.walk import attribute
from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index import links
from nearfield.reductions.index.pieces import Piece, Resolved, count_of
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import ABSENT, Shape, Stored

ANY = "%T"
_ABOUT = ("geometry", "dataOrder", "gridSpacing", "gridGlobalOffset", "gridUnitSI", "timeOffset")
_PATTERN = re.compile(r"%0?\d*T")
_HINT = "an openPMD series is named like /data/%T/meshes/E/x"


@dataclass(frozen=True, eq=False)
class Constant:
    """A component that has one value everywhere: a group with ``value`` and ``shape``."""

    group: h5py.Group
    name: str
    shape: Shape
    value: Array
    chunks: None = None
    is_virtual: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.value.dtype

    def __getitem__(self, key: Any) -> Array:
        found: Array = np.broadcast_to(self.value, self.shape)[key]
        return found

    def resolved(self, frame_ndim: int) -> Resolved:
        """Frames that no chunk holds: the value is what is read where nothing was written."""
        cut = self.ndim - frame_ndim
        outer, frame = self.shape[:cut], self.shape[cut:]
        native = self.dtype.newbyteorder("=")
        fill: Any = self.value.astype(native)[()]
        offset, zero = np.full((1, 1), ABSENT, "u8"), np.zeros((1, 1), "u4")
        stored = Stored(
            native, (1, *frame), (1, *frame), (), fill, (), zero, offset, zero.astype("u8"), zero
        )
        frames, corner = count_of(outer), (0,) * len(frame)
        taken = range(1) if frames == 1 else np.zeros(frames, np.int64)
        piece = Piece(range(frames), taken, stored, corner, corner, frame)
        return Resolved(outer, frame, native, fill, (piece,), False)


def constant(here: Any) -> Constant | None:
    """Of an object (h5py's identifier), if it is a constant component of numbers."""
    if not isinstance(here, h5g.GroupID):
        return None
    group = h5py.Group(here)
    value, shape = attribute(group, "value"), attribute(group, "shape")
    if value is None or shape is None:
        return None
    one, axes = np.asarray(value), np.atleast_1d(np.asarray(shape))
    if one.size != 1 or one.dtype.kind not in "uifb" or axes.dtype.kind not in "ui":
        return None
    name = os.fsdecode(h5i.get_name(here) or b"")
    return Constant(group, name, tuple(int(n) for n in axes), one.reshape(()))


def is_pattern(path: str) -> bool:
    """Does the name of a file have the place of a number, and is none called so?"""
    named = _PATTERN.search(os.path.basename(path)) is not None  # noqa: PTH119
    return named and not os.path.exists(path)  # noqa: PTH110


def members(path: str) -> list[str]:
    """The files of a pattern by their numbers. Raises DataFileError where there is none."""
    folder, name = os.path.split(path)
    expression = re.compile(series_expression(name))
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError as error:
        raise DataFileError(path, f"its folder cannot be read: {error.strerror}") from error
    found = sorted((int(m[1]), m[0]) for each in names if (m := expression.fullmatch(each)))
    if not found:
        raise DataFileError(path, "no file has such a name, with a number for %T")
    return [f"{folder}/{each}" for _, each in found]


def is_series(name: str) -> bool:
    return ANY in name.split("/")


def as_series(name: str) -> str:
    """The same component of every iteration. Raises UsageError where the name has no iteration."""
    parts = name.split("/")
    for number, part in enumerate(parts):
        if part.isdecimal():
            return "/".join([*parts[:number], ANY, *parts[number + 1 :]])
    raise UsageError(f"{name!r} is no component of an iteration", hint=_HINT)


def iterations(
    sources: Sources, files: Sequence[str], name: str
) -> Iterator[tuple[Opened, int, str]]:
    """File, number and path of each iteration that the series has, in order.

    Raises:
        UsageError: there is none.
        DataFileError: the files are not in the order of their iterations.
    """
    before, _, after = f"/{name.strip('/')}".partition(f"/{ANY}/")
    last = -1
    for path in files:
        root = sources.open(path, named=True)
        try:
            _, group = links.locate(sources, root, before or "/")
            names = list(group) if isinstance(group, h5g.GroupID) else []
        except Absent:
            names = []
        # Names may be filled up with zeros.
        found = sorted((int(n), n) for n in map(os.fsdecode, names) if n.isdecimal())
        if not found or not after:
            raise UsageError(f"{root.path!r}: no iteration has {name!r}", hint=_HINT)
        for number, each in found:
            if number <= last:
                raise DataFileError(path, f"iteration {number} comes after iteration {last}")
            last = number
            yield root, number, f"{before}/{each}/{after}"


def datasets(sources: Sources, files: Sequence[str], name: str) -> Iterator[tuple[Opened, Any]]:
    """Each iteration's file and dataset, or :class:`Constant`.

    Raises:
        UsageError: one has none.
        DataFileError: one has values in another unit than those before it.
    """
    unit: float | None = None
    for number, (root, iteration, path) in enumerate(iterations(sources, files, name)):
        opened, found = component(sources, root, path, iteration)
        handle = found.group if isinstance(found, Constant) else h5py.Dataset(found)
        said = attribute(handle, "unitSI")
        here = None if said is None else float(said)
        if number and here != unit:
            raise DataFileError(
                opened.path, f"{path}: its unitSI is {here}, and {unit} of those before it"
            )
        unit = here
        yield opened, found


def component(sources: Sources, root: Opened, path: str, iteration: int) -> tuple[Opened, Any]:
    """A dataset, or :class:`Constant`, of an iteration. Raises UsageError where it has none."""
    try:
        return links.dataset(sources, root, path)
    except Absent as error:
        missing = error
    try:
        opened, here = links.locate(sources, root, path)
    except Absent as error:
        missing = error
    else:
        if (found := constant(here)) is not None:
            return opened, found
    raise UsageError(
        f"{root.path!r}: iteration {iteration} has no {path!r}: {missing} is missing",
        hint="fields that only some iterations have are reduced one by one",
    )


def is_openpmd(root: Opened) -> bool:
    """The root attribute ``openPMD`` is the one that the standard requires."""
    return attribute(h5py.Group(h5o.open(root.id, b"/")), "openPMD") is not None


def record_of(sources: Sources, root: Opened, path: str) -> tuple[Any, Any]:
    """A component's record and itself; of a scalar record both are the same."""
    _, found = component(sources, root, path, -1)
    handle = found.group if isinstance(found, Constant) else h5py.Dataset(found)
    if attribute(handle, "axisLabels") is not None:
        return handle, handle
    above = links.locate(sources, root, path.rpartition("/")[0] or "/")[1]
    return h5py.Group(above), handle


def about(sources: Sources, root: Opened, path: str) -> dict[str, object]:
    """What is said of a record in an openPMD file, and the unit of its values as they stand there:
    ``V/m``, ``1e+09 V/m``."""
    if not is_openpmd(root):
        return {}
    try:
        record, component = record_of(sources, root, path)
    except (Absent, UsageError):
        return {}
    said = units_of(attribute(record, "unitDimension"), number_of(attribute(component, "unitSI")))
    found: dict[str, object] = {} if said is None else {"units": said}
    for name in _ABOUT:
        value = attribute(record, name)
        if (text := text_of(value)) is not None:
            found[name] = text
        elif value is not None and np.asarray(value).dtype.kind in "uif":
            found[name] = np.asarray(value, "f8").tolist()
    return found


def files_of(path: str) -> list[str]:
    """The file, or those of a pattern. Raises DataFileError where there is none of these."""
    return members(path) if is_pattern(path) else [path]


def named(path: str, name: str) -> str:
    """The component that is meant: in a series of files that of every iteration."""
    return as_series(name) if is_pattern(path) and not is_series(name) else name
