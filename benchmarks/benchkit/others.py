"""What other people's software does with a stack: the other side of benchmarks of reductions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import h5py
import numpy as np
import xarray as xr

from benchkit import stacks

DIMS = ("t", "y", "x")
CHUNK = 32


def opened(path: Path) -> xr.DataArray:
    """In chunks of 32 frames, through h5py."""
    data = h5py.File(path)[stacks.NAME]
    return xr.DataArray(da.from_array(data, chunks=(CHUNK, *stacks.SHAPE)), dims=DIMS)


def expert(stack: xr.DataArray) -> tuple[Any, ...]:
    """Masks as one product of matrices, all in one pass."""
    rings = np.array(list(stacks.masks().values()), "f4")
    weights = xr.DataArray(rings, dims=["mask", "y", "x"])
    roi = stack.isel(y=stacks.ROI[0], x=stacks.ROI[1])
    found: tuple[Any, ...] = dask.compute(
        stack.sum("t"), roi.sum(("y", "x")), xr.dot(stack, weights, dim=["y", "x"])
    )
    return found


def plain(stack: xr.DataArray) -> tuple[Any, ...]:
    """``(v * m).sum`` for each mask, in one pass."""
    rings = [xr.DataArray(m.astype("f4"), dims=["y", "x"]) for m in stacks.masks().values()]
    roi = stack.isel(y=stacks.ROI[0], x=stacks.ROI[1])
    found: tuple[Any, ...] = dask.compute(
        stack.sum("t"), roi.sum(("y", "x")), [(stack * m).sum(("y", "x")) for m in rings]
    )
    return found


def geometry() -> Any:
    """Of pyFAI, for the rings of these stacks."""
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    y, x = (at * stacks.PIXEL for at in stacks.CENTRE)
    detector = Detector(stacks.PIXEL, stacks.PIXEL, max_shape=stacks.SHAPE)
    return AzimuthalIntegrator(dist=0.1, poni1=y, poni2=x, detector=detector, wavelength=1e-10)


def pyfai_loop(path: Path, count: int, bins: int) -> Callable[[], Any]:
    """Frame by frame from h5py, with pyFAI's sparse matrix, made once; 32-bit floats as it does."""
    integrator = geometry()
    matrix = integrator.setup_sparse_integrator(
        stacks.SHAPE, bins, unit="q_A^-1", split="bbox", algo="CSR", scale=True
    )
    angles = integrator.solidAngleArray(stacks.SHAPE)
    data = h5py.File(path)[stacks.NAME]
    return lambda: [matrix.integrate_ng(data[n], solidangle=angles) for n in range(count)]
