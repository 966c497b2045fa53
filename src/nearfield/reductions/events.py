"""Neutron events of a NeXus file as counts by pixel and time of flight.

Sources: https://manual.nexusformat.org/classes/base_classes/NXevent_data.html and NXdetector.html.
``event_id`` is a pixel's number, ``event_time_offset`` the time since its pulse, ``event_index``
the first event of each pulse. The pixels are those of the ``detector_number`` (SNS: ``pixel_id``)
beside the events, or in the NXdetector that the events are in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import xarray as xr
from h5py import h5d

from nearfield.catalogue.metadata.values import text_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, attribute, walk
from nearfield.errors import DataFileError, UsageError
from nearfield.querying.units import converted
from nearfield.reductions import (
    result_accessor,  # noqa: F401 - a result's ``.nearfield`` is there from here on
    threads,
)
from nearfield.reductions.asking import frames_of
from nearfield.reductions.index import links, open_stack
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources, reason
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.kernels.events import Coordinate, Events
from nearfield.reductions.lazy import Result, as_dataset
from nearfield.reductions.naming import Names
from nearfield.reductions.plan import Plan
from nearfield.reductions.provenance import provenance
from nearfield.reductions.reading import blocks
from nearfield.reductions.stack import Stack

_ID = ("event_id", "event_pixel_id")
_TIME = ("event_time_offset", "event_time_of_flight")
_NUMBERS = ("detector_number", "pixel_id")
_BESIDE = (
    "x_pixel_offset",
    "y_pixel_offset",
    "z_pixel_offset",
    "distance",
    "polar_angle",
    "azimuthal_angle",
)
_DIMS = {1: ("detector_number",), 2: ("y", "x"), 3: ("module", "y", "x")}
_MOST = 10_000_000
"""Pixels, where no detector tells their numbers."""
_NAME = "time_of_flight"
_ROUNDED = 1e-15
"""By how much of itself an edge may be off after it was written down and multiplied."""


@dataclass(frozen=True)
class _Fields:
    """What a file has of events."""

    group: str
    ids: str
    times: str
    units: str | None
    index: Array | None
    numbers: Array | None
    beside: Mapping[str, tuple[Array, dict[str, str]]]


def reduce_events(
    path: str | os.PathLike[str],
    group: str | None,
    time_of_flight: Any,
    *,
    pulses: slice | None = None,
    workers: int | None = None,
    others: Mapping[str, Any] | None = None,
    about: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Counts of events, ``(detector_number, time_of_flight)`` or ``(y, x, time_of_flight)``.

    Nothing is counted before somebody looks at a value.

    Args:
        path: The file.
        group: The NXevent_data, or the NXdetector that has one; without it the file's only one.
        time_of_flight: Edges of bins, in the file's unit; or with one of their own
            (``units`` of an xarray array's attributes, ``unit`` of scipp's, or
            ``{"edges": …, "units": "us"}``).
        pulses: Which pulses, by ``event_index``.
        others: What else was asked for: it does not go together with events.
        about: Further attributes of the result: the dataset's PID, say.

    Raises:
        UsageError: there are no such events, or the edges are none.
        DataFileError: the file cannot be read.
    """
    _alone(others or {})
    path = os.path.abspath(os.fspath(path))  # noqa: PTH100
    fields = _fields(path, group)
    times = open_stack(path, fields.times, frame_ndim=0)
    ids = open_stack(path, fields.ids, frame_ndim=0)
    if ids.dtype.kind not in "ui":
        raise UsageError(f"{path!r}: {fields.ids} holds {ids.dtype}, no numbers of pixels")
    count = min(times.shape[0], ids.shape[0])  # one may be written before the other
    if times.shape[0] != ids.shape[0] and not (times.partial or ids.partial):
        raise DataFileError(
            path,
            f"{fields.group} has {ids.shape[0]} events with a pixel and {times.shape[0]} with a "
            "time",
        )
    take = _events_of(pulses, fields, count)
    shown, edges, units = _edges(time_of_flight, fields)
    numbers = _seen(ids, take) if fields.numbers is None else fields.numbers
    dims = _DIMS.get(numbers.ndim, tuple(f"dim_{i}" for i in range(numbers.ndim)))
    counted = Events(
        ids, numbers, edges, shown, dims, _coordinates(fields, numbers, dims), units, take.start
    )
    whole = len(take) == times.shape[0]
    frames = frames_of(times, Names((), "event"), take)
    plan = Plan(times, frames, {_NAME: counted}, None, None if whole else take)
    told = {_NAME: counted, "pulses": pulses}
    result = Result(plan, threads.compute, workers)
    return as_dataset(result, {}, {**(about or {}), **provenance(plan, told)})


