"""What the axes of an openPMD record are called, and where its points lie, in SI units.

From https://github.com/openPMD/openPMD-standard, 1.1.0: "Iterations and Time Series", "Unit
Systems and Dimensionality", "Mesh Based Records". Of an axis the point *i* is at
``(gridGlobalOffset + gridSpacing * (i + position)) * gridUnitSI``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from nearfield.catalogue.metadata.values import number_of, text_of, texts_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, attribute
from nearfield.errors import UsageError
from nearfield.reductions.index import links, openpmd
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Shape

Coordinate = tuple[tuple[str, ...], Array, dict[str, object]]
ITERATION = "iteration"


@dataclass(frozen=True)
class Grid:
    """The points of a mesh component."""

    labels: tuple[str, ...]
    first: Array
    """Along each axis, in metres (or in what the geometry says)."""
    step: Array
    units: str | None


def grid_of(record: Any, component: Any, rank: int) -> Grid | None:
    """``None`` where the file does not say all of it."""
    labels = texts_of(attribute(record, "axisLabels"))
    spacing = _numbers(attribute(record, "gridSpacing"), rank)
    offset = _numbers(attribute(record, "gridGlobalOffset"), rank)
    position = _numbers(attribute(component, "position"), rank)
    unit = attribute(record, "gridUnitSI")
    scale = _numbers(np.full(rank, unit) if np.size(unit) == 1 else unit, rank)
    if len(labels) != rank or len(set(labels)) != rank or ITERATION in labels:
        return None
    if spacing is None or offset is None or scale is None:
        return None
    place = np.zeros(rank) if position is None else position
    first, step = (offset + spacing * place) * scale, spacing * scale
    if text_of(attribute(record, "dataOrder")) == "F":
        labels, first, step = labels[::-1], first[::-1], step[::-1]
    cartesian = text_of(attribute(record, "geometry")) in (None, "cartesian")
    return Grid(tuple(labels), first, step, "m" if cartesian else None)


def _numbers(value: Any, rank: int) -> Array | None:
    if value is None or np.shape(value) != (rank,) or np.asarray(value).dtype.kind not in "uif":
        return None
    found: Array = np.asarray(value, "f8")
    return found if np.isfinite(found).all() else None


def coordinates(grids: Iterable[Grid], shape: Shape) -> dict[str, Coordinate]:
    """Of a component, or of one in all iterations of a series.

    An axis that lies elsewhere in each iteration, as in a moving window, has no values of its own;
    ``LABEL_position`` has them for each iteration.
    """
    every = list(grids)
    found: dict[str, Coordinate] = {}
    first, step = np.array([g.first for g in every]), np.array([g.step for g in every])
    for axis, label in enumerate(every[0].labels):
        attrs: dict[str, object] = {"units": every[0].units} if every[0].units else {}
        index = np.arange(shape[axis])
        a, b = first[:, axis], step[:, axis]
        if (a == a[0]).all() and (b == b[0]).all():
            found[label] = (label,), a[0] + b[0] * index, attrs
        else:
            values = a[:, None] + b[:, None] * index
            found[f"{label}_position"] = (ITERATION, label), values, attrs
    return found


@dataclass(frozen=True)
class Named:
    """Of a component: a dimension for each axis, and coordinates."""

    name: str
    """``E_x``: the component's alone is often that of an axis."""
    dims: tuple[str, ...]
    coords: dict[str, Coordinate]


def series(
    sources: Sources, files: list[str], name: str, plain: tuple[str, ...], shape: Shape
) -> Named:
    """Of a stack whose frames are iterations: their numbers, times in seconds, and the grid."""
    numbers, times, grids = [], [], []
    label = ""
    depth = f"/{name.strip('/')}".split("/").index(openpmd.ANY) + 1
    for root, number, path in openpmd.iterations(sources, files, name):
        numbers.append(number)
        above = "/".join(path.split("/")[:depth])
        iteration = h5py.Group(links.locate(sources, root, above)[1])
        record, component = openpmd.record_of(sources, root, path)
        label = label or _label(path, record is component)
        times.append(_time(iteration, record))
        grids.append(grid_of(record, component, len(shape) - 1))
    if plain[0] != "frame" or len(numbers) != shape[0]:
        return Named(label, plain, {})
    coords: dict[str, Coordinate] = {ITERATION: ((ITERATION,), np.array(numbers), {})}
    if not np.isnan(times).any():
        coords["time"] = (ITERATION,), np.array(times), {"units": "s"}
    there = [grid for grid in grids if grid is not None]
    labels = {grid.labels for grid in there}
    if len(there) != len(numbers) or len(labels) != 1 or "time" in there[0].labels:
        return Named(label, (ITERATION, *plain[1:]), coords)
    return Named(label, (ITERATION, *there[0].labels), {**coords, **coordinates(there, shape[1:])})


def single(
    sources: Sources, root: Opened, name: str, plain: tuple[str, ...], shape: Shape
) -> Named:
    """Of a component of one iteration."""
    try:
        record, component = openpmd.record_of(sources, root, name)
    except (Absent, UsageError, *READ_ERRORS):
        return Named(_label(name, True), plain, {})
    label, grid = _label(name, record is component), grid_of(record, component, len(shape))
    if grid is None:
        return Named(label, plain, {})
    return Named(label, grid.labels, coordinates([grid], shape))


def _label(path: str, scalar: bool) -> str:
    return "_".join(path.strip("/").split("/")[-1 if scalar else -2 :]) or "data"


def _time(iteration: Any, record: Any) -> float:
    time, unit = attribute(iteration, "time"), attribute(iteration, "timeUnitSI")
    if time is None or unit is None:
        return float("nan")
    offset = number_of(attribute(record, "timeOffset")) or 0.0
    return (float(time) + float(offset)) * float(unit)
