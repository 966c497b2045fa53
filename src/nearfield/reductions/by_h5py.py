"""Frames as h5py reads them, under one lock: for what the index or a decoder does not understand.

Some of its versions give the fill value where a virtual dataset's source is there and cannot be
opened. Here that is an error, as everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any

import h5py
import numpy as np
from h5py import h5o

from nearfield.errors import DataFileError
from nearfield.reductions.h5py_faults import absent_filters, short_files
from nearfield.reductions.index import openpmd
from nearfield.reductions.index.files import file_id, unchanged
from nearfield.reductions.index.overlaps import OVERLAP
from nearfield.reductions.index.places import Kind
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import READ_ERRORS, Sources, reason
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.open_files import REPLACED
from nearfield.reductions.stack import FileId, Held, Shape, Stack
from nearfield.reductions.unreadable import FileChanged, Noted, without

_LOCK = Lock()


def blocks(
    stack: Stack, start: int, stop: int, noted: Noted, block: int, held: int
) -> Iterator[tuple[int, Array]]:
    """As ``reading.blocks``, which chooses the sizes.

    Args:
        block: Frames of a block.
        held: Frames that may be held, where chunks hold more than a block.
    """
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401 - brings HDF5 its filters
    for file in stack.files:
        if not _as_indexed(file):
            noted.add(start, stop, file.path, REPLACED)
            return
    first = -stack.skipped
    for one in stack.held:
        begin, end = max(start, first), min(stop, first + one.frames)
        if begin < end:
            yield from _of_one(stack, one, first, (begin, end), noted, block, held)
        first += one.frames
    for file in stack.files:
        if not _as_indexed(file):
            raise FileChanged(file.path, f"frames {start} to {stop - 1}: {REPLACED}")


def _as_indexed(file: FileId) -> bool:
    try:
        return unchanged(file_id(file.path), file)
    except OSError:
        return False


def _of_one(
    stack: Stack,
    one: Held,
    first: int,
    frames: tuple[int, int],
    noted: Noted,
    block: int,
    held: int,
) -> Iterator[tuple[int, Array]]:
    """One dataset's frames ``frames`` of the stack; its first one is ``first`` there."""
    start, stop = frames
    with ExitStack() as closing:
        try:
            with _LOCK:
                sources = closing.enter_context(_Locked())
                dataset = _dataset(sources, one)
        except (*READ_ERRORS, Absent, DataFileError) as error:
            noted.add(start, stop, one.path, f"it cannot be opened: {reason(error)}")
            return
        cut = dataset.ndim - len(stack.frame_shape)
        outer: Shape = dataset.shape[:cut]
        span = start - first, stop - first
        bad = _broken(sources, dataset, one.path, outer, *span)
        absent = None
        if isinstance(dataset, h5py.Dataset):  # a constant is stored nowhere
            bad += short_files(dataset, one.path, cut, *span)
            absent = absent_filters(dataset)
        holes = [(low + first, high + first, path, words) for low, high, path, words in bad]
        for hole in holes:
            noted.add(*hole)
        corner = stack.corner or (0,) * len(stack.frame_shape)
        box = tuple(slice(c, c + n) for c, n in zip(corner, stack.frame_shape, strict=True))

        # What HDF5 gives where mappings lie on each other depends on how much is read at once.
        most = 1 if OVERLAP in (stack.refused or "") else sys.maxsize

        def read(frame: int, out: Array) -> None:
            _read(dataset, outer, box, frame - first, out, most)

        chunk = dataset.chunks[cut - 1] if dataset.chunks and cut else 1
        size = min(max(block // chunk * chunk, chunk), max(block, held))
        window = np.empty((min(size, stop - start), *stack.frame_shape), stack.dtype)
        for low, high in without(start, stop, ((a, b) for a, b, *_ in holes)):
            at = low
            while at < high:
                end = min(high, at + size)
                if end < high and (end - first) // chunk * chunk > at - first:
                    end = first + (end - first) // chunk * chunk
                some = window[: end - at]
                yield from _window(read, at, some, noted, one.path, block, absent)
                at = end


class _Locked(Sources):
    """Closes its files under the lock."""

    def __exit__(self, *arguments: object) -> None:
        with _LOCK:
            super().__exit__(*arguments)


def _dataset(sources: Sources, one: Held) -> Any:
    """A dataset, or a constant component of openPMD, which is read as one."""
    opened = sources.open(one.path, named=True)
    found = h5o.open(opened.id, one.name.encode("utf-8", "surrogateescape"))
    return openpmd.constant(found) or h5py.Dataset(found)


def _window(
    read: Callable[[int, Array], None],
    at: int,
    window: Array,
    noted: Noted,
    path: str,
    block: int,
    absent: str | None,
) -> Iterator[tuple[int, Array]]:
    holes = []
    try:
        read(at, window)
    except READ_ERRORS:
        for i in range(len(window)):  # which of them?
            try:
                read(at + i, window[i : i + 1])
            except READ_ERRORS as error:
                noted.add(at + i, at + i + 1, path, absent or reason(error))
                holes.append((i, i + 1))
    flat = window.reshape(len(window), -1)
    for low, high in without(0, len(window), holes):
        for i in range(low, high, block):
            yield at + i, flat[i : min(i + block, high)]


def _read(
    dataset: Any, outer: Shape, box: tuple[slice, ...], frame: int, out: Array, most: int
) -> None:
    """The dataset's frames from ``frame`` on: runs along the last axis that counts them, none
    longer than ``most``."""
    done = 0
    while done < len(out):
        key: tuple[Any, ...] = box
        n = 1
        if outer:
            *prefix, last = (int(i) for i in np.unravel_index(frame + done, outer))
            n = min(outer[-1] - last, len(out) - done, most)
            key = (*prefix, slice(last, last + n), *box)
        some = out[done : done + n]
        with _LOCK:
            if dataset.is_virtual:
                # HDF5 counts what mappings lay twice, and may leave out the fill value for it.
                some[...] = dataset.fillvalue
                dataset.read_direct(some if outer else some[0], key)
            else:
                some[...] = np.asarray(dataset[key]).reshape(some.shape)
        done += n


def _broken(
    sources: Sources, dataset: Any, path: str, outer: Shape, start: int, stop: int
) -> list[tuple[int, int, str, str]]:
    """Of a virtual dataset's frames ``start … stop`` those whose source is there and cannot be
    opened, with the file and why.

    Some versions of HDF5 give the fill value for them.
    """
    found = []
    with _LOCK:
        for source in dataset.virtual_sources() if dataset.is_virtual else ():
            low, high = source.vspace.get_select_bounds()
            begin, last = (_flat(place[: len(outer)], outer) for place in (low, high))
            if begin >= stop or last < start or source.file_name == "." or "%" in source.file_name:
                continue
            try:
                sources.find(path, source.file_name, Kind.VIRTUAL)
            except DataFileError as error:
                hole = max(begin, start), min(last + 1, stop)
                found.append((*hole, error.path, f"it cannot be opened: {reason(error)}"))
            except Absent:  # that is the fill value
                continue
    return found


def _flat(place: Shape, outer: Shape) -> int:
    return int(np.ravel_multi_index(place, outer)) if outer else 0
