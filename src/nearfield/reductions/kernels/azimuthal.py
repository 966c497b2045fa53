"""Azimuthal integration of each frame: intensity over the scattering vector or the angle.

pyFAI makes the matrix once, from geometry, pixel splitting and corrections; here it is applied to
each frame in float64 while the frame is in cache (pyFAI's own loops take the time to prepare each
frame anew). With ``c`` the share of a pixel in a bin and ``n`` the pixel's normalisation (solid
angle, polarisation)::

    intensity = sum(c * value) / sum(c * n)        over the pixels that have a value
    sigma     = sqrt(sum(c**2 * variance)) / sum(c * n)

As in pyFAI's ``integrate1d_ng`` (Kieffer et al., *J. Synchrotron Rad.* 32, 2025); its Poisson
model takes a variance of at least 1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State
from nearfield.reductions.stack import Shape


@jit()
def _integrate(block, at, share, pixel, of, bottom, intensity):  # type: ignore[no-untyped-def]
    """Frames in which every pixel has a value: what is divided by is the same for all."""
    for k in range(block.shape[0]):
        frame = block[k]
        for b in range(of.size - 1):
            total = 0.0
            for j in range(of[b], of[b + 1]):
                total += share[j] * frame[pixel[j]]
            intensity[at + k, b] = total / bottom[b] if bottom[b] != 0 else np.nan


@jit()
def _integrate_valid(block, at, share, pixel, of, norm, poisson, intensity, sigma):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for b in range(of.size - 1):
            total, bottom, spread = 0.0, 0.0, 0.0
            for j in range(of[b], of[b + 1]):
                value = np.float64(frame[pixel[j]])
                if value == value:
                    total += share[j] * value
                    bottom += share[j] * norm[pixel[j]]
                    if poisson:
                        spread += share[j] * share[j] * max(1.0, value)
            intensity[at + k, b] = total / bottom if bottom != 0 else np.nan
            if poisson:
                sigma[at + k, b] = np.sqrt(spread) / bottom if bottom != 0 else np.nan


@dataclass(frozen=True, eq=False)
class Azimuthal:
    """Intensity of each frame over some bins, by a sparse matrix.

    Attributes:
        share: ``(n,)`` float64: the share of a pixel in a bin.
        pixel: ``(n,)``: which pixel, in the flat frame; of one bin after the other.
        of: ``(bins + 1,)``: bin *b* has ``of[b]:of[b + 1]``.
        norm: ``(pixels,)`` float64: solid angle, polarisation, ….
        shape: Of a frame.
        dim: Name of the result's dimension: ``q``, ``two_theta``, ``r``.
        radial: ``(bins,)``: middles of the bins.
        attrs: Of the radial coordinate: its units.
        poisson: Propagate the error of counting.
        about: Words on the geometry, for the result.
    """

    share: Array
    pixel: Array
    of: Array
    norm: Array
    shape: Shape
    dim: str
    radial: Array
    attrs: Mapping[str, Any] = field(default_factory=dict)
    poisson: bool = False
    about: str | None = None

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        if self.shape != frames.shape:
            raise UsageError(f"{name}: made for frames of {self.shape}, these are {frames.shape}")
        coords: dict[str, Any] = {self.dim: ((self.dim,), self.radial, self.attrs)}
        dims, shape = (frames.frame_dim, self.dim), (frames.count, len(self.radial))
        told = {
            "long_name": "intensity",
            **({} if self.about is None else {"geometry": self.about}),
        }
        made = {name: Output(dims, shape, np.dtype("f8"), told, coords)}
        if self.poisson:
            words = {"long_name": "standard uncertainty of the intensity"}
            made[f"{name}_sigma"] = Output(dims, shape, np.dtype("f8"), words, coords)
        return made

    def start(self, frames: Frames, first: int, count: int) -> State:
        shape = (count, len(self.radial))
        sigma = np.empty(shape if self.poisson else (0, shape[1]))
        return np.empty(shape), sigma

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        matrix = self.share, self.pixel, self.of
        if self.poisson or block.dtype.kind == "f":
            _integrate_valid(block, at, *matrix, self.norm, self.poisson, *state)
        else:
            _integrate(block, at, *matrix, self._bottom, state[0])

    @functools.cached_property
    def _bottom(self) -> Array:
        """What a frame is divided by in which every pixel has a value."""
        bins = np.repeat(np.arange(len(self.radial)), np.diff(self.of))
        return np.bincount(bins, self.share * self.norm[self.pixel], len(self.radial))

    def join(self, left: State, right: State) -> State:
        return tuple(np.concatenate(both) for both in zip(left, right, strict=True))

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        found = {name: state[0]}
        if self.poisson:
            found[f"{name}_sigma"] = state[1]
        return found
