"""What of an array only the zarr library knows."""

from __future__ import annotations

from typing import Any

import numpy as np

from nearfield.errors import BlockedError, DataFileError, UsageError
from nearfield.extras import install_extra
from nearfield.reductions.stack import Shape


def opened(folder: str) -> Any:
    """An array of the library.

    Raises:
        BlockedError: it is not installed.
        DataFileError: it cannot open the array either.
    """
    try:
        import zarr
    except ImportError as error:
        raise BlockedError(
            f"{folder!r} is stored in a way that only the zarr library reads",
            hint=install_extra("zarr"),
        ) from error
    try:
        return zarr.open_array(folder, mode="r")
    except Exception as error:  # it raises a dozen kinds on what it does not know
        raise DataFileError(folder, f"the zarr library cannot open it: {error}") from error


def described(folder: str) -> tuple[Shape, np.dtype[np.generic]]:
    """Shape and type, in this machine's byte order. Raises as ``opened`` does."""
    found = opened(folder)
    kind = found.dtype
    if not isinstance(kind, np.dtype):
        raise UsageError(f"{folder!r}: its values are {kind}, no plain numbers")
    return tuple(int(n) for n in found.shape), kind.newbyteorder("=")
