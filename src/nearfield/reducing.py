"""``nearfield.reduce``: a stack of frames to an xarray dataset, in one pass over its files.

``nearfield.reduction``: what else it is to be reduced to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import nearfield

if TYPE_CHECKING:
    import xarray as xr

    from nearfield.datasets import Dataset
    from nearfield.reductions.user_reductions import UserReduction


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
    rebin: Any = None,
    thumbnail: bool | int = False,
    time_of_flight: Any = None,
    user: Any = None,
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
        histogram: The edges of bins; how many values of all pixels and frames are in each:
            ``(histogram_value,)``.
        rebin: Sums over blocks of pixels, a smaller stack: ``2``, ``(2, 4)``, or by name and along
            the frames too, ``{"y": 2, "x": 4, "frame": 10}``; with ``"mean": True`` their means.
            ``(frame, rebin_y, rebin_x)``, in memory, of at most 2 GB.
        thumbnail: The mean over all frames, of at most so many pixels along its longer side (256
            by ``True``), and ``thumbnail_limits`` for its contrast.
            ``result.nearfield.png()`` gives it as a picture.
        time_of_flight: Of neutron events (NXevent_data): the edges of bins, in the unit of the file
            or with one of their own, ``{"edges": edges, "units": "us"}``. ``counts`` of each pixel
            and bin, and nothing else; ``array`` is the group of events or its NXdetector,
            ``frames`` are pulses.
        user: What :func:`nearfield.reduction` made, one or several, or by the names of the results:
            ``{"com": centre_of_mass}``; or the name of one.
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
        "rebin": rebin, "thumbnail": thumbnail, "user": user,
        "dark": dark, "flat": flat, "bad": bad, "saturation": saturation, "monitor": monitor,
        "invalid": invalid,
    }  # fmt: skip
    if time_of_flight is not None:
        from nearfield.reductions.events import reduce_events
        from nearfield.reductions.source import file_of

        others = {
            **asked, "by": by, "bins": bins, "frame_ndim": frame_ndim,
            "errors": None if errors == "raise" else errors,
        }  # fmt: skip
        path, about = file_of(source, _local)
        return reduce_events(
            path, array, time_of_flight, pulses=frames, workers=workers, others=others, about=about
        )
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


def reduction(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    start: Callable[[tuple[int, ...]], Any] | None = None,
    merge: Literal["add", "min", "max"] | Callable[[Any, Any], Any] | None = None,
    finish: Callable[[Any], Any] | None = None,
    dims: str | Sequence[str] | Mapping[str, Any] | None = None,
    units: str | None = None,
    native: bool = False,
    boundscheck: bool = True,
) -> Any:
    """Makes a reduction of a function of one frame, for ``nearfield.reduce(…, user=…)``.

    ::

        @nearfield.reduction
        def brightest(frame):
            return frame.max()

        @nearfield.reduction(start=np.zeros, merge="add")
        def above(frame, state, threshold=100.0):
            state += frame > threshold

    Numba compiles the function; it runs without the GIL, in all threads at once. It gets a frame
    as an array of float64, ``(y, x)``, in which NaN is no value (a bad pixel, say), and which it
    may change. Without ``start`` and ``merge`` it gives a number, a tuple of numbers or an array
    for each frame: ``(frame, …)``. With them it adds the frame to a state: one for each run of
    frames, merged in the order of the frames.

    Further parameters get the value of a coordinate of that name for this frame, or its
    ``number`` among the frames that are reduced, or what ``made.using(threshold=3.5)`` gives, or
    their default. Numbers and arrays from outside the function are taken as they are when
    ``nearfield.reduce`` is called. The result's attribute ``asked`` tells the function's source and
    all these values.

    Args:
        function: Called directly, what is made of it is still this function.
        name: By which it is known; the function's without it.
        start: The state before the first frame, of the shape of a frame: ``np.zeros``, or
            ``lambda shape: np.full(shape, -np.inf)``.
        merge: Of two states the one of all their frames: a ufunc's name, or a function of the left
            and right one that changes the left one or gives a new one; compiled too.
        finish: What is shown of the state of all frames; plain Python.
        dims: The result's dimensions behind ``frame``, or a mapping to their labels:
            ``{"axis": ["y", "x"]}``.
        units: Of the result.
        native: The frames are of the type that they are stored in, where nothing corrects them:
            faster, but differences of unsigned integers are unsigned.
        boundscheck: An index outside of an array is an error. Without it, faster, and what is
            outside is overwritten.

    Returns:
        The reduction, or without a function what takes one.

    Raises:
        UsageError: the arguments do not go together. What Numba does not compile is told by
            ``nearfield.reduce``, which knows the frames' shape, before anything is read.
        BlockedError: a package is missing.
    """
    try:
        from nearfield.reductions.user_reductions import defined
    except ImportError as error:
        from nearfield.errors import without_package

        raise without_package(error, "reductions", "reduce") from error

    def make(written: Callable[..., Any]) -> UserReduction:
        return defined(
            written, name=name, start=start, merge=merge, finish=finish, dims=dims, units=units,
            native=native, boundscheck=boundscheck,
        )  # fmt: skip

    return make if function is None else make(function)


def _local(source: Dataset | str) -> tuple[str, dict[str, str]]:
    """The root file of a dataset or PID on this machine, and what a result says of it."""
    from nearfield.config import load_config
    from nearfield.fetching import local_file

    found = nearfield.dataset(source) if isinstance(source, str) else source
    about = {"dataset_pid": found.pid, "dataset_title": found.title, "dataset_source": found.source}
    return local_file(load_config(), found), {name: word for name, word in about.items() if word}