def _alone(others: Mapping[str, Any]) -> None:
    for name, value in others.items():
        if value is not None and value is not False:
            raise UsageError(
                f"{name}= does not go together with time_of_flight=",
                hint="events are counted by pixel and time; what is made of the counts is small",
            )


def _fields(path: str, name: str | None) -> _Fields:
    with Sources() as sources:
        try:
            root = sources.open(path, named=True)
        except Absent:
            raise DataFileError(path, "there is no such file") from None
        try:
            return _of_group(sources, root, name or _only(root))
        except Absent as error:
            raise UsageError(f"{path!r}: there is no {name!r}: {error} is missing") from None
        except READ_ERRORS as error:
            raise DataFileError(path, f"its events cannot be read: {reason(error)}") from error


def _only(root: Opened) -> str:
    found = [one.path for one in walk(h5py.File(root.id)).groups if one.nx_class == "NXevent_data"]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{root.path!r}: it has {len(found)} groups of events",
        hint="name one with array=: " + ", ".join(found[:20])
        if found
        else "NXevent_data; counts by time are a stack: leave time_of_flight= out",
    )


def _of_group(sources: Sources, root: Opened, name: str) -> _Fields:
    name = f"/{name.strip('/')}"
    for here in _places(sources, root, name):
        opened, group = links.locate(sources, root, here)
        if not isinstance(group, h5py.h5g.GroupID):
            continue
        ids, times = (next((f for f in every if f in group), None) for every in _fields_of(group))
        if ids is None or times is None:
            continue
        above = here.rpartition("/")[0] or "/"
        near = [(opened, group), links.locate(sources, root, above)]
        units = _read(sources, opened, group, times, values=False)
        index = _read(sources, opened, group, "event_index")
        numbers, beside = _detector(sources, near)
        return _Fields(
            here,
            f"{here}/{ids}",
            f"{here}/{times}",
            units[1].get("units") if units else None,
            index[0] if index else None,
            numbers,
            beside,
        )
    raise UsageError(f"{root.path!r}: {name} has no event_id and event_time_offset")


def _fields_of(group: Any) -> Iterator[list[str]]:
    """The spellings of both fields that a group has."""
    handle = h5py.Group(group)
    for every in (_ID, _TIME):
        yield [name for name in every if name in handle]


def _places(sources: Sources, root: Opened, name: str) -> Iterator[str]:
    """The group, and those of events in it."""
    yield name
    _, here = links.locate(sources, root, name)
    if isinstance(here, h5py.h5g.GroupID):
        for member in h5py.Group(here):
            if text_of(_class_of(h5py.Group(here), member)) == "NXevent_data":
                yield f"{name}/{member}"


def _class_of(group: h5py.Group, member: str) -> Any:
    """The class of a member; ``None`` where it is no group, or its link leads nowhere."""
    try:
        found = group[member]
    except READ_ERRORS:
        return None
    return attribute(found, "NX_class") if isinstance(found, h5py.Group) else None


def _detector(
    sources: Sources, near: list[tuple[Opened, Any]]
) -> tuple[Array | None, dict[str, tuple[Array, dict[str, str]]]]:
    for opened, group in near:
        for name in _NUMBERS:
            found = _read(sources, opened, group, name)
            if found is None or found[0].dtype.kind not in "ui":
                continue
            beside = {}
            for other in _BESIDE:
                values = _read(sources, opened, group, other)
                if values is not None and values[0].dtype.kind in "uif":
                    beside[other] = values
            return np.atleast_1d(found[0]), beside
    return None, {}


