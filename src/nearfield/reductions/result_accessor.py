"""``result.nearfield``: what a result of ``nearfield.reduce`` costs, its progress, its end."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from nearfield.errors import UsageError, without_package
from nearfield.reductions.cost import Cost, cost_of
from nearfield.reductions.lazy import RESULT, Compute, Result
from nearfield.reductions.telling.pace import Pace
from nearfield.reductions.telling.progress import shown
from nearfield.reductions.threads import checked, cores
from nearfield.reductions.watching import Told


@xr.register_dataset_accessor("nearfield")  # type: ignore[no-untyped-call]
class ReductionAccessor:
    """Of a dataset that ``nearfield.reduce`` gave, or a copy of it."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def cost(self) -> Cost:
        """What computing it takes, in bytes, tasks and about seconds; nothing is read for it.

        Raises:
            UsageError: the dataset is no result of ``nearfield.reduce``.
        """
        result = self._result
        return cost_of(result.plan, result.workers or cores())

    def compute(
        self, progress: bool | Told = True, workers: int | None = None, client: Any = None
    ) -> xr.Dataset:
        """The dataset with its values, all computed in one pass.

        Ctrl-C ends it, and its threads, within a block of frames.

        Args:
            progress: A bar (in a notebook with a button that ends it; a line every ten seconds
                where there is neither a notebook nor a terminal), none, or a function that is
                told how many frames are done, of how many.
            workers: Threads, instead of those that were asked for.
            client: Of a Dask cluster (``distributed.Client``, or ``nearfield.cluster()``), whose
                workers compute it instead of threads. They must see the files at the same paths.
                The result is the same, bit for bit.

        Raises:
            DataFileError: a file cannot be read; names file and frame. Nothing is kept.
            ReductionCancelledError: by :meth:`cancel`, or the cluster was closed.
            BlockedError: the workers, or this process, lack a package.
            UsageError: the dataset is no result of ``nearfield.reduce``, or that is no client.
        """
        result = self._result
        checked(workers)
        if not isinstance(progress, bool) and not callable(progress):
            raise UsageError(f"progress={progress!r}: True, False or a function (done, total)")
        if client is not None and workers is not None:
            raise UsageError("workers= is for threads: with client= the cluster has its own")
        if not result.computed:
            compute = None if client is None else _by_dask(client)
            pace = Pace(result.plan.frames.count, result.plan.stack.frame_bytes)
            with shown(progress, pace) as told:
                result.arrays(told, workers, compute)
            self._dataset.attrs.update(result.attrs)
        return self._dataset.compute()

    def png(self, name: str = "thumbnail", edge: int = 256) -> bytes:
        """A variable of two dimensions as a picture, in colours and contrast of the catalogue's.

        Args:
            name: Of the variable.
            edge: Pixels of the picture's longer side.

        Raises:
            UsageError: there is none of that name, or it has not two dimensions.
            BlockedError: a package is missing.
        """
        try:
            from nearfield.pictures import png
            from nearfield.pictures import shown as picture_of
        except ImportError as error:
            raise without_package(error, "pictures", "reduce") from error
        if name not in self._dataset or self._dataset[name].ndim != 2:
            raise UsageError(
                f"{name!r} is no picture of this result", hint="ask for one with thumbnail=True"
            )
        values = self._dataset[name].values
        return png(picture_of(values, np.isfinite(values), edge))

    def cancel(self) -> bool:
        """End what is being computed of it, from another thread, within a block of frames.

        Whoever computes it, or waits for that, gets a ReductionCancelledError; asked for again it
        begins anew.

        Returns:
            Was anything being computed?
        """
        return self._result.cancel()

    def partial(self) -> xr.Dataset:
        """What there is by now, from another thread or the function that is told of progress.

        Values over the frames are those of the first ``frame_count`` ones (an attribute), and
        what has a value for each frame has only these. ``partial`` is 1 until all are done.

        Raises:
            UsageError: no task is done yet, or the dataset is no result of ``nearfield.reduce``.
        """
        result = self._result
        found = result.so_far()
        if found is None:
            raise UsageError("nothing is computed yet", hint="it runs by compute(), elsewhere")
        count, arrays = found
        there = self._dataset
        if (dim := result.plan.frames.frame_dim) in there.dims:
            there = there.isel({dim: slice(count)})
        made = {n: (v.dims, arrays[n], v.attrs) for n, v in there.variables.items() if n in arrays}
        attrs = dict(there.attrs)
        if count < result.plan.frames.count:
            attrs.update(partial=1, frame_count=count)
        return xr.Dataset(made, there.coords, attrs)

    @property
    def _result(self) -> Result:
        found = self._dataset.encoding.get(RESULT)
        if not isinstance(found, Result):
            raise UsageError(
                "this dataset is not what nearfield.reduce gave",
                hint="ask the dataset that it gave, not what was made of it",
            )
        return found


def _by_dask(client: Any) -> Compute:
    try:
        from nearfield.reductions import by_dask
    except ImportError as error:
        raise without_package(error, "reductions on a cluster", "cluster") from error
    return by_dask.on(client)
