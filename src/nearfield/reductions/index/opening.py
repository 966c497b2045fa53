"""The one entrance: a file and a dataset's name in, a stack out."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5i

from nearfield.catalogue.metadata.values import text_of
from nearfield.catalogue.metadata.walk import attribute
from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index import cache, images, links, numbered, openpmd
from nearfield.reductions.index.frame_axes import checked, frame_axes
from nearfield.reductions.index.growing import cut_to_written
from nearfield.reductions.index.merging import parts_of
from nearfield.reductions.index.pieces import Piece, Resolved, count_of
from nearfield.reductions.index.refusing import Absent, NotUnderstood
from nearfield.reductions.index.signal import default_name
from nearfield.reductions.index.sources import READ_ERRORS, Opened, Sources, reason
from nearfield.reductions.index.virtual import resolve
from nearfield.reductions.index.zarrs.opening import open_zarr
from nearfield.reductions.stack import Asked, Held, Part, Shape, Stack

_ATTEMPTS = 3
MAX_ATTRIBUTES = 64
MAX_VALUES = 16


def open_stack(
    path: str | os.PathLike[str], name: str | None = None, *, frame_ndim: int | None = None
) -> Stack:
    """What a dataset of an HDF5 file, a Zarr array (``zarrs``) or images (``images``) are as bytes.

    Args:
        path: The file; a master is found to be one.
        name: The dataset, or a group that holds one (its ``signal``) or numbered runs of frames
            (EIGER's ``data_000001``, …), or an openPMD series, ``/data/%T/meshes/E/x``. By default
            the signal that NeXus says to plot.
        frame_ndim: How many axes, the last ones, make a frame: 1 for spectra, 3 for modules. By
            default what NeXus says (``frame_axes``).

    Returns:
        A stack, from the cache where its files are as they were. Where its bytes are not
        understood ``refused`` says why, and h5py has to read it.

    Raises:
        UsageError: no such dataset, or it is no array of numbers.
        DataFileError: a file cannot be read, or changes while it is being indexed.
    """
    whole = os.path.abspath(os.fspath(path))  # noqa: PTH100
    if os.path.isdir(whole):  # noqa: PTH112
        return open_zarr(whole, name, frame_ndim)
    if images.is_images(whole):
        return images.open_images(whole, name, frame_ndim)
    asked = Asked(whole, name, frame_ndim)
    changed = whole
    for _ in range(_ATTEMPTS):
        key = cache.key(whole, name, frame_ndim)
        if (kept := cache.load(key)) is not None and _of_now(kept, whole):
            return replace(kept, asked=asked)
        with Sources() as sources:
            stack = _index(sources, whole, name, frame_ndim)
            now = sources.still()
        if now is None:
            cache.save(key, stack, sources.absent)
            return replace(stack, asked=asked)
        changed = now
    raise DataFileError(
        changed, "it changes while it is being indexed", hint="wait until it is written, try again"
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """One dataset of a stack."""

    resolved: Resolved | NotUnderstood
    held: Held


def _of_now(kept: Stack, path: str) -> bool:
    """Does a pattern mean the files that it meant?"""
    if not openpmd.is_pattern(path):
        return True
    return set(openpmd.members(path)) <= {file.path for file in kept.files}


def _index(sources: Sources, path: str, name: str | None, frame_ndim: int | None) -> Stack:
    files = openpmd.files_of(path)
    try:
        root = sources.open(files[0], named=True)
    except Absent:
        raise DataFileError(path, "there is no such file") from None
    try:
        return _stack(sources, root, (path, files), name, frame_ndim)
    except READ_ERRORS as error:
        raise DataFileError(path, f"it cannot be indexed: {reason(error)}") from error


def _stack(
    sources: Sources,
    root: Opened,
    which: tuple[str, list[str]],
    name: str | None,
    frame_ndim: int | None,
) -> Stack:
    path, files = which
    plotted = None if name else default_name(h5py.File(root.id), root.path)
    asked = openpmd.named(path, name or _frames_of(plotted or ""))
    series = openpmd.is_series(asked)
    runs: list[_Run] = []
    attributes: dict[str, object] = {}
    outer: Shape = ()
    frame: Shape = ()
    dtype: np.dtype[np.generic] = np.dtype("u1")
    wanted = cut = 0
    every = openpmd.datasets(sources, files, asked) if series else _datasets(sources, root, asked)
    for opened, dataset in every:
        single = isinstance(dataset, openpmd.Constant)
        at = dataset.name if single else os.fsdecode(h5i.get_name(dataset) or b"")
        shape, kind = dataset.shape, dataset.dtype
        if not runs:
            attributes = _attributes(dataset.group if single else h5py.Dataset(dataset))
            attributes |= openpmd.about(sources, opened, at)
            if not shape or kind.kind not in "uifb":
                raise UsageError(f"{opened.path!r}: {at} is no array of numbers")
            given = len(shape) if series and frame_ndim is None else frame_ndim
            if given is None:
                plain = min(2, len(shape) - 1)
                given = plain if single else frame_axes(sources, root, asked, dataset)
            wanted = checked(shape, given, opened.path, at)
            dtype = kind.newbyteorder("=")
            cut = len(shape) - wanted
            outer, frame = shape[:cut], shape[cut:]
        elif shape[min(cut, 1) :] != frame or kind.newbyteorder("=") != dtype:
            raise DataFileError(opened.path, f"{at}: its frames are not as those before it")
        held = Held(opened.path, at, count_of(shape[:cut]))
        runs.append(_Run(_resolved(sources, opened, dataset, wanted), held))
    if not runs:
        raise DataFileError(root.path, f"{asked}: none of its files of frames is there")
    if len(runs) > 1 or series:
        outer = (sum(run.held.frames for run in runs),)
    parts, refused = _parts(runs, outer, frame)
    done = [run.resolved for run in runs if isinstance(run.resolved, Resolved)]
    fill = done[0].fill if done else dtype.type(0)
    stack = Stack(
        (count_of(outer), *frame),
        dtype,
        fill,
        parts,
        tuple(sources.files.values()),
        tuple(sources.missing),
        sources.writing or sources.fresh,
        attributes,
        outer,
        tuple(run.held for run in runs),
        refused,
        plotted=plotted,
    )
    return cut_to_written(stack) if sources.writing else stack


def _frames_of(name: str) -> str:
    """The dataset, or the group of numbered ones of which it is one."""
    group, _, last = name.rpartition("/")
    return group if numbered.is_numbered(last) else name


def _datasets(sources: Sources, root: Opened, name: str) -> Any:
    """The datasets that hold the frames, one after the other."""
    try:
        opened, here = links.locate(sources, root, name)
        if isinstance(here, h5d.DatasetID):
            yield opened, here
            return
        if (single := openpmd.constant(here)) is not None:
            yield opened, single
            return
        signal = text_of(attribute(h5py.Group(here), "signal")) or "data"
        names = numbered.numbered(here)
        # An EIGER master may name the first of its runs as the signal: all of them are meant.
        if not (names and numbered.is_numbered(signal)):
            try:
                found = links.locate(sources, opened, signal, here)
            except Absent:
                pass
            else:
                if isinstance(found[1], h5d.DatasetID):
                    yield found
                    return
                names = []
    except Absent as error:
        words = f"{root.path!r}: there is no {name!r}"
        if str(error) != name:
            words += f": {error} is missing"
        raise UsageError(words, hint="nearfield catalogue show FILE lists its arrays") from None
    if not names:
        raise UsageError(f"{root.path!r}: {name!r} is a group", hint=_in_group(h5py.Group(here)))
    yield from numbered.datasets(sources, opened, here, name, names)


def _in_group(group: h5py.Group) -> str:
    """The datasets of its own to choose from; other files are not opened for an error's words."""
    own = [
        name
        for name in itertools.islice(group, 200)
        if isinstance(group.get(name, getlink=True), h5py.HardLink)
        and group.get(name, getclass=True) is h5py.Dataset
    ]
    return "name a dataset in it" + (f": {', '.join(own[:20])}" if own else "")


def _resolved(
    sources: Sources, opened: Opened, dataset: Any, frame_ndim: int
) -> Resolved | NotUnderstood:
    if isinstance(dataset, openpmd.Constant):
        return dataset.resolved(frame_ndim)
    try:
        return resolve(sources, opened, dataset, frame_ndim)
    except NotUnderstood as why:
        return why


def _parts(runs: list[_Run], outer: Shape, frame: Shape) -> tuple[tuple[Part, ...], str | None]:
    """All runs' parts, one after the other, or why there are none."""
    pieces: list[Piece] = []
    first = 0
    for run in runs:
        found = run.resolved
        if isinstance(found, NotUnderstood):
            return (), f"{run.held.path}: {run.held.name}: {found}"
        pieces += (replace(piece, laid=_later(piece.laid, first)) for piece in found.pieces)
        first += run.held.frames
    one = runs[0].resolved
    assert isinstance(one, Resolved)  # noqa: S101 - the loop has seen it
    try:
        return parts_of(replace(one, outer=outer, frame=frame, pieces=tuple(pieces))), None
    except NotUnderstood as why:
        return (), str(why)


def _later(laid: Any, by: int) -> Any:
    return (
        range(laid.start + by, laid.stop + by, laid.step) if isinstance(laid, range) else laid + by
    )


def _attributes(handle: Any) -> dict[str, object]:
    """Texts and numbers, as plain Python has them."""
    found: dict[str, object] = {}
    for name in list(handle.attrs)[:MAX_ATTRIBUTES]:
        value = attribute(handle, name)
        text = text_of(value)
        if text is not None:
            found[name] = text
        elif isinstance(value, np.generic) and value.dtype.kind in "uifb":
            found[name] = _plain(value).item()
        elif _short(value):
            found[name] = _plain(value).tolist()
    return found


def _plain(value: Any) -> Any:
    """Python has no floats of more than 64 bits; some writers give units by them."""
    return value.astype("f8") if value.dtype.kind == "f" and value.dtype.itemsize > 8 else value


def _short(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "uifb" and value.size <= MAX_VALUES
