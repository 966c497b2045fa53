"""Stacks of detector frames as a scattering beamline writes them, the same for every run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SHAPE = (512, 512)
NAME = "entry/data/data"
CENTRE = (255.3, 260.1)
PIXEL = 75e-6
"""Size of a pixel in m."""
ROI = (slice(200, 300), slice(210, 310))
RINGS = ((0, 15), (50, 70), (130, 150), (180, 240))
"""Radii of the four masks, in pixels."""
DISTINCT = 125
"""Frames that differ; a stack repeats them, so that it is made in seconds."""
WHOLE = 112
"""As many of them as fill tiles."""
STORAGE: Mapping[str, Mapping[str, Any]] = {
    "bslz4": dict(hdf5plugin.Bitshuffle(nelems=0, cname="lz4")),
    "gzip": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
    "contiguous": {},
    "tiles": {**hdf5plugin.Bitshuffle(nelems=0, cname="lz4"), "chunks": (16, 128, 128)},
}


def radius() -> Array:
    """Of each pixel, in pixels."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    found: Array = np.hypot(y - CENTRE[0], x - CENTRE[1])
    return found


def masks() -> dict[str, Array]:
    r = radius()
    return {f"ring{n}": (r >= low) & (r < high) for n, (low, high) in enumerate(RINGS)}


def scattering(count: int = DISTINCT) -> Array:
    """Counts of photons: a beam, its halo, five rings of which the strength changes."""
    r, rng = radius(), np.random.default_rng(0)
    mean = 0.6 * np.exp(-r / 180) + 600 * np.exp(-((r / 9) ** 2))
    for at, height in ((60, 6), (95, 3), (140, 4), (190, 1.5), (230, 2)):
        mean += height * np.exp(-(((r - at) / 2.5) ** 2))
    made = [rng.poisson(mean * (1 + 0.3 * np.sin(k))) for k in range(count)]
    return np.array(made, "u2")


def write(path: Path, frames: Array, count: int, storage: str) -> None:
    """``count`` frames, one to a chunk or in tiles of several: ``frames`` again and again."""
    options = dict(STORAGE[storage])
    if storage not in ("contiguous", "tiles"):
        options["chunks"] = (1, *SHAPE)
    with h5py.File(path, "w", libver="latest") as file:
        made = file.create_dataset(NAME, (count, *SHAPE), frames.dtype, **options)
        if storage in ("contiguous", "tiles"):
            for first in range(0, count, WHOLE):
                made[first : first + WHOLE] = frames[:WHOLE][: count - first]
            return
        # Each is compressed once, with the filters of this very dataset.
        made[: len(frames)] = frames
        file.flush()
        stored = [made.id.read_direct_chunk((n, 0, 0))[1] for n in range(min(len(frames), count))]
        for n in range(len(stored), count):
            made.id.write_direct_chunk((n, 0, 0), stored[n % len(stored)])
