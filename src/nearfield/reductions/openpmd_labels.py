"""What the axes of an openPMD record are called, and where its points lie, in SI units.

From https://github.com/openPMD/openPMD-standard, 1.1.0: "Iterations and Time Series", "Unit
Systems and Dimensionality", "Mesh Based Records". Of an axis the point *i* is at
``(gridGlobalOffset + gridSpacing * (i + position)) * gridUnitSI``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from nearfield.catalogue.metadata.values import number_of, text_of, texts_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, attribute
from nearfield.errors import UsageError
from nearfield.reductions.index import cache, links, openpmd
from nearfield.reductions.index.files import may_be_kept
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Shape, Stack

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


def coordinates(
    labels: tuple[str, ...], first: Array, step: Array, units: str | None, shape: Shape
) -> dict[str, Coordinate]:
    """Of a component, or of one in all iterations of a series.

    An axis that lies elsewhere in each iteration, as in a moving window, has no values of its own;
    ``LABEL_position`` has them for each iteration.

    Args:
        first, step: ``(iterations, axes)``.
    """
    found: dict[str, Coordinate] = {}
    for axis, label in enumerate(labels):
        attrs: dict[str, object] = {"units": units} if units else {}
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
    stack: Stack, sources: Sources, files: list[str], name: str, plain: tuple[str, ...]
) -> Named:
    """Of a stack whose frames are iterations: their numbers, times in seconds, and the grid.

    What the iterations say is kept beside the stack's index, and read again when a file changes.
    """
    rank = len(stack.frame_shape)
    stamps = np.array([(f.inode, f.size, f.mtime_ns, f.ctime_ns) for f in stack.files], "u8")
    entry = cache.key_of("openPMD series", files[0], name, rank)
    kept = cache.load_arrays(entry)
    if kept is None or not np.array_equal(kept.get("stamps", ()), stamps):
        kept = {**_read(sources, files, name, rank), "stamps": stamps}
        if not stack.partial and all(may_be_kept(file) for file in stack.files):
            cache.save_arrays(entry, kept)
    label, units, *labels = kept["texts"].tolist()
    numbers, times = kept["numbers"], kept["times"]
    if plain[0] != "frame" or len(numbers) != stack.shape[0]:
        return Named(label, plain, {})
    coords: dict[str, Coordinate] = {ITERATION: ((ITERATION,), numbers, {})}
    if not np.isnan(times).any():
        coords["time"] = (ITERATION,), times, {"units": "s"}
    if not labels or "time" in labels:
        return Named(label, (ITERATION, *plain[1:]), coords)
    axes = tuple(labels)
    found = coordinates(axes, kept["first"], kept["step"], units or None, stack.frame_shape)
    return Named(label, (ITERATION, *axes), {**coords, **found})


def _read(sources: Sources, files: list[str], name: str, rank: int) -> dict[str, Array]:
    """Of all iterations; without names of axes where they do not all have the same ones."""
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
        grids.append(grid_of(record, component, rank))
    there = [grid for grid in grids if grid is not None]
    alike = len({(grid.labels, grid.units) for grid in there}) == 1 and len(there) == len(grids)
    axes = (there[0].units or "", *there[0].labels) if alike else ("",)
    return {
        "texts": np.array([label, *axes]),
        "numbers": np.array(numbers),
        "times": np.array(times),
        "first": np.array([grid.first for grid in there]),
        "step": np.array([grid.step for grid in there]),
    }


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
    found = coordinates(grid.labels, grid.first[None], grid.step[None], grid.units, shape)
    return Named(label, grid.labels, found)


def _label(path: str, scalar: bool) -> str:
    return "_".join(path.strip("/").split("/")[-1 if scalar else -2 :]) or "data"


def _time(iteration: Any, record: Any) -> float:
    time, unit = attribute(iteration, "time"), attribute(iteration, "timeUnitSI")
    if time is None or unit is None:
        return float("nan")
    offset = number_of(attribute(record, "timeOffset")) or 0.0
    return (float(time) + float(offset)) * float(unit)
