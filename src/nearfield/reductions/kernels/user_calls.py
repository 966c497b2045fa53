"""How a person's function is called frame by frame, compiled into the loop over a block.

The function gets a frame and further values: the same for all frames, or, of a tuple of one array,
the one of this frame. What it gives for a frame is put into a row. ``done`` says at which frame it
is, for the case that it fails.
"""

from __future__ import annotations

from typing import Any

import numba
from numba import types
from numba.extending import overload


def compiled(function: Any, *, checked: bool) -> Any:
    """As Numba compiles it: without the GIL, ``0 / 0`` is NaN; ``checked``: indices too."""
    return numba.njit(nogil=True, error_model="numpy", boundscheck=checked)(function)


def _values(items, k):  # type: ignore[no-untyped-def]
    """The further values of frame ``k``; what Numba compiles is below."""


values: Any = _values


@overload(_values)
def _values_compiled(items, k):  # type: ignore[no-untyped-def]
    if len(items) == 0:
        return lambda items, k: ()
    if isinstance(items[0], types.BaseTuple):
        return lambda items, k: (items[0][0][k],) + values(items[1:], k)  # noqa: RUF005
    return lambda items, k: (items[0],) + values(items[1:], k)  # noqa: RUF005


def _put(rows, row, found):  # type: ignore[no-untyped-def]
    """A number, a tuple of numbers or an array into a row."""


def _put_each(rows, row, at, found):  # type: ignore[no-untyped-def]
    """The numbers of a tuple from its place ``at`` on."""


put: Any = _put
put_each: Any = _put_each


@overload(_put)
def _put_compiled(rows, row, found):  # type: ignore[no-untyped-def]
    if isinstance(found, types.BaseTuple):
        return lambda rows, row, found: put_each(rows, row, 0, found)
    if isinstance(found, types.Array):

        def put_array(rows, row, found):  # type: ignore[no-untyped-def]
            if rows[row].shape != found.shape:
                raise ValueError("it gave arrays of several shapes")
            rows[row] = found

        return put_array

    def put_number(rows, row, found):  # type: ignore[no-untyped-def]
        rows[row, 0] = found

    return put_number


@overload(_put_each)
def _put_each_compiled(rows, row, at, found):  # type: ignore[no-untyped-def]
    if len(found) == 0:
        return lambda rows, row, at, found: None

    def put_first(rows, row, at, found):  # type: ignore[no-untyped-def]
        rows[row, at] = found[0]
        put_each(rows, row, at + 1, found[1:])

    return put_first


@numba.njit(nogil=True)
def each_frame(function, frames, rows, at, first, items, done):  # type: ignore[no-untyped-def]
    """A row for each of ``(n, *frame)``, from row ``at`` on."""
    for k in range(frames.shape[0]):
        done[0] = k
        put(rows, at + k, function(frames[k], *values(items, first + k)))


@numba.njit(nogil=True)
def all_frames(function, frames, state, first, items, done):  # type: ignore[no-untyped-def]
    """All of them into one state."""
    for k in range(frames.shape[0]):
        done[0] = k
        function(frames[k], state, *values(items, first + k))
