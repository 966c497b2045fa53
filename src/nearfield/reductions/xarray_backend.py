"""``xarray.open_dataset(path, engine="nearfield")``: a stack as plain xarray.

https://docs.xarray.dev/en/stable/internals/how-to-add-new-backend.html describes the interface.
xarray imports this module when it lists its engines: what is heavy is imported when one is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint


class NearfieldBackend(BackendEntrypoint):
    """Opens the array that a file's NeXus structure says to plot, or another one of the file."""

    description = "Detector stacks of NeXus/HDF5 files, read without HDF5's lock (Nearfield)"
    url = "https://nexusformat.org"
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "array",
        "group",
        "frame_ndim",
        "time_of_flight",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        array: str | None = None,
        group: str | None = None,
        frame_ndim: int | None = None,
        time_of_flight: Any = None,
    ) -> xr.Dataset:
        """A dataset with one variable and its coordinates; no frame is read.

        Args:
            filename_or_obj: The file.
            drop_variables: Names that are left out.
            array: The dataset in the file. By default the signal that NeXus says to plot.
            group: An NXdata group; its signal is taken. Or the group that ``array`` is in.
            frame_ndim: How many axes make a frame, as for :func:`open_stack`.
            time_of_flight: Of events: edges of bins, as for :func:`nearfield.reduce`.

        Raises:
            UsageError: no such dataset, or it is no array of numbers.
            DataFileError: a file cannot be read.
        """
        from nearfield.reductions.opened import open_variable

        name = array
        if group is not None:
            name = f"{group.rstrip('/')}/{array}" if array else group
        dropped = {drop_variables} if isinstance(drop_variables, str) else set(drop_variables or ())
        if time_of_flight is not None:
            from nearfield.reductions.events import reduce_events

            counted = reduce_events(filename_or_obj, name, time_of_flight)
            return counted.drop_vars(dropped, errors="ignore")
        return open_variable(filename_or_obj, name, frame_ndim).drop_vars(dropped, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Never: the engine is asked for by name, and h5netcdf keeps its own files."""
        return False
