"""``result.nearfield``: what a result of ``nearfield.reduce`` costs, its progress, its end."""

from __future__ import annotations

import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions.cost import Cost, cost_of
from nearfield.reductions.lazy import RESULT, Result
from nearfield.reductions.threads import cores
from nearfield.reductions.watching import Told, shown


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

    def compute(self, progress: bool | Told = True, workers: int | None = None) -> xr.Dataset:
        """The dataset with its values, all computed in one pass.

        Ctrl-C ends it, and its threads, within a block of frames.

        Args:
            progress: A bar (in a notebook a widget), none, or a function that is told how many
                frames are done, of how many.
            workers: Threads, instead of those that were asked for.

        Raises:
            DataFileError: a file cannot be read; names file and frame. Nothing is kept.
            ReductionCancelledError: by :meth:`cancel`.
            UsageError: the dataset is no result of ``nearfield.reduce``.
        """
        result = self._result
        if not result.computed:
            with shown(progress, result.plan.frames.count) as told:
                result.arrays(told, workers)
            self._dataset.attrs.update(result.attrs)
        return self._dataset.compute()

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
                "this dataset is not what nearfield.reduce gave, but made of it",
                hint="ask the dataset that it gave",
            )
        return found
