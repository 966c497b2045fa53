"""Reductions over groups of frames: those of one delay, one energy, one kind of shot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.kernels._protocol import Array, Frames, Output, Reduction, State
from nearfield.reductions.kernels.counting import Count
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.sums import Sum


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
        """One group for each value that occurs; NaN is in none."""
        given = np.asarray(values)
        there = ~np.isnan(given) if given.dtype.kind == "f" else np.ones(given.shape, bool)
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
        right. A value outside is in no group.

        Raises:
            UsageError: the edges do not grow.
        """
        edges, values = np.asarray(edges, "f8"), np.asarray(values, "f8")
        if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
            raise UsageError(f"bins of {dim!r}: the edges must grow, and be two at least")
        label = np.searchsorted(edges, values, side="right") - 1
        label[values == edges[-1]] = edges.size - 2
        label[(label >= edges.size - 1) | np.isnan(values)] = -1
        return cls(dim, label, (edges[1:] + edges[:-1]) / 2, edges, attrs or {})


@dataclass(frozen=True, eq=False)
class Grouped:
    """A reduction for each group of frames; a group without frames gives NaN, or 0 for a sum.

    A partial begins with its groups, ``(2, groups)``: their numbers, rising, and how many arrays
    each has (a joined partial may have fewer than a fresh one); the arrays of each group follow.
    Only groups that occur among a task's frames are in its partial.
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
            made[label] = Output(
                (dim, *told.dims),
                (len(groups.values), *told.shape),
                self._dtype(told),
                told.attrs,
                {**told.coords, **coords},
            )
        return made

    def start(self, frames: Frames, first: int, count: int) -> State:
        held = np.unique(self.groups.label[first : first + count])
        held = held[held >= 0]
        return _state({int(number): self.each.start(frames, first, count) for number in held})

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        label = self.groups.label[first : first + len(block)]
        parts = dict(self._parts(state))
        edges = np.flatnonzero(np.diff(label)) + 1
        for low, high in zip([0, *edges], [*edges, len(block)], strict=True):
            if label[low] >= 0:
                self.each.add(parts[int(label[low])], block[low:high], first + low, at + low)

    def join(self, left: State, right: State) -> State:
        mine, others = dict(self._parts(left)), dict(self._parts(right))
        for number, part in others.items():
            mine[number] = self.each.join(mine[number], part) if number in mine else part
        return _state(dict(sorted(mine.items())))

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        parts = dict(self._parts(state))
        # Each in the result's own type: numpy would join 64-bit integers of two kinds as floats.
        nothing = 0 if self._zero else np.nan
        found: dict[str, Array] = {}
        for label, told in self.outputs(name, frames).items():
            found[label] = np.empty(told.shape, told.dtype)
            if len(parts) < len(found[label]):
                found[label][:] = nothing
        for number, part in parts.items():
            for label, array in self.each.finish(name, frames, part).items():
                found[label][number] = array
        return found

    @property
    def _zero(self) -> bool:
        """Is nothing the right result for no frames?"""
        return type(self.each) is Sum or isinstance(self.each, Histogram | Count)

    def _dtype(self, told: Output) -> np.dtype[np.generic]:
        """Of the result: a group without frames has no integer for its least value."""
        all_there = np.unique(self.groups.label[self.groups.label >= 0]).size
        if self._zero or all_there == len(self.groups.values):
            return told.dtype
        return np.result_type(told.dtype, np.float32)

    def _parts(self, state: State) -> list[tuple[int, State]]:
        (numbers, sizes), *arrays = state
        ends = np.cumsum(sizes)
        return [
            (int(number), tuple(arrays[end - size : end]))
            for number, size, end in zip(numbers, sizes, ends, strict=True)
        ]


def _state(parts: Mapping[int, State]) -> State:
    held = np.array([list(parts), [len(part) for part in parts.values()]], "i8")
    return (held.reshape(2, -1), *(array for part in parts.values() for array in part))
