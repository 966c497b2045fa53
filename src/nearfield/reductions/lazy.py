"""The result of a plan as an xarray dataset that is computed when somebody looks at it.

One pass over the files computes everything that was asked for, so the first variable that is
looked at fills all of them.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from nearfield.reductions.index import renewed
from nearfield.reductions.kernels._protocol import Array, Output
from nearfield.reductions.plan import Plan

Compute = Callable[[Plan], dict[str, Array]]


class Result:
    """The arrays of a plan: computed once, all in one pass, by whoever asks first."""

    def __init__(self, plan: Plan, compute: Compute) -> None:
        self.plan = plan
        self._compute = compute
        self._lock = threading.Lock()
        self._arrays: dict[str, Array] | None = None

    def array(self, name: str) -> Array:
        """One of them. Raises what reading the files raises; then nothing is kept."""
        with self._lock:
            if self._arrays is None:
                # The files may have changed since they were opened.
                self.plan = dataclasses.replace(self.plan, stack=renewed(self.plan.stack))
                self._arrays = self._compute(self.plan)
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


def as_dataset(result: Result) -> xr.Dataset:
    """The result's variables with their dimensions, coordinates and attributes; not computed."""
    variables, coordinates = {}, {}
    for name, output in result.plan.outputs().items():
        lazy = indexing.LazilyIndexedArray(_Variable(result, name, output))
        variables[name] = xr.Variable(output.dims, lazy, dict(output.attrs))
        for label, (dims, values, attrs) in output.coords.items():
            coordinates[label] = xr.Variable(dims, values, dict(attrs))
    return xr.Dataset(variables, coordinates)
