"""The result of a plan as an xarray dataset that is computed when somebody looks at it.

One pass over the files computes everything that was asked for, so the first variable that is
looked at fills all of them.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from nearfield.errors import ReductionCancelledError
from nearfield.reductions import collecting
from nearfield.reductions.index import renewed
from nearfield.reductions.kernels._protocol import Array, Output
from nearfield.reductions.naming import Coordinate
from nearfield.reductions.plan import Plan, finish
from nearfield.reductions.provenance import of_stack
from nearfield.reductions.watching import Told, Watch

Compute = Callable[[Plan, int | None, Watch], dict[str, Array]]
RESULT = "nearfield_result"
"""In a dataset's encoding: what its variables are computed by."""
_WORDS = {
    "sum": "sum", "mean": "mean", "var": "variance", "std": "standard deviation",
    "min": "least value", "max": "greatest value", "roi": "sum over a region",
    "masks": "sum over a mask", "count": "number of values",
    "rebin": "sum over blocks", "thumbnail": "small mean",
}  # fmt: skip


class Result:
    """The arrays of a plan: computed once, all in one pass, by whoever asks first.

    Copies of its dataset share it; another process computes it for itself.
    """

    _lock: threading.Lock
    """Held by who computes."""
    _guard: threading.Lock
    """Of what follows."""
    _watch: Watch | None
    _cancelled: int
    """How often."""

    def __init__(self, plan: Plan, compute: Compute, workers: int | None = None) -> None:
        self.plan, self.workers = plan, workers
        self.attrs: dict[str, Any] = {}
        """Of the dataset, told anew when it is computed."""
        self._compute = compute
        self._arrays: dict[str, Array] | None = None
        self._make_locks()

    def array(self, name: str) -> Array:
        """One of them. Raises what reading the files raises; then nothing is kept."""
        return self.arrays()[name]

    def arrays(
        self,
        told: Told | None = None,
        workers: int | None = None,
        compute: Compute | None = None,
    ) -> dict[str, Array]:
        """All of them.

        Args:
            told: How many frames are done, of how many; not where they are there already.
            workers, compute: Instead of those that the result was made with.

        Raises:
            DataFileError: with file and frame.
            ReductionCancelledError: by ``cancel``, also of somebody who waited for the same.
        """
        cancelled = self._cancelled
        with self._lock:
            if self._arrays is None:
                # The files may have changed since they were opened.
                plan = dataclasses.replace(self.plan, stack=renewed(self.plan.stack))
                with self._guard:
                    if cancelled != self._cancelled:
                        raise ReductionCancelledError("the reduction was cancelled")
                    watch = self._watch = Watch(told)
                try:
                    self._arrays = (compute or self._compute)(plan, workers or self.workers, watch)
                finally:
                    self._watch = None
                self.plan = plan
                self.attrs.update(of_stack(plan))
                self.attrs.update(collecting.told(self._arrays))
                collecting.warn(self._arrays)
            return self._arrays

    @property
    def computed(self) -> bool:
        return self._arrays is not None

    def cancel(self) -> bool:
        """End what is being computed, from any thread. Was anything?"""
        with self._guard:
            # Who waits for its turn would begin again.
            self._cancelled += 1
            if self._watch is None:
                return False
            self._watch.stop.set()
            return True

    def so_far(self) -> tuple[int, dict[str, Array]] | None:
        """How many of the first frames are done while it runs, and the arrays of these."""
        if self._arrays is not None:
            return self.plan.frames.count, self._arrays
        watch = self._watch
        found = None if watch is None else watch.so_far()
        return None if found is None else (found[0], finish(self.plan, found[1]))

    def _make_locks(self) -> None:
        self._lock, self._guard = threading.Lock(), threading.Lock()
        self._watch = None
        self._cancelled = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Result:
        return self

    def __getstate__(self) -> dict[str, Any]:
        own = {"_lock", "_guard", "_watch", "_cancelled"}
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_locks()


class _Variable(BackendArray):
    """One array of a result, as xarray asks a file for one."""

    def __init__(self, result: Result, name: str, output: Output) -> None:
        self.result, self._name = result, name
        self.shape, self.dtype = output.shape, np.dtype(output.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._part
        )

    def _part(self, key: tuple[Any, ...]) -> Array:
        found: Array = self.result.array(self._name)[key]
        return found


def as_dataset(
    result: Result, coordinates: Mapping[str, Coordinate], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """The result's variables with their dimensions, coordinates and attributes; not computed.

    Args:
        coordinates: Of the stack; those whose dimensions the variables have are taken.
        attrs: Of the dataset.
    """
    variables, made = {}, {}
    said = result.plan.stack.attributes.get("long_name")
    signal = said if isinstance(said, str) else "the signal"
    for name, output in result.plan.outputs().items():
        lazy = indexing.LazilyIndexedArray(_Variable(result, name, output))
        told = {"long_name": f"{_WORDS[name]} of {signal}"} if name in _WORDS else {}
        variables[name] = xr.Variable(output.dims, lazy, {**told, **output.attrs})
        for label, (dims, values, each) in output.coords.items():
            made[label] = xr.Variable(dims, values, dict(each))
    dims_there = {dim for variable in variables.values() for dim in variable.dims}
    for label, (dims, values, each) in coordinates.items():
        if dims_there.issuperset(dims) and label not in made and label not in variables:
            made[label] = xr.Variable(dims, values, dict(each))
    found = xr.Dataset(variables, made, dict(attrs))
    found.encoding[RESULT] = result
    result.attrs = found.attrs
    return found
