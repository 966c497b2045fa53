"""From a path to an object, link by link, so that HDF5 opens no file that was not checked.

HDF5 by itself follows external links and virtual sources wherever they lead.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import h5py
from h5py import h5l

from nearfield.hdf5_sources import extent_elsewhere, tried, unlimited
from nearfield_server.inside.files import AllowedFiles, LookError

MAX_LINKS = 16
MAX_SOURCES = 2000
MAX_NESTED = 3
MAX_CHUNK = 256 * 1024 * 1024
"""To read one value of a chunk HDF5 unpacks all of it."""


class Walk:
    """Open files, as long as one look lasts."""

    def __init__(self, allowed: AllowedFiles) -> None:
        self._allowed = allowed
        self._stack = ExitStack()
        self._open: dict[str, h5py.File] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def file(self, path: str) -> h5py.File:
        """An open file. Raises LookError."""
        real = self._allowed.check(path)
        if real not in self._open:
            try:
                # Others may write it: no lock of ours may keep them from it.
                opened = h5py.File(real, "r", locking=False)
            except OSError as error:
                if not h5py.is_hdf5(real):
                    raise LookError("file", f"{path!r} is no HDF5 file") from None
                opened = self._growing(real, path, error)
            self._open[real] = self._stack.enter_context(opened)
        return self._open[real]

    def _growing(self, real: str, path: str, error: OSError) -> h5py.File:
        try:
            return h5py.File(real, "r", locking=False, swmr=True)
        except (OSError, ValueError):
            raise LookError("file", f"{path!r} cannot be opened: {_short(error)}") from None

    def at(self, path: str, name: str, followed: int = 0) -> Any:
        """The group, dataset or type at ``name`` in the file at ``path``. Raises LookError."""
        found: Any = self.file(path)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        for number, part in enumerate(parts):
            if not isinstance(found, h5py.Group):
                break
            rest = "/".join(parts[number + 1 :])
            key = part.encode()
            if part == ".." or not found.id.links.exists(key):
                raise LookError("missing", f"{path!r} has no {name!r}")
            target = link_of(found, part)
            if target is None:
                found = found[part]
                continue
            if followed >= MAX_LINKS:
                raise LookError("file", f"{name!r}: more than {MAX_LINKS} links lead on and on")
            file, inside = target
            where = path if file is None else beside(path, file)
            return self.at(where, f"{inside}/{rest}", followed + 1)
        else:
            return found
        raise LookError("missing", f"{path!r} has no {name!r}")

    def check_values(self, data: h5py.Dataset, box: list[tuple[int, int]], nested: int = 0) -> None:
        """May the values in ``box`` (first, last by axis) be read? Opens no data.

        Raises:
            LookError: they lie in a file that may not be opened, or come in too large chunks.
        """
        self.check_extent(data, nested)
        if data.external:
            raise LookError(
                "file", f"{data.name!r} keeps its values outside of HDF5", "open it in a notebook"
            )
        if data.chunks is not None:
            size = data.dtype.itemsize
            for edge in data.chunks:
                size *= edge
            if size > MAX_CHUNK:
                raise LookError(
                    "usage", f"{data.name!r} is stored in chunks of {size >> 20} MB: too large here"
                )
        if not data.is_virtual:
            return
        self._check_sources(data, box, nested)

    def check_extent(self, data: h5py.Dataset, nested: int = 0) -> None:
        """May its shape be asked? A virtual dataset may grow with its sources: HDF5 opens them.

        Raises:
            LookError: they are files that may not be opened.
        """
        if extent_elsewhere(data.id):
            self._check_sources(data, None, nested)

    def _check_sources(
        self, data: h5py.Dataset, box: list[tuple[int, int]] | None, nested: int
    ) -> None:
        if nested >= MAX_NESTED:
            raise LookError("file", f"{data.name!r} is virtual over virtual data, again and again")
        path = data.file.filename
        for number, source in enumerate(data.virtual_sources()):
            if number >= MAX_SOURCES:
                raise LookError("file", f"{data.name!r} has more than {MAX_SOURCES} sources")
            if box is None or _touches(source.vspace, box):
                self._check_source(path, source, nested)

    def _check_source(self, path: str, source: Any, nested: int) -> None:
        if "%" in source.file_name or "%" in source.dset_name:
            raise LookError(
                "file", f"{path!r} names its sources by a pattern", "open it in a notebook"
            )
        if source.file_name == ".":
            places = [path]
        else:
            places = [one for one in tried(path, source.file_name) if os.path.lexists(one)]
        # HDF5 takes the first that it can open: none of them may be closed to this look.
        for place in places:
            self._allowed.check(place)
        if not places:
            return  # HDF5 shows its fill value there
        inner = self.at(places[0], source.dset_name)
        if isinstance(inner, h5py.Dataset):
            self.check_extent(inner, nested + 1)
            whole = [(0, max(0, edge - 1)) for edge in inner.shape]
            self.check_values(inner, whole, nested + 1)


def link_of(group: h5py.Group, name: str) -> tuple[str | None, str] | None:
    """Where a soft or external link leads: file (None: the same) and path; None for a hard one."""
    key = name.encode()
    kind = group.id.links.get_info(key).type
    if kind == h5l.TYPE_HARD:
        return None
    said = group.id.links.get_val(key)
    if kind == h5l.TYPE_EXTERNAL:
        return os.fsdecode(said[0]), said[1].decode("utf-8", "replace")
    if kind == h5l.TYPE_SOFT:
        path = said.decode("utf-8", "replace")
        return None, path if path.startswith("/") else f"{group.name}/{path}"
    raise LookError("file", f"{name!r} is a link of a kind that is not known")


def beside(path: str, other: str) -> str:
    """A file that ``path`` names: relative to its own folder."""
    return os.path.join(os.path.dirname(path), other)  # noqa: PTH118, PTH120


def _touches(space: Any, box: list[tuple[int, int]]) -> bool:
    if unlimited(space):
        return True
    low, high = space.get_select_bounds()
    if len(low) != len(box):
        return True
    return all(first <= h and last >= w for (first, last), w, h in zip(box, low, high, strict=True))


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
