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

from nearfield.reductions.index import renewed
from nearfield.reductions.kernels._protocol import Array, Output
from nearfield.reductions.naming import Coordinate
from nearfield.reductions.plan import Plan
from nearfield.reductions.provenance import of_stack

Compute = Callable[[Plan, int | None], dict[str, Array]]
_WORDS = {
    "sum": "sum", "mean": "mean", "var": "variance", "std": "standard deviation",
    "min": "least value", "max": "greatest value", "roi": "sum over a region",
    "masks": "sum over a mask",
}  # fmt: skip


class Result:
    """The arrays of a plan: computed once, all in one pass, by whoever asks first."""

    def __init__(self, plan: Plan, compute: Compute, workers: int | None = None) -> None:
        self.plan = plan
        self.attrs: dict[str, Any] = {}
        """Of the dataset, told anew when it is computed."""
        self._compute, self._workers = compute, workers
        self._lock = threading.Lock()
        self._arrays: dict[str, Array] | None = None

    def array(self, name: str) -> Array:
        """One of them. Raises what reading the files raises; then nothing is kept."""
        with self._lock:
            if self._arrays is None:
                # The files may have changed since they were opened.
                self.plan = dataclasses.replace(self.plan, stack=renewed(self.plan.stack))
                self._arrays = self._compute(self.plan, self._workers)
                self.attrs.update(of_stack(self.plan))
            return self._arrays[name]


class _Variable(BackendArray):
    """One array of a result, as xarray asks a file for one."""

    def __init__(self, result: Result, name: str, output: Output) -> None:
        self._result, self._name = result, name
        self.shape, self.dtype = output.shape, np.dtype(output.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._part
        )

    def _part(self, key: tuple[Any, ...]) -> Array:
        found: Array = self._result.array(self._name)[key]
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
    result.attrs = found.attrs
    return found
