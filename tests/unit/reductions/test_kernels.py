"""Each kernel over blocks, joined over tasks, gives what numpy gives over the whole stack."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from nearfield.errors import NearfieldError, UsageError
from nearfield.reductions.joining import Joiner
from nearfield.reductions.kernels._protocol import Frames, Reduction, State
from nearfield.reductions.kernels.extrema import Extremum
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.moments import Moments
from nearfield.reductions.kernels.regions import Regions
from nearfield.reductions.kernels.sums import Mean, Sum
from nearfield.reductions.kernels.weighted import Weighted

TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


def content(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    kind = np.dtype(dtype)
    if kind.kind != "f":
        limits = np.iinfo(kind)
        return rng.integers(limits.min, limits.max, (23, 4, 5), dtype=kind, endpoint=True)
    data = (1e6 + rng.normal(size=(23, 4, 5))).astype(kind)
    data[rng.random(data.shape) < 0.2] = np.nan
    data[:, 0, 0] = np.nan
    return data


def reduced(how: Reduction, data: np.ndarray, task: int = 5, block: int = 2) -> np.ndarray:
    frames = Frames(len(data), data.shape[1:], data.dtype, ("y", "x"))
    flat = data.reshape(len(data), -1)
    joiner = Joiner[State](how.join)
    for start in range(0, len(data), task):
        stop = min(start + task, len(data))
        state = how.start(frames, start, stop - start)
        for first in range(start, stop, block):
            how.add(state, flat[first : min(first + block, stop)], first, first - start)
        joiner.add(state)
    found = how.finish("it", frames, joiner.whole())["it"]
    told = how.outputs("it", frames)["it"]
    assert (found.shape, found.dtype) == (told.shape, told.dtype)
    return found


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice|All-NaN).*:RuntimeWarning")
def test_as_numpy(dtype: str) -> None:
    data = content(dtype)
    wide, floats = data.astype("f8"), data.dtype.kind == "f"
    if floats:
        total = np.nansum(wide, 0)
        total[0, 0] = np.nan
        np.testing.assert_allclose(reduced(Sum(), data), total, rtol=1e-14)
    elif data.dtype.itemsize < 8:
        np.testing.assert_array_equal(reduced(Sum(), data), data.sum(0))
    np.testing.assert_allclose(reduced(Mean(), data), np.nanmean(wide, 0), rtol=1e-14)
    np.testing.assert_allclose(reduced(Moments("var"), data), np.nanvar(wide, 0), rtol=1e-9)
    np.testing.assert_allclose(
        reduced(Moments("std", ddof=1), data), np.nanstd(wide, 0, ddof=1), rtol=1e-9
    )
    np.testing.assert_array_equal(reduced(Extremum(True), data), np.nanmax(data, 0))
    np.testing.assert_array_equal(reduced(Extremum(False), data), np.nanmin(data, 0))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("even", [True, False])
def test_a_histogram_as_numpy(dtype: str, even: bool) -> None:
    data = content(dtype)
    valid = data[~np.isnan(data.astype("f8"))].astype("f8")
    edges = np.linspace(valid.min(), valid.max(), 8)
    if not even:
        edges[3] += (edges[4] - edges[3]) / 3
    np.testing.assert_array_equal(reduced(Histogram(edges), data), np.histogram(valid, edges)[0])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
@pytest.mark.parametrize("edges", [[0, 1], [-3.5, 0, 2.25, 2.5, 100], [-4e5, -1, 4e5], [300, 900]])
def test_each_small_integer_is_in_its_bin(dtype: str, edges: list[float]) -> None:
    limits = np.iinfo(dtype)
    data = np.arange(limits.min, limits.max + 1).astype(dtype).reshape(4, -1, 4)
    data = np.concatenate([data, data[:, :1, :]], 1)[:, :, :3]  # a frame of no whole fours
    found = reduced(Histogram(np.array(edges)), data)
    np.testing.assert_array_equal(found, np.histogram(data.astype("f8"), edges)[0])


def summed(values: np.ndarray) -> np.ndarray:
    """Over each frame, as float64; NaN where no pixel has a value."""
    some = ~np.isnan(values).all((1, 2))
    return np.where(some, np.nansum(values, (1, 2)), np.nan)


@pytest.mark.parametrize("dtype", TYPES)
def test_regions_and_weights_as_numpy(dtype: str) -> None:
    data = content(dtype)
    if data.dtype.itemsize == 8 and dtype != "f8":
        data //= 100  # the sum over a frame is to fit
    wide = data.astype("f8")
    binary = {"corner": np.zeros((4, 5), bool), "all": np.ones((4, 5), bool)}
    binary["corner"][:2, :2] = True
    found = reduced(Regions.of_masks(binary, (4, 5)), data)
    np.testing.assert_allclose(found[:, 0], summed(wide[:, :2, :2]), rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], summed(wide), rtol=1e-12)
    soft = {"a": np.linspace(0, 1, 20).reshape(4, 5), "b": -binary["corner"].astype("f4")}
    found = reduced(Weighted.of_masks(soft, (4, 5)), data)
    for column, weights in zip(found.T, soft.values(), strict=True):
        seen = np.where(weights != 0, wide, np.nan)
        np.testing.assert_allclose(column, summed(seen * weights), rtol=1e-12)


@pytest.mark.parametrize("dtype", TYPES[:6])
@pytest.mark.parametrize("shape", [(3, 5), (4, 4), (5, 13), (300, 301)])
def test_runs_of_any_length_at_any_place_are_exact(dtype: str, shape: tuple[int, int]) -> None:
    """Runs shorter than a vector, longer than 32 bits hold, at both ends of a frame."""
    rng, limits, pixels = np.random.default_rng(1), np.iinfo(dtype), shape[0] * shape[1]
    data = np.full((3, *shape), limits.max, dtype)
    data[1] = limits.min
    data[2] = rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    ends = rng.integers(0, pixels + 1, (60, 2))
    ends[:3] = (0, 1), (pixels - 1, pixels), (0, pixels)
    flat = np.arange(pixels)
    masks = {str(n): ((flat >= a) & (flat < b)).reshape(shape) for n, (a, b) in enumerate(ends)}
    masks |= {f"scattered {n}": rng.random(shape) < n / 10 for n in range(10)}
    found = reduced(Regions.of_masks(masks, shape), data, task=3)
    for column, mask in zip(found.T, masks.values(), strict=True):
        assert column.tolist() == [sum(frame[mask].tolist()) for frame in data]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_runs_of_floats_leave_out_nan_and_nothing_else(dtype: str) -> None:
    rng = np.random.default_rng(2)
    data = rng.integers(-1000, 1000, (3, 7, 13)).astype(dtype)  # sums without rounding
    data[rng.random(data.shape) < 0.3] = np.nan
    data[2, 3, 4] = np.inf
    flat = np.arange(7 * 13)
    masks = {
        f"{a} {b}": ((flat >= a) & (flat < b)).reshape(7, 13)
        for a, b in [(0, 1), (0, 16), (3, 20), (40, 90), (90, 91), (75, 91), (0, 91), (20, 53)]
    }
    found = reduced(Regions.of_masks(masks, (7, 13)), data, task=3)
    for column, mask in zip(found.T, masks.values(), strict=True):
        seen = data[:, mask].astype("f8")
        some = ~np.isnan(seen).all(1)
        np.testing.assert_array_equal(column, np.where(some, np.nansum(seen, 1), np.nan))


def test_a_variance_loses_nothing_beside_a_large_offset() -> None:
    data = np.full((1000, 1, 2), 1e9)
    data[::2] += 1
    data[0] = 0  # a shutter that was closed: the first frame tells nothing of the others
    found = reduced(Moments("var"), data, task=100)
    np.testing.assert_allclose(found, data.var(0), rtol=1e-12)


def test_sums_hold_more_than_32_bits() -> None:
    data = np.full((70_000, 1, 1), 65_535, "u2")
    assert reduced(Sum(), data, task=70_000, block=999)[0, 0] == 70_000 * 65_535
    assert reduced(Moments("var"), data, task=7000, block=999)[0, 0] == 0


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
@pytest.mark.parametrize("block", [1, 3, 4, 5, 23])
def test_sums_are_exact_however_many_frames_a_block_has(dtype: str, block: int) -> None:
    data = content(dtype)
    np.testing.assert_array_equal(reduced(Sum(), data, 23, block), data.sum(0))
    exact = data.astype("f8").var(0)
    np.testing.assert_allclose(reduced(Moments("var"), data, 23, block), exact, rtol=1e-13)
    least = np.full((70_001, 1, 1), np.iinfo(dtype).min, dtype)
    assert reduced(Sum(), least, 70_001, 999 + block)[0, 0] == 70_001 * np.iinfo(dtype).min


@pytest.mark.parametrize("dtype", ["u8", "i8"])
def test_sums_of_64_bits_are_exact_or_refused(dtype: str) -> None:
    most = np.iinfo(dtype).max
    data = np.array([most // 3, 5, most // 3, 7, most // 3 - 20], dtype).reshape(5, 1, 1)
    assert reduced(Sum(), data, 2)[0, 0] == sum(int(v) for v in data.ravel())
    if dtype == "i8":
        assert reduced(Sum(), -data, 2)[0, 0] == -sum(int(v) for v in data.ravel())
    with pytest.raises(NearfieldError, match="it: the sum of a pixel does not fit in 64 bits"):
        reduced(Sum(), np.concatenate([data, data]))
    np.testing.assert_allclose(reduced(Mean(), np.concatenate([data, data])), data.mean())


def test_the_result_does_not_depend_on_the_blocks() -> None:
    data = content("f4")
    for how in (Sum(), Moments("std")):
        np.testing.assert_array_equal(reduced(how, data, 6, 1), reduced(how, data, 6, 6))


@pytest.mark.parametrize("edges", [[1.0], [0.0, 0.0], [2.0, 1.0], [0.0, np.inf], [[0.0, 1.0]]])
def test_edges_that_are_none_are_refused(edges: list[float]) -> None:
    with pytest.raises(UsageError, match="edge"):
        Histogram(np.array(edges))


def test_a_mask_of_another_shape_is_refused() -> None:
    for kind in (Regions, Weighted):
        with pytest.raises(UsageError, match=r"mask 'a' is \(2, 2\), a frame \(4, 5\)"):
            kind.of_masks({"a": np.ones((2, 2))}, (4, 5))


@pytest.fixture(autouse=True)
def _numba_is_quiet() -> None:
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="numba")