def _read(
    sources: Sources, opened: Opened, group: Any, name: str, *, values: bool = True
) -> tuple[Array, dict[str, str]] | None:
    try:
        _, here = links.locate(sources, opened, name, group)
    except Absent:
        return None
    if not isinstance(here, h5d.DatasetID):
        return None
    dataset = h5py.Dataset(here)
    units = text_of(attribute(dataset, "units"))
    found = np.asarray(dataset[()]) if values else np.zeros(0)
    return found, {"units": units} if units else {}


def _events_of(pulses: slice | None, fields: _Fields, count: int) -> range:
    """The events of some pulses."""
    if count == 0:
        raise UsageError(f"{fields.group} has no events")
    if pulses is None:
        return range(count)
    if fields.index is None:
        raise UsageError(f"{fields.group} has no event_index: its pulses are not known")
    if fields.index.ndim != 1 or fields.index.dtype.kind not in "ui":
        raise UsageError(f"{fields.group}: its event_index is no list of numbers of events")
    if (fields.index[1:] < fields.index[:-1]).any() or (fields.index[:1] < 0).any():
        raise UsageError(
            f"{fields.group}: its event_index does not rise, so that nobody knows which events are "
            "of which pulse",
            hint="without frames= all events are counted",
        )
    try:
        taken = range(len(fields.index))[pulses]
    except (TypeError, ValueError) as error:
        raise UsageError(f"frames={pulses!r}: {error}") from error
    if taken.step != 1 or not taken:
        raise UsageError(f"frames={pulses!r}: some pulses in a row, of {len(fields.index)}")
    ends = np.append(np.minimum(fields.index, count).astype("i8"), count)
    found = range(int(ends[taken.start]), int(ends[taken.stop]))
    if not found:
        raise UsageError(f"frames={pulses!r}: these pulses have no events")
    return found


def _edges(given: Any, fields: _Fields) -> tuple[Array, Array, str]:
    """As they were given, in the file's unit, and the unit in which they were given."""
    units: Any = None
    if isinstance(given, Mapping):
        given, units = given.get("edges"), given.get("units")
    elif isinstance(given, xr.DataArray):
        given, units = given.values, given.attrs.get("units")
    elif hasattr(given, "unit") and hasattr(given, "values"):  # scipp's
        given, units = given.values, given.unit
    try:
        shown = np.asarray(given, "f8")
    except (TypeError, ValueError):
        raise UsageError(f"time_of_flight={given!r}: edges of bins are wanted") from None
    if units is None:
        return shown, shown, fields.units or ""
    there = converted(1.0, str(units), fields.units or "")
    back = converted(1.0, fields.units, str(units))
    if there is None or back is None:
        raise UsageError(
            f"time_of_flight in {units}: the file has {fields.units or 'no unit of times'}"
        )
    edges = shown / _exact(back) if there < 1 else shown * _exact(there)
    # 1.1e-07 s are 110 ns and not 110.00000000000001: files count whole ones, at the edges too.
    whole = np.round(edges)
    near = np.abs(edges - whole) <= _ROUNDED * np.abs(whole)
    return shown, np.where(near, whole, edges), str(units)


def _exact(factor: float) -> float:
    """Between units of time: a thousand, and not one less in the last digit."""
    return float(round(factor)) if abs(factor - round(factor)) < 1e-9 * factor else factor


def _seen(ids: Stack, take: range) -> Array:
    """All numbers between the least and the greatest that an event has."""
    low, high = np.iinfo(np.int64).max, -1
    for _, block in blocks(ids, take.start, take.stop):
        low, high = min(low, int(block.min())), max(high, int(block.max()))
    if high - low >= _MOST:
        raise UsageError(
            f"the events' pixels are numbered {low} to {high}, and no detector tells which there "
            "are",
            hint="name the NXdetector with detector_number that has these events",
        )
    return np.arange(low, high + 1)


def _coordinates(fields: _Fields, numbers: Array, dims: tuple[str, ...]) -> dict[str, Coordinate]:
    found: dict[str, Coordinate] = {"detector_number": (dims, numbers, {})}
    for name, (values, attrs) in fields.beside.items():
        if values.shape == numbers.shape:
            found[name] = dims, values, attrs
        elif name[0] in dims and values.shape == (numbers.shape[dims.index(name[0])],):
            found[name] = (name[0],), values, attrs
    return found
