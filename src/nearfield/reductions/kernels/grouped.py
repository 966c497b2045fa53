"""Reductions over groups of frames: those of one delay, one energy, one kind of shot."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.kernels._protocol import (
    Array,
    Frames,
    Output,
    Reduction,
    State,
    no_value,
)
from nearfield.reductions.kernels.counting import Count
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.sums import Sum

FRAMES_READ = "frames_read"
"""The variable that counts the frames of each group."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each frame is in.

    Attributes:
        dim: The result's dimension that counts the groups.
        label: ``(frames,)``: the group's number, -1 for a frame in none.
        values: ``(groups,)``: the coordinate of each group: its value, or the middle of its bin.
        edges: ``(groups + 1,)`` of the bins; ``None`` where groups are single values.
        attrs: Of the coordinate.
    """

    dim: str
    label: Array
    values: Array
    edges: Array | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_values(cls, dim: str, values: Array, attrs: Mapping[str, Any] | None = None) -> Groups:
        """One group for each value that occurs; NaN and NaT are in none."""
        given = np.asarray(values)
        there = np.ones(given.shape, bool)
        if given.dtype.kind in "fcmM":
            there = ~(np.isnat(given) if given.dtype.kind in "mM" else np.isnan(given))
        each, inverse = np.unique(given[there], return_inverse=True)
        label = np.full(given.shape, -1, "i8")
        label[there] = inverse
        return cls(dim, label, each, None, attrs or {})

    @classmethod
    def of_bins(
        cls, dim: str, values: Array, edges: Array, attrs: Mapping[str, Any] | None = None
    ) -> Groups:
        """Bins ``edges[i] <= value < edges[i + 1]``, the last with its upper edge.

        As ``numpy.histogram``; note that ``xarray.Dataset.groupby_bins`` closes its bins at the
        right. A value outside is in no group. Integers, and times, are compared as such if the
        edges are, too: numbers of pulses and nanoseconds are larger than float64 holds.

        Raises:
            UsageError: the edges do not grow, or are no times and the values are.
        """
        kind = _comparable(np.asarray(values).dtype, np.asarray(edges).dtype, dim)
        edges, values = _as(kind, np.asarray(edges), dim), _as(kind, np.asarray(values), dim)
        if edges.ndim != 1 or edges.size < 2 or not (edges[1:] > edges[:-1]).all():
            raise UsageError(f"bins of {dim!r}: the edges must grow, and be two at least")
        label = np.searchsorted(edges, values, side="right") - 1
        label[values == edges[-1]] = edges.size - 2
        label[(label >= edges.size - 1) | (values != values)] = -1  # NaN and NaT
        if kind.kind in "iu" and (edges.astype("f8").astype(object) == edges.astype(object)).all():
            edges = edges.astype("f8")
        if kind == np.longdouble:
            edges = edges.astype("f8")
        middle = edges[:-1] + (edges[1:] - edges[:-1]) / 2
        return cls(dim, label, middle, edges, attrs or {})


def _comparable(
    values: np.dtype[np.generic], edges: np.dtype[np.generic], dim: str
) -> np.dtype[np.generic]:
    """The type in which both are compared: integers or times if both are, else float64."""
    if (values.kind in "mM" or edges.kind in "mM") and values.kind != edges.kind:
        raise UsageError(f"bins of {dim!r} are {edges}, and its values {values}")
    if values.kind in "iu" and edges.kind in "iu":
        common = np.result_type(values, edges)
        # No integer holds both int64 and uint64; 64 bits behind the point do.
        return common if common.kind in "iu" else np.dtype(np.longdouble)
    try:
        return np.result_type(values, edges) if values.kind in "mM" else np.dtype("f8")
    except TypeError:  # months and days
        raise UsageError(f"bins of {dim!r} are {edges}, and its values {values}") from None


def _as(kind: np.dtype[np.generic], given: Array, dim: str) -> Array:
    """Raises UsageError for times that ``kind`` does not reach: numpy would give other ones."""
    made = np.asarray(given, kind)
    if kind.kind in "mM" and ((made.astype(given.dtype) != given) & ~np.isnat(given)).any():
        raise UsageError(
            f"bins of {dim!r}: some of its times or bins are further away than {kind} holds",
            hint="nanoseconds reach from 1678 to 2262; give coarser ones",
        )
    return made


@dataclass(frozen=True, eq=False)
class Grouped:
    """A reduction for each group of frames, and of how many frames each is (:data:`FRAMES_READ`).

    A group without frames is 0 for a sum or counts, else it has no value: NaN, or ``missing_value``
    where floats do not hold the data's integers. A group whose frames all could not be read never
    has a value.

    A partial begins with its groups, ``(3, groups)``: their numbers, rising, how many arrays each
    has (a joined partial may have fewer than a fresh one), and how many frames it was given; the
    arrays of each group follow. Only groups that occur among a task's frames are in its partial.
    """

    each: Reduction
    groups: Groups

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        if self.groups.label.shape != (frames.count,):
            raise UsageError(
                f"{name}: {self.groups.dim!r} has {self.groups.label.size} values, "
                f"the stack {frames.count} frames"
            )
        groups, dim = self.groups, self.groups.dim
        coords: dict[str, Any] = {dim: ((dim,), groups.values, groups.attrs)}
        if groups.edges is not None:
            coords[f"{dim}_low"] = ((dim,), groups.edges[:-1], groups.attrs)
            coords[f"{dim}_high"] = ((dim,), groups.edges[1:], groups.attrs)
        made = {}
        for label, told in self.each.outputs(name, frames).items():
            if frames.frame_dim in told.dims:
                raise UsageError(
                    f"{name}: has a value for each frame, so frames cannot be grouped",
                    hint="leave it out, or ask for it without by=",
                )
            kind = self._dtype(told)
            made[label] = Output(
                (dim, *told.dims),
                (len(groups.values), *told.shape),
                kind,
                self._attrs(told.attrs, kind),
                {**told.coords, **coords},
            )
        words = {"long_name": "frames that were read, of each group", "units": "1"}
        count = Output((dim,), groups.values.shape, np.dtype("i8"), words, coords)
        return {**made, FRAMES_READ: count}

    def start(self, frames: Frames, first: int, count: int) -> State:
        held = np.unique(self.groups.label[first : first + count])
        held = held[held >= 0]
        return _state({int(number): self.each.start(frames, first, count) for number in held})

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        label = self.groups.label[first : first + len(block)]
        parts, places = dict(self._parts(state)), {n: i for i, n in enumerate(state[0][0].tolist())}
        edges = np.flatnonzero(np.diff(label)) + 1
        for low, high in zip([0, *edges], [*edges, len(block)], strict=True):
            if label[low] >= 0:
                number = int(label[low])
                self.each.add(parts[number], block[low:high], first + low, at + low)
                state[0][2, places[number]] += high - low

    def join(self, left: State, right: State) -> State:
        mine, others = dict(self._parts(left)), dict(self._parts(right))
        for number, part in others.items():
            mine[number] = self.each.join(mine[number], part) if number in mine else part
        read = _counts(left)
        for number, count in _counts(right).items():
            read[number] = read.get(number, 0) + count
        return _state(dict(sorted(mine.items())), read)

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        parts, read = dict(self._parts(state)), _counts(state)
        # Each in the result's own type: numpy would join 64-bit integers of two kinds as floats.
        found: dict[str, Array] = {}
        for label, told in self.outputs(name, frames).items():
            nothing = 0 if self._zero or label == FRAMES_READ else no_value(told.dtype)
            found[label] = np.full(told.shape, nothing, told.dtype)
        for number, part in parts.items():
            made = self.each.finish(name, frames, part) if read[number] else {}
            for label, array in found.items():
                if label == FRAMES_READ:
                    array[number] = read[number]
                else:
                    array[number] = made.get(label, no_value(array.dtype))
        return found

    @property
    def _zero(self) -> bool:
        """Is nothing the right result for no frames?"""
        return type(self.each) is Sum or isinstance(self.each, Histogram | Count)

    @functools.cached_property
    def _empty(self) -> bool:
        """Is there a group without frames?"""
        there = np.unique(self.groups.label[self.groups.label >= 0]).size
        return there < len(self.groups.values)

    def _dtype(self, told: Output) -> np.dtype[np.generic]:
        """Of the result: a float for the least value of no frames, if floats hold all the others.

        xarray would take float64 for integers of 64 bits too, and round them.
        """
        if self._zero or not self._empty or told.dtype.itemsize == 8:
            return told.dtype
        return np.result_type(told.dtype, np.float32)

    def _attrs(self, attrs: Mapping[str, Any], kind: np.dtype[np.generic]) -> Mapping[str, Any]:
        if self._zero or not self._empty or kind.kind == "f":
            return attrs
        return {**attrs, "missing_value": no_value(kind)}

    def _parts(self, state: State) -> list[tuple[int, State]]:
        (numbers, sizes, _), *arrays = state
        ends = np.cumsum(sizes)
        return [
            (int(number), tuple(arrays[end - size : end]))
            for number, size, end in zip(numbers, sizes, ends, strict=True)
        ]


def _counts(state: State) -> dict[int, int]:
    """How many frames each group of a partial was given."""
    return dict(zip(state[0][0].tolist(), state[0][2].tolist(), strict=True))


def _state(parts: Mapping[int, State], read: Mapping[int, int] | None = None) -> State:
    told = [0 if read is None else read[number] for number in parts]
    held = np.array([list(parts), [len(part) for part in parts.values()], told], "i8")
    return (held.reshape(3, -1), *(array for part in parts.values() for array in part))
