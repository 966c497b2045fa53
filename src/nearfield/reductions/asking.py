"""From what a person asks for to a plan, and its result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from nearfield.errors import UnknownNameError, UsageError
from nearfield.reductions import (
    result_accessor,  # noqa: F401 - a result's ``.nearfield`` is there from here on
    threads,
)
from nearfield.reductions.collecting import UNREADABLE
from nearfield.reductions.kernels._protocol import Frames
from nearfield.reductions.kernels.corrections import Corrections
from nearfield.reductions.kernels.grouped import FRAMES_READ, Groups
from nearfield.reductions.kinds import KINDS, USER, made_by, reductions_of
from nearfield.reductions.lazy import Result, as_dataset
from nearfield.reductions.naming import FRAME, Names, default_names, names_of
from nearfield.reductions.packed import tell
from nearfield.reductions.plan import Plan, block_dtype
from nearfield.reductions.provenance import provenance
from nearfield.reductions.stack import Stack
from nearfield.reductions.telling.card import shown_in_ipython
from nearfield.reductions.user_reductions import asked_for

_CORRECTIONS = ("dark", "flat", "bad", "saturation", "monitor", "invalid")
_TAKEN = frozenset(
    {*KINDS, UNREADABLE, FRAMES_READ, "region", "mask", "roi_count", "masks_count", "rebin_count"}
)
"""Names of variables and dimensions that reductions make."""


def reduce_stack(
    stack: Stack,
    *,
    frames: slice | None = None,
    by: Any = None,
    bins: Any = None,
    workers: int | None = None,
    about: Mapping[str, str] | None = None,
    names: Names | None = None,
    errors: str = "raise",
    **asked: Any,
) -> xr.Dataset:
    """The result of :func:`nearfield.reduce` over a stack; raises as that does.

    Args:
        names: Of its axes; those that the file has without it.
        about: Further attributes of the result: the dataset's PID, say.
    """
    if errors not in ("raise", "collect"):
        raise UnknownNameError("way with errors", errors, ("raise", "collect"))
    told = {**asked, "by": by, "bins": bins}
    if errors != "raise":
        told["errors"] = errors
    if written := asked_for(asked.get(USER)):
        told[USER] = written  # with their source
    threads.checked(workers)
    take = taken(frames, stack)
    marked = asked.get("invalid")
    tell(stack.attributes, stack.dtype, marked=marked is not None and marked is not False)
    names = (names or names_of(stack)).without(_TAKEN.union(written))
    if isinstance(by, str):
        names, by = _by_name(by, names)
    asked["monitor"] = _of_taken("monitor", asked.get("monitor"), take, stack)
    if asked.get("azimuthal") is not None:
        from nearfield.reductions.nexus_geometry import with_geometry

        asked["azimuthal"] = with_geometry(asked["azimuthal"], stack)
    corrections = Corrections.of(
        len(take),
        stack.frame_shape,
        block_dtype(stack.dtype),
        **{name: asked.pop(name, None) for name in _CORRECTIONS},
    )
    these = frames_of(stack, names, take)
    if corrections is not None:
        # Divided by a monitor it is no longer in the detector's unit.
        units = None if told.get("monitor") is not None else these.units
        these = dataclasses.replace(these, dtype=np.dtype("f8"), units=units)
    groups = groups_of(by, bins, these.count, take, stack)
    if groups is not None and groups.dim == names.frame:
        names = names.set_apart(groups.dim)
        these = frames_of(stack, names, take, these)
    reductions = reductions_of(these, asked, groups)
    if (free := names.without(made_by(reductions, these))) is not names:
        names, these = free, frames_of(stack, free, take, these)
    plan = Plan(
        stack,
        these,
        reductions,
        corrections,
        None if len(take) == stack.shape[0] else take,
        errors == "collect",
    )
    result = Result(plan, threads.compute, workers)
    coordinates = dict(names.coordinates)
    for name, (dims, values, attrs) in names.of_frames().items():
        coordinates[name] = dims, values[take.start : take.stop : take.step], attrs
    shown_in_ipython()
    return as_dataset(result, coordinates, {**(about or {}), **provenance(plan, told)})


def taken(frames: slice | None, stack: Stack) -> range:
    """The frames that a slice takes.

    Raises:
        UsageError: it is no rising slice, or the stack has no such frames.
    """
    if stack.shape[0] == 0:
        raise UsageError("the stack has no frames", hint="is its file still being written?")
    if frames is None:
        return range(stack.shape[0])
    if not isinstance(frames, slice):
        raise UsageError(
            f"frames={frames!r} is no slice", hint="e.g. frames=slice(0, 100), slice(None, None, 2)"
        )
    try:
        found = range(stack.shape[0])[frames]
    except (TypeError, ValueError) as error:
        raise UsageError(f"frames={frames!r}: {error}") from error
    if found.step < 1:
        raise UsageError(f"frames={frames!r}: frames are taken in their order, forwards")
    if not found:
        raise UsageError(f"frames={frames!r}: none of the stack's {stack.shape[0]} frames")
    return found


def frames_of(
    stack: Stack, names: Names | None = None, take: range | None = None, like: Frames | None = None
) -> Frames:
    """What the kernels are told of a stack, or of the frames ``take`` of it.

    Args:
        like: With the dtype and units of these.
    """
    names, take = names or default_names(stack), taken(None, stack) if take is None else take
    units = stack.attributes.get("units")
    axes = {}
    for name, (dims, values, attrs) in names.coordinates.items():
        if dims == (name,) and np.asarray(values).dtype.kind in "iuf":
            own = values[take.start : take.stop : take.step] if name == names.frame else values
            axes[name] = np.asarray(own, "f8"), attrs
    return Frames(
        len(take),
        stack.frame_shape,
        block_dtype(stack.dtype) if like is None else like.dtype,
        names.pixels,
        names.frame,
        {n: v[take.start : take.stop : take.step] for n, (_, v, _) in names.of_frames().items()},
        (units if isinstance(units, str) else None) if like is None else like.units,
        axes,
    )


def groups_of(by: Any, bins: Any, count: int, take: range, stack: Stack) -> Groups | None:
    """Of ``by=``: an xarray coordinate, ``{name: values}`` or values, one per frame.

    Raises:
        UsageError: it is none of these, or has not one value per frame.
    """
    if by is None:
        if bins is not None:
            raise UsageError("bins= needs by=: which values are put in the bins?")
        return None
    name, attrs = "group", {}
    if isinstance(by, Mapping):
        if len(by) != 1:
            raise UsageError("by= takes one name with its values")
        [(name, by)] = by.items()
    elif isinstance(by, xr.DataArray):
        name, attrs = str(by.name or name), dict(by.attrs)
    values = np.asarray(_of_taken(f"by: {name!r}", by, take, stack))
    if values.shape != (count,):
        raise UsageError(f"by: {name!r} is {values.shape}, the stack has {stack.shape[0]} frames")
    if bins is None:
        return Groups.of_values(name, values, attrs)
    return Groups.of_bins(name, values, np.asarray(bins), attrs)


def _of_taken(what: str, values: Any, take: range, stack: Stack) -> Any:
    """Of one value for each frame of the stack those of the frames that are taken."""
    if values is None or len(take) == stack.shape[0]:
        return values
    given = np.asarray(values)
    if given.shape != stack.shape[:1]:
        raise UsageError(
            f"{what} is {given.shape}, the stack has {stack.shape[0]} frames",
            hint="with frames= too it has a value for each frame of the stack",
        )
    return given[take.start : take.stop : take.step]


def _by_name(by: str, names: Names) -> tuple[Names, xr.DataArray]:
    """The coordinate of that name; the frames get a dimension apart from it."""
    found = names.of_frames()
    if by not in found:
        raise UnknownNameError("coordinate of the frames", by, found)
    _, values, attrs = found[by]
    return names.set_apart(by), xr.DataArray(values, name=by, attrs=dict(attrs), dims=FRAME)
