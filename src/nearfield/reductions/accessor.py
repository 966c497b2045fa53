"""``da.nearfield``: from a variable of the engine "nearfield" back to the frames behind it."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from typing import Any

import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.in_memory import WRAPPERS, is_in_memory, stack_in_memory
from nearfield.reductions.lazy_frames import SMALL, FramesArray, SmallChunksWarning, advice
from nearfield.reductions.naming import Names, default_names
from nearfield.reductions.selecting import frames_between, region
from nearfield.reductions.stack import Stack

_COMPUTED = "give nearfield.reduce the file, and frames= or corrections with it"


@xr.register_dataarray_accessor("nearfield")  # type: ignore[no-untyped-call]
class FramesAccessor:
    """Of a variable that ``xarray.open_dataset(…, engine="nearfield")`` gave."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    def reduce(self, *, frame_ndim: int | None = None, **asked: Any) -> xr.Dataset:
        """:func:`nearfield.reduce` over the frames behind this variable.

        It may have been cut by slices of step 1, before it was given chunks: ``da[10:200]``,
        ``da.isel(y=slice(100, 200))``. Dask is not used, whatever the chunks: the frames are read
        from the file and reduced in one pass. Of a variable whose values are in memory (somebody
        has looked at ``da.values``) these are reduced.

        Args:
            frame_ndim: Of a variable in memory that was computed with: how many dimensions, the
                last ones, make a frame.

        Raises:
            UsageError: it was computed with, or selected from in another way, and is not in
                memory; or nobody knows which dimensions of it make a frame.
        """
        if is_in_memory(self._array):
            stack = stack_in_memory(self._array, frame_ndim)
            return reduce_stack(stack, names=self._names_in_memory(stack), **asked)
        lazy, key = self._behind()
        if frame_ndim not in (None, len(lazy.stack.frame_shape)):
            raise UsageError(
                f"nearfield.reduce: {self._array.name!r} was opened with frames of "
                f"{len(lazy.stack.frame_shape)} axes",
                hint=f"xarray.open_dataset(…, engine='nearfield', frame_ndim={frame_ndim})",
            )
        spans = [_run(k, n) for k, n in zip(key, lazy.shape, strict=True)]
        if [(0, n) for n in lazy.shape] == spans:
            # Several axes that count frames are one in a result.
            names = self._names() if len(lazy.stack.outer) == 1 else None
            return reduce_stack(lazy.stack, names=names, **asked)
        # From which frames and pixels of the file: the result's own numbers begin at 0 again.
        told = json.dumps(dict(zip(lazy.dims, spans, strict=True)))
        cut = _cut(lazy.stack, spans)
        return reduce_stack(cut, names=self._names(), about={"selected": told}, **asked)

    def _names(self) -> Names:
        """As the variable has them now; it may have been renamed."""
        frame, *pixels = (str(dim) for dim in self._array.dims)
        return Names(
            tuple(pixels),
            frame,
            {
                str(name): ((str(coord.dims[0]),), coord.values, dict(coord.attrs))
                for name, coord in self._array.coords.items()
                if coord.ndim == 1
            },
        )

    def _names_in_memory(self, stack: Stack) -> Names | None:
        if len(stack.outer) == 1:
            return self._names()
        if not stack.outer:  # one frame, which no dimension counts
            return replace(default_names(stack), pixels=tuple(map(str, self._array.dims)))
        return None

    def _behind(self) -> tuple[FramesArray, tuple[Any, ...]]:
        """The array of the engine, and what of it was selected."""
        array = self._array
        data: Any = array.variable._data
        if array.chunks is not None:
            data = _of_dask(data)
        key: tuple[Any, ...] | None = None
        while type(data).__name__ in WRAPPERS:
            if type(data).__name__ == "LazilyIndexedArray":
                key = data.key.tuple
            data = data.array
        if not isinstance(data, FramesArray) or key is None:
            raise UsageError(
                f"nearfield.reduce: {array.name!r} is not, or no longer, what the engine "
                "'nearfield' opened: it was computed with, transposed, or selected from after it "
                "was given chunks",
                hint=_COMPUTED,
            )
        self._warn_of_small_chunks(data.stack)
        return data, key

    def _warn_of_small_chunks(self, stack: Stack) -> None:
        array, cut = self._array, len(stack.outer)
        if array.chunks is None or array.ndim != cut + len(stack.frame_shape):
            return
        frames = math.prod(max(sizes, default=0) for sizes in array.chunks[:cut])
        if frames == 1 < math.prod(array.shape[:cut]) and stack.frame_bytes <= SMALL:
            warnings.warn(
                f"its chunks are single frames: {advice(tuple(map(str, array.dims)), stack)}; "
                "this reduction needs none, whatever else Dask computes is slow with them",
                SmallChunksWarning,
                stacklevel=4,
            )


def _of_dask(data: Any) -> Any:
    """What ``from_array`` put into the graph, if nothing but chunks was changed since."""
    graph = data.__dask_graph__()
    made = {name for name in getattr(graph, "layers", ()) if not name.startswith("rechunk-")}
    # Two: the array itself, "original-NAME", and its chunks, NAME.
    first = next((name for name in made if made == {name, f"original-{name}"}), None)
    found = None if first is None else graph.get(f"original-{first}")
    return getattr(found, "value", found)


def _cut(stack: Stack, spans: list[tuple[int, int]]) -> Stack:
    """The frames and the region that were selected."""
    if len(stack.outer) != 1:
        words = f"it has {len(stack.outer)} axes that count frames"
        raise UsageError(f"nearfield.reduce: only the whole of it can be reduced: {words}")
    inner = spans[1:]
    whole = frames_between(stack, *spans[0])
    return region(whole, tuple(a for a, _ in inner), tuple(b - a for a, b in inner))


def _run(key: Any, length: int) -> tuple[int, int]:
    """First and end of what was selected of an axis."""
    start, stop, step = key.indices(length) if isinstance(key, slice) else (0, 0, 0)
    if step != 1:
        raise UsageError(
            "nearfield.reduce: something else than slices of step 1 was selected",
            hint="reduce before it is selected from: the result is small",
        )
    return start, max(start, stop)
