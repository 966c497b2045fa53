"""Random frames, masks, blocks and tasks: each kernel gives what numpy gives in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nearfield.reductions.joining import Joiner
from nearfield.reductions.kernels._protocol import Frames, Reduction, State
from nearfield.reductions.kernels.extrema import Extremum
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.moments import Moments
from nearfield.reductions.kernels.regions import Regions
from nearfield.reductions.kernels.sums import Mean, Sum
from nearfield.reductions.kernels.weighted import Weighted

CASES = 100
TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
Oracle = Callable[[np.ndarray], np.ndarray]


def frames(rng: np.random.Generator) -> np.ndarray:
    """Of any type; the greatest and the least values are frequent, and NaN among floats."""
    kind = np.dtype(rng.choice(TYPES))
    shape = tuple(rng.integers(1, (12, 9, 24)))
    if kind.kind == "f":
        data = rng.normal(rng.choice([0, 1e3]), 10, shape).astype(kind)
        data[rng.random(shape) < rng.choice([0, 0.1, 0.9])] = np.nan
        return data
    limits = np.iinfo(kind)
    data = rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
    data[rng.random(shape) < 0.2] = limits.max
    data[rng.random(shape) < 0.2] = limits.min
    return data


def region(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A box, often at an edge, or scattered pixels, or none."""
    mask = np.zeros(shape, bool)
    if rng.random() < 0.3:
        return rng.random(shape) < rng.random()
    (a, b), (c, d) = (np.sort(rng.integers(0, n + 1, 2)) for n in shape)
    mask[a:b, c:d] = True
    return mask


def valued(total: np.ndarray, data: np.ndarray, axes: Any) -> np.ndarray:
    return np.where(np.isnan(data).all(axes), np.nan, total)


def case(rng: np.random.Generator, data: np.ndarray) -> tuple[Reduction, Oracle]:
    shape = data.shape[1:]
    mask, weights = region(rng, shape), rng.normal(size=shape).round(2)
    edges = np.unique(rng.choice([rng.normal(0, 300, 7), np.linspace(-128, 255, 7)]))
    choices: list[tuple[Reduction, Oracle]] = [
        (Sum(), lambda v: valued(np.nansum(v, 0), v, 0)),
        (Mean(), lambda v: np.nanmean(v, 0)),
        (Moments("var"), lambda v: np.nanvar(v, 0)),
        (Moments("std", 1), lambda v: np.nanstd(v, 0, ddof=1)),
        (Extremum(True), lambda v: np.nanmax(v, 0)),
        (Extremum(False), lambda v: np.nanmin(v, 0)),
        (
            Regions.of_masks({"one": mask}, shape, None),
            lambda v: (
                valued(np.nansum(v[:, mask], 1), v[:, mask], 1)
                if data.dtype.kind == "f"
                else v[:, mask].sum(1)
            ),
        ),
        (Histogram(edges), lambda v: np.histogram(v[~np.isnan(v)], edges)[0]),
        (
            Weighted.of_masks({"one": weights}, shape),
            lambda v: valued(
                np.nansum(v * weights, (1, 2)), np.where(weights != 0, v, np.nan), (1, 2)
            )[:, None],
        ),
    ]
    return choices[rng.integers(len(choices))]


def reduced(how: Reduction, data: np.ndarray, task: int, block: int) -> np.ndarray:
    told = Frames(len(data), data.shape[1:], data.dtype, ("y", "x"))
    flat, joiner = data.reshape(len(data), -1), Joiner[State](how.join)
    for start in range(0, len(data), task):
        stop = min(start + task, len(data))
        state = how.start(told, start, stop - start)
        for first in range(start, stop, block):
            how.add(state, flat[first : min(first + block, stop)], first, first - start)
        joiner.add(state)
    return how.finish("it", told, joiner.whole())["it"]


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice|All-NaN).*:RuntimeWarning")
def test_a_hundred_random_reductions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(CASES):
        data = frames(rng)
        how, oracle = case(rng, data)
        task, block = rng.integers(1, len(data) + 1), rng.integers(1, 7)
        found, wanted = reduced(how, data, task, block), oracle(data.astype("f8"))
        words = f"case {number}: {how} of {data.dtype}{data.shape}, {task} a task, {block} a block"
        exact = isinstance(how, Extremum | Histogram) or (
            isinstance(how, Sum | Regions) and not isinstance(how, Mean) and data.dtype.kind != "f"
        )
        if exact:  # these sums are below 2**53: float64 holds them
            np.testing.assert_array_equal(found.astype("f8"), wanted, words)
        else:
            size = float(np.nanmax(np.abs(data.astype("f8")), initial=1.0))
            power = 2 if isinstance(how, Moments) and how.kind == "var" else 1
            np.testing.assert_allclose(
                found, wanted, rtol=1e-11, atol=1e-12 * size**power * data[0].size, err_msg=words
            )
