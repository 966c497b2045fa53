"""``nearfield.reduce``: a stack of frames to an xarray dataset, in one pass over its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import nearfield

if TYPE_CHECKING:
    import xarray as xr

    from nearfield.datasets import Dataset


def reduce(
    source: Any,
    *,
    array: str | None = None,
    frame_ndim: int | None = None,
    frames: slice | None = None,
    sum: bool = False,  # noqa: A002  # as numpy and xarray call them
    mean: bool = False,
    var: bool | Mapping[str, int] = False,
    std: bool | Mapping[str, int] = False,
    min: bool = False,  # noqa: A002
    max: bool = False,  # noqa: A002
    count: bool = False,
    roi: Any = None,
    masks: Any = None,
    azimuthal: Any = None,
    histogram: Any = None,
    by: Any = None,
    bins: Any = None,
    dark: Any = None,
    flat: Any = None,
    bad: Any = None,
    saturation: float | None = None,
    invalid: bool | float | Sequence[float] = False,
    monitor: Any = None,
    workers: int | None = None,
    errors: Literal["raise", "collect"] = "raise",
) -> xr.Dataset:
    """A stack of frames reduced to what you ask for, in one pass over its files.

    Nothing is read before somebody looks at a value; then all that was asked for is computed at
    once. ``result.nearfield.cost`` tells what that will take, ``result.nearfield.compute()`` does
    it with a bar of progress, ``result.nearfield.cancel()`` ends it from another thread,
    ``result.nearfield.partial()`` gives what there is by now.

    Dimensions, coordinates and units are those that the file's NXdata names, else ``frame``,
    ``y``, ``x``. NaN is no value, and left out. Sums of integers are exact.

    Args:
        source: A dataset of :func:`dataset` (its root file), a PID, the path of a file, or an open
            ``h5py.Dataset``. A text is a path where there is such a file, or where it looks like
            one.
        array: The dataset in the file; the signal that NeXus says to plot without it.
        frame_ndim: How many of its axes, the last ones, make a frame: 1 for spectra, 2 for images
            (then an array of two axes is one frame), 3 for modules. Without it what NeXus says
            (``interpretation``; an NXdata's ``axes``), or else 2, and of an array of two axes 1.
        frames: Which frames, as a slice that rises: ``slice(0, 1000)``.
        sum, mean, min, max: Over the frames, pixel by pixel: shape of a frame, in the signal's
            units.
        count: How many values each pixel has; those of regions and binary masks in each frame too,
            as ``roi_count`` and ``masks_count``.
        var, std: The same; ``{"ddof": 1}`` divides by one less than the number of values.
        roi: A region, ``(slice(200, 300), slice(210, 310))`` or ``{"x": slice(210, 310)}``, or
            several by name. The sum over each of each frame: ``(frame,)``, ``(frame, region)``.
        masks: Arrays as large as a frame, by name or ``(masks, *frame)``: of ones and zeros, or of
            weights. The weighted sum of each frame: ``(frame, mask)``.
        azimuthal: The path of a ``.poni`` file, an integrator of pyFAI, ``"file"`` (what stands in
            the NeXus file), or a mapping with ``geometry``, ``bins``, …: ``(frame, q)``.
        histogram: The edges of bins of values; counts for each pixel.
        by: Groups of frames: the name of a coordinate of the frames (``"energy"``), an xarray
            coordinate, or ``{name: values}``. What is over the frames is made for each group.
        bins: Edges of bins for the values of ``by``: ``low <= value < high``, the last closed.
        dark, flat: Subtracted from each frame, and divided by; as large as a frame.
        bad: Pixels to leave out, where it is not 0; as large as a frame.
        saturation: Raw values from here on are left out.
        invalid: Leave out the raw values by which a detector says that a pixel has none: ``True``
            is the largest number of an unsigned type, and any negative one of a signed type; or
            the number, or several: ``invalid=[-1, -2]``.
        monitor: Each frame is divided by its value, one for each frame of the stack.
        workers: Threads; as many as this process was given cores without it.
        errors: ``"collect"`` goes on without the frames that cannot be read: the variable
            ``unreadable`` is true for them, the attribute ``unreadable_frames`` tells file and
            reason, and what has a value for each frame has NaN there, or ``missing_value`` where
            it holds integers.

    Returns:
        A dataset with a variable of each name; its attributes tell where it comes from: the files,
        the frames, what was asked for, and whether the file was still being written (``partial``).

    Raises:
        UsageError: what was asked for does not fit the stack; nothing was read of it.
        UnknownNameError: ``by`` names no coordinate of the frames.
        DatasetNotFoundError: there is no dataset with that PID.
        DataFileError: a file cannot be read, is on tape, or on no storage of this machine; names
            file and frame. Also when a value is looked at.
        SumOverflowError: when a value is looked at, and a sum of integers does not fit 64 bits.
        ReductionCancelledError: when a value is looked at, and somebody cancels that.
        BlockedError: a package is missing.
    """
    try:
        from nearfield.reductions.asking import reduce_stack
        from nearfield.reductions.source import stack_of
    except ImportError as error:
        from nearfield.errors import without_package

        raise without_package(error, "reductions", "reduce") from error
    asked = {
        "sum": sum, "mean": mean, "var": var, "std": std, "min": min, "max": max,
        "count": count, "roi": roi, "masks": masks, "azimuthal": azimuthal, "histogram": histogram,
        "dark": dark, "flat": flat, "bad": bad, "saturation": saturation, "monitor": monitor,
        "invalid": invalid,
    }  # fmt: skip
    stack, about = stack_of(source, array, _local, frame_ndim)
    return reduce_stack(
        stack,
        frames=frames,
        by=by,
        bins=bins,
        workers=workers,
        about=about,
        errors=errors,
        **asked,
    )


def _local(source: Dataset | str) -> tuple[str, dict[str, str]]:
    """The root file of a dataset or PID on this machine, and what a result says of it."""
    from nearfield.config import load_config
    from nearfield.fetching import local_file

    found = nearfield.dataset(source) if isinstance(source, str) else source
    about = {"dataset_pid": found.pid, "dataset_title": found.title, "dataset_source": found.source}
    return local_file(load_config(), found), {name: word for name, word in about.items() if word}
