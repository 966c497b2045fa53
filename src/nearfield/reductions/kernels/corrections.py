"""What is done to each frame before it is reduced: dark, flat, monitor, bad and saturated pixels.

::

    value = (raw - dark) / flat / monitor[frame]

A pixel that has no value (bad, saturated, a flat field of 0, a monitor of 0) becomes NaN, which
every reduction leaves out.
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
def _correct(block, first, dark, flat, bad, limit, monitor, out):  # type: ignore[no-untyped-def]
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
    """

    dark: Array
    flat: Array
    bad: Array
    limit: Array
    monitor: Array

    @classmethod
    def of(cls, count: int, shape: Shape, **asked: Any) -> Corrections | None:
        """Of what was asked for: ``dark``, ``flat``, ``bad``, ``saturation``, ``monitor``.

        Returns:
            ``None`` where nothing was.

        Raises:
            UsageError: one has not the shape of a frame, or, the monitor, one value per frame.
        """
        if all(value is None for value in asked.values()):
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
        return cls(floats["dark"], floats["flat"], bad, floats["saturation"], floats["monitor"])

    def apply(self, block: Array, first: int, out: Array) -> None:
        """The block's values, corrected, as float64.

        Args:
            block: ``(n, pixels)``.
            first: Its first frame.
            out: ``(n, pixels)`` float64.
        """
        _correct(block, first, self.dark, self.flat, self.bad, self.limit, self.monitor, out)
