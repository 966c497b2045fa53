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


@jit()
def _correct(block, first, dark, flat, bad, limit, monitor, marks, negative, out):  # type: ignore[no-untyped-def]
    """An array of no elements is a correction that was not asked for."""
    for k in range(block.shape[0]):
        frame, made = block[k], out[k]
        scale = 1.0
        if monitor.size:
            scale = monitor[first + k]
            if scale == 0:
                scale = np.nan
        for i in range(frame.size):
            value = np.float64(frame[i])
            if limit.size and value >= limit[0]:
                value = np.float64(np.nan)
            if negative and frame[i] < 0:
                value = np.float64(np.nan)
            for mark in marks:  # before it is rounded to float64
                if frame[i] == mark:
                    value = np.float64(np.nan)
            if dark.size:
                value -= dark[i]
            if flat.size:
                value = value / flat[i] if flat[i] != 0 else np.float64(np.nan)
            if bad.size and bad[i]:
                value = np.float64(np.nan)
            made[i] = value / scale


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of a stack's frames; an array without elements is none.

    Attributes:
        dark, flat: ``(pixels,)`` float64.
        bad: ``(pixels,)`` bool: pixels that are left out.
        limit: ``(1,)``: raw values from here on are saturated.
        monitor: ``(frames,)`` float64.
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
            if value is not None and given.shape != wanted:
                what = "the frames" if name == "monitor" else "a frame"
                raise UsageError(f"{name} is {given.shape}, {what} {wanted}")
            if given.dtype.kind not in "biuf":
                raise UsageError(f"{name} holds no numbers")
            made[name] = np.ascontiguousarray(given).ravel()
        bad = made["bad"] != 0
        floats = {n: np.asarray(v, "f8") for n, v in made.items() if n != "bad"}
        saturation, monitor = floats["saturation"], floats["monitor"]
        return cls(floats["dark"], floats["flat"], bad, saturation, monitor, marks, negative)

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
