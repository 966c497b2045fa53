"""Azimuthal integration as people ask for it: a geometry of pyFAI, bins and corrections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from nearfield.errors import BlockedError, DataFileError, UsageError
from nearfield.extras import install_extra
from nearfield.reductions.kernels.azimuthal import Azimuthal
from nearfield.reductions.nexus_geometry import FromFile
from nearfield.reductions.stack import Shape

_UNITS = {
    "q_A^-1": ("q", "1/angstrom", "scattering vector"),
    "q_nm^-1": ("q", "1/nm", "scattering vector"),
    "2th_deg": ("two_theta", "deg", "scattering angle"),
    "2th_rad": ("two_theta", "rad", "scattering angle"),
    "r_mm": ("r", "mm", "distance from the beam"),
}
_SPLITS = ("bbox", "no", "full")
_MOST_BINS = 100_000
"""More than any detector has pixels from its centre to a corner."""
_KEYS = {
    "geometry",
    "bins",
    "unit",
    "split",
    "error",
    "polarization",
    "solid_angle",
    "mask",
    "range",
}


def azimuthal_of(asked: Any, shape: Shape) -> Azimuthal:
    """The matrix for frames of ``shape``.

    Args:
        asked: A geometry, or a mapping with ``geometry`` and any of: ``bins`` (500), ``unit``
            (``"q_A^-1"``, as pyFAI names them), ``split`` (``"bbox"``, ``"no"``, ``"full"``),
            ``error`` (``"poisson"``), ``polarization`` (-1 to 1), ``solid_angle`` (True), ``mask``
            (bad pixels), ``range`` (lowest and highest radial value). A geometry is a pyFAI
            integrator, or the path of a ``.poni`` file; ``with_geometry`` has replaced ``"file"``.

    Raises:
        UsageError: something is not understood, or does not fit the frames.
        DataFileError: the geometry's file cannot be read.
        BlockedError: pyFAI is not installed.
    """
    if not isinstance(asked, Mapping):
        asked = {"geometry": asked}
    if unknown := set(asked) - _KEYS:
        raise UsageError(
            f"azimuthal: {', '.join(sorted(map(str, unknown)))} is not understood",
            hint=f"it takes {', '.join(sorted(_KEYS))}",
        )
    if len(shape) != 2:
        raise UsageError(f"azimuthal: needs images, these frames are {shape}")
    unit = asked.get("unit", "q_A^-1")
    if unit not in _UNITS:
        raise UsageError(f"azimuthal: unknown unit {unit!r}", hint=f"one of {', '.join(_UNITS)}")
    error = asked.get("error")
    if error not in (None, "poisson"):
        raise UsageError(f"azimuthal: error={error!r} is not understood", hint="'poisson' or None")
    _check_corrections(asked)
    bad = asked.get("mask")
    if bad is not None and np.shape(bad) != shape:
        raise UsageError(f"azimuthal: mask is {np.shape(bad)}, a frame {shape}")
    bins, span = _bins(asked.get("bins", 500)), _span(asked.get("range"))
    geometry, about = _geometry(asked.get("geometry"))
    from pyFAI.units import to_unit

    dim, units, words = _UNITS[unit]
    matrix = geometry.setup_sparse_integrator(
        shape,
        bins,
        mask=None if bad is None else np.asarray(bad, "i1"),
        pos0_range=span,
        unit=unit,
        split=asked.get("split", "bbox"),
        algo="CSR",
        scale=True,
    )
    if not len(matrix.data):
        raise UsageError(
            f"azimuthal: no pixel is between {span[0]:g} and {span[1]:g} {units}"
            if span
            else "azimuthal: no pixel is in a bin",
            hint="range= is in the unit of the result; without it all pixels are taken",
        )
    norm = np.ones(shape)
    if asked.get("solid_angle", True):
        norm *= geometry.solidAngleArray(shape)
    if (polarization := asked.get("polarization")) is not None:
        norm *= geometry.polarization(shape, factor=float(polarization))
    return Azimuthal(
        np.asarray(matrix.data, "f8"),
        np.asarray(matrix.indices, "i4"),
        np.asarray(matrix.indptr, "i8"),
        norm.ravel(),
        shape,
        dim,
        # The engine counts in radians, metres and 1/nm.
        np.asarray(matrix.bin_centers, "f8") * to_unit(unit).scale,
        {"units": units, "long_name": words},
        error == "poisson",
        about,
    )


def _check_corrections(asked: Mapping[str, Any]) -> None:
    """pyFAI takes others too, and does something else."""
    if (split := asked.get("split", "bbox")) not in _SPLITS:
        raise UsageError(f"azimuthal: unknown split {split!r}", hint=f"one of {', '.join(_SPLITS)}")
    if not isinstance(solid := asked.get("solid_angle", True), bool | np.bool_):
        raise UsageError(f"azimuthal: solid_angle={solid!r}: it is True or False")
    if (factor := asked.get("polarization")) is None:
        return
    number = isinstance(factor, int | float | np.number) and not isinstance(factor, bool)
    if not number or not -1 <= factor <= 1:
        raise UsageError(f"azimuthal: polarization={factor!r} is no factor from -1 to 1")


def _bins(given: Any) -> int:
    """Told before pyFAI allocates what they need."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise UsageError(f"azimuthal: bins={given!r} is no number of bins", hint="e.g. bins=500")
    if not 1 <= given <= _MOST_BINS:
        raise UsageError(f"azimuthal: bins={given}: it takes 1 to {_MOST_BINS:,}")
    return int(given)


def _span(given: Any) -> tuple[float, float] | None:
    if given is None:
        return None
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low < high:
        raise UsageError(
            f"azimuthal: range={given!r} is not a lower and a higher radial value",
            hint="in the unit of the result, e.g. range=(0.1, 2.5)",
        )
    return low, high


def _geometry(given: Any) -> tuple[Any, str | None]:
    """An integrator, and words on where its numbers are from."""
    try:
        import pyFAI
    except ImportError as error:
        raise BlockedError(
            "azimuthal integration needs pyFAI",
            hint=install_extra("azimuthal"),
        ) from error
    if given is None:
        raise UsageError("azimuthal: no geometry", hint="azimuthal={'geometry': 'detector.poni'}")
    if isinstance(given, str | os.PathLike):
        try:
            return pyFAI.load(os.fspath(given)), os.fspath(given)
        except Exception as error:  # whatever pyFAI's parsers raise
            raise DataFileError(os.fspath(given), f"no geometry of pyFAI: {error}") from error
    if isinstance(given, FromFile):
        return given.integrator, given.about
    if not hasattr(given, "setup_sparse_integrator"):
        raise UsageError(f"azimuthal: {type(given).__name__} is no geometry of pyFAI")
    return given, None
