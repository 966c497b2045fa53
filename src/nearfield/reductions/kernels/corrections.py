"""What is done to each frame before it is reduced: dark, flat, monitor, bad and saturated pixels.

::

    value = (raw - dark) / flat / monitor[frame]

A pixel that has no value (bad, saturated, marked by the detector as invalid, a flat field of 0, a
monitor of 0) becomes NaN, which every reduction leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Shape

_STRIP = 4096
"""Pixels that are corrected at a time. A loop is done in vectors only where its arrays are seen to
lie apart, and arrays of no elements are taken for as long as the others: so they must be short."""


@jit(error_model="numpy")
def _calculated(frame, made, dark, flat, bad, limit, scale):  # type: ignore[no-untyped-def]
    for i in range(frame.size):
        value = np.float64(frame[i])
        if limit.size:
            value = np.float64(np.nan) if value >= limit[0] else value
        if dark.size:
            value -= dark[i]
        if flat.size:
            value /= flat[i]
        if bad.size:
            value = np.float64(np.nan) if bad[i] else value
        made[i] = value / scale


@jit()
def _left_out(frame, made, marks, negative):  # type: ignore[no-untyped-def]
    """By the raw values, before they were rounded to float64."""
    if negative:
        for i in range(frame.size):
            made[i] = np.nan if frame[i] < 0 else made[i]
    for mark in marks:
        for i in range(frame.size):
            made[i] = np.nan if frame[i] == mark else made[i]


@jit()
def _correct(block, first, dark, flat, bad, limit, monitor, marks, negative, out):  # type: ignore[no-untyped-def]
    """An array of no elements is a correction that was not asked for."""
    for k in range(block.shape[0]):
        scale = monitor[first + k] if monitor.size else 1.0
        for low in range(0, block.shape[1], _STRIP):
            high = low + _STRIP
            frame, made = block[k, low:high], out[k, low:high]
            asked = dark[low:high], flat[low:high], bad[low:high]
            _calculated(frame, made, *asked, limit, scale)
            _left_out(frame, made, marks, negative)


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of a stack's frames; an array without elements is none.

    Attributes:
        dark, flat: ``(pixels,)`` float64, the flat field NaN instead of 0.
        bad: ``(pixels,)`` bool: pixels that are left out.
        limit: ``(1,)``: raw values from here on are saturated.
        monitor: ``(frames,)`` float64, NaN instead of 0.
        marks: Raw values that stand for no value, of the frames' type.
        negative: Do all below 0 stand for none?
    """

    dark: Array
    flat: Array
    bad: Array
    limit: Array
    monitor: Array
    marks: Array
    negative: bool = False

    @classmethod
    def of(
        cls, count: int, shape: Shape, dtype: np.dtype[np.generic], **asked: Any
    ) -> Corrections | None:
        """Of what was asked for: ``dark``, ``flat``, ``bad``, ``saturation``, ``monitor``,
        ``invalid``.

        Args:
            dtype: Of the raw frames.

        Returns:
            ``None`` where nothing was.

        Raises:
            UsageError: one has not the shape of a frame, or, the monitor, one value per frame; or
                no raw value can be the invalid one.
        """
        marks, negative = invalid_marks(asked.pop("invalid", None), dtype)
        if all(value is None for value in asked.values()) and not marks.size and not negative:
            return None
        size = {"dark": shape, "flat": shape, "bad": shape, "monitor": (count,), "saturation": ()}
        made = {}
        for name, wanted in size.items():
            value = asked.get(name)
            given = np.empty(0) if value is None else np.asarray(value)
            if given.dtype.kind not in "biuf":
                raise UsageError(
                    f"{name} holds no numbers",
                    hint="give the values themselves, not the name of a file or a field",
                )
            if name == "saturation" and given.dtype.kind == "b":
                raise UsageError(
                    f"saturation={value!r} is no raw value",
                    hint="e.g. saturation=65_535; invalid=True is the largest of an unsigned type",
                )
            if value is not None and given.shape != wanted:
                what = "the frames" if name == "monitor" else "a frame"
                what = "it is one number" if name == "saturation" else f"{what} {wanted}"
                raise UsageError(f"{name} is {given.shape}, {what}")
            made[name] = np.ascontiguousarray(given).ravel()
        if np.isnan(made["saturation"].astype("f8")).any():
            raise UsageError("saturation is NaN: no value is larger than that")
        bad = made["bad"] != 0
        floats = {n: np.asarray(v, "f8") for n, v in made.items() if n != "bad"}
        flat, monitor = (np.where(floats[n] == 0, np.nan, floats[n]) for n in ("flat", "monitor"))
        return cls(floats["dark"], flat, bad, floats["saturation"], monitor, marks, negative)

    def apply(self, block: Array, first: int, out: Array) -> None:
        """The block's values, corrected, as float64.

        Args:
            block: ``(n, pixels)``.
            first: Its first frame.
            out: ``(n, pixels)`` float64.
        """
        given = self.dark, self.flat, self.bad, self.limit, self.monitor
        _correct(block, first, *given, self.marks, self.negative, out)


def invalid_marks(asked: Any, dtype: np.dtype[np.generic]) -> tuple[Array, bool]:
    """Raw values that stand for no value, and whether all below 0 do.

    Args:
        asked: ``True`` is what detectors write: the largest number of an unsigned type, any
            negative one of a signed type, NaN (which is no value in any case). Or a number, or
            several.
        dtype: Of the raw frames.

    Raises:
        UsageError: these are no numbers, or none that frames of this type can hold.
    """
    if asked is None or isinstance(asked, bool | np.bool_):
        largest = [np.iinfo(dtype.str).max] if asked and dtype.kind == "u" else []
        return np.array(largest, dtype), bool(asked) and dtype.kind == "i"
    given = np.asarray(asked).ravel()
    if given.dtype.kind not in "iuf":
        raise UsageError(
            f"invalid={asked!r} is no number", hint="True, the number that marks it, or several"
        )
    given = given[~np.isnan(given)]
    with np.errstate(all="ignore"):
        marks = given.astype(dtype)
    # Compared as Python's numbers: numpy would compare large integers as rounded floats.
    wrong = [v for v, m in zip(given.tolist(), marks.tolist(), strict=True) if v != m]
    if wrong and dtype.kind != "f":
        raise UsageError(f"invalid={wrong[0]!r}: no pixel can be that, the frames hold {dtype}")
    return marks, False
