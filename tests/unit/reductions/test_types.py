"""Types of frames that kernels do not take as they are, and those that nothing here takes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions import plan
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import files, open_stack


def stored(folder: Path, data: np.ndarray, kind: object = None) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("d", data=data, dtype=kind or data.dtype)
    return folder / "a.h5"


def test_half_floats_are_summed_in_float64_and_compared_in_float32(tmp_path: Path) -> None:
    data = np.full((3000, 2, 3), 100.0, ">f2")
    data[7, 0, 0], data[8, 0, 1] = np.nan, np.inf
    found = reduce_stack(open_stack(stored(tmp_path, data), "d"), sum=True, max=True)
    assert found["max"].dtype == "f4"
    assert found["sum"].values.tolist() == [[299_900, np.inf, 300_000], [300_000] * 3]
    assert found["max"].values.tolist() == [[100, np.inf, 100], [100] * 3]


def test_labels_are_left_to_h5py(tmp_path: Path) -> None:
    kind = h5py.enum_dtype({"far": 0, "near": 1}, "i2")
    stack = open_stack(stored(tmp_path, np.ones((2, 2, 3), "i2"), kind), "d")
    assert stack.refused is not None
    assert stack.parts == ()
    assert reduce_stack(stack, sum=True)["sum"].values.tolist() == [[2] * 3] * 2


@pytest.mark.parametrize("how", ["contiguous", "chunks", "virtual"])
def test_truth_is_reduced_as_0_and_1(tmp_path: Path, how: str) -> None:
    data = np.random.default_rng(1).random((40, 6, 7)) < 0.4
    filters = {"chunks": (3, 6, 4), "compression": "gzip", "shuffle": True}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset(
            "d", data.shape, bool, fillvalue=True, **({} if how == "contiguous" else filters)
        )
        made[:30] = data[:30]
        data[30:] = True
        layout = h5py.VirtualLayout(data.shape, bool)
        layout[:] = h5py.VirtualSource(made)
        file.create_virtual_dataset("v", layout)
    stack = open_stack(tmp_path / "a.h5", "v" if how == "virtual" else "d")
    assert stack.refused is None
    assert stack.dtype == bool
    found = reduce_stack(
        stack, sum=True, mean=True, max=True, roi=(slice(1, 3),), thumbnail=True, rebin=2,
        masks=np.ones((6, 7)) * 0.5, histogram=[0, 1, 2], std=True,
    ).load()  # fmt: skip
    assert (found["sum"].dtype, found["max"].dtype) == (np.dtype("u8"), np.dtype("u1"))
    np.testing.assert_array_equal(found["sum"], data.sum(0))
    np.testing.assert_array_equal(found["mean"], data.mean(0))
    np.testing.assert_array_equal(found["max"], data.max(0))
    np.testing.assert_array_equal(found["roi"], data[:, 1:3].sum((1, 2)))
    np.testing.assert_array_equal(found["masks"][:, 0], data.sum((1, 2)) * 0.5)
    np.testing.assert_array_equal(found["histogram"], [(~data).sum(), data.sum()])
    np.testing.assert_allclose(found["std"], data.std(0))
    np.testing.assert_array_equal(found["thumbnail"], data.mean(0))
    np.testing.assert_array_equal(found["rebin"].sum(("rebin_y", "rebin_x")), data.sum((1, 2)))


def test_truth_in_the_engine_stays_truth(tmp_path: Path) -> None:
    data = np.random.default_rng(1).random((9, 6, 7)) < 0.4
    opened = xr.open_dataset(stored(tmp_path, data), engine="nearfield", chunks={})["d"]
    assert opened.dtype == bool
    np.testing.assert_array_equal(opened[2:5], data[2:5])
    np.testing.assert_array_equal(opened.nearfield.reduce(sum=True)["sum"], data.sum(0))


def test_wider_floats_are_rounded_to_64_bits(tmp_path: Path) -> None:
    data = np.random.default_rng(2).normal(size=(5, 2, 3)).astype(np.longdouble)
    data[1, 0, 0] = np.nan
    found = reduce_stack(open_stack(stored(tmp_path, data), "d"), sum=True, max=True)
    assert found["max"].dtype == "f8"
    np.testing.assert_array_equal(found["max"], np.nanmax(data, 0).astype("f8"))
    np.testing.assert_allclose(found["sum"], np.nansum(data, 0).astype("f8"), rtol=1e-12)


def test_attributes_of_wider_floats_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As openPMD writers give units; an index with them is kept, too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", -1.0)
    path = stored(tmp_path, np.ones((2, 2, 2), "u2"))
    with h5py.File(path, "a") as file:
        file["d"].attrs["unitSI"] = np.longdouble(0.5)
        file["d"].attrs["position"] = np.array([0.5, 1], np.longdouble)
    for _ in range(2):
        assert open_stack(path, "d").attributes == {"unitSI": 0.5, "position": [0.5, 1]}


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only integers and floats are reduced"):
        plan.block_dtype(np.dtype("c8"))


def test_truth_is_counted_as_small_integers() -> None:
    assert plan.block_dtype(np.dtype(bool)) == np.dtype("u1")


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "f4"])
def test_groups_of_several_tasks(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some groups are in many tasks, some in one: their partials are not of the same arrays."""
    monkeypatch.setattr(plan, "TASK", 1)
    data = np.random.default_rng(3).integers(0, 100, (9, 2, 3)).astype(kind)
    by = np.array([0, 0, 1, 2, 0, 3, np.nan, 2, 4])
    found = reduce_stack(
        open_stack(stored(tmp_path, data), "d"), sum=True, mean=True, std=True, by=by
    )
    for number in range(5):
        some = data[by == number].astype("f8")
        np.testing.assert_array_equal(found["sum"][number], some.sum(0))
        np.testing.assert_allclose(found["mean"][number], some.mean(0))
        np.testing.assert_allclose(found["std"][number], some.std(0), atol=1e-12)


def test_large_sums_beside_a_group_without_frames(tmp_path: Path) -> None:
    data = np.full((2, 2, 3), 2**64 - 1, "u8")
    asked = {"by": [0, 1], "bins": [0, 1, 2, 3]}
    found = reduce_stack(open_stack(stored(tmp_path, data), "d"), sum=True, **asked)["sum"]
    assert found.dtype == "u8"
    assert found.values[:, 0, 0].tolist() == [2**64 - 1, 2**64 - 1, 0]


def test_no_frame_is_in_any_group(tmp_path: Path) -> None:
    stack = open_stack(stored(tmp_path, np.ones((2, 2, 3))), "d")
    assert reduce_stack(stack, mean=True, by=np.full(2, np.nan))["mean"].shape == (0, 2, 3)
    empty = reduce_stack(stack, mean=True, by=np.full(2, np.nan)).load()
    assert empty["mean"].size == 0


@pytest.mark.parametrize(
    ("edges", "counts"),
    [([-1e308, -5e307, 0, 5e307, 1e308], [0, 0, 6, 0]), ([0, 5e-324], [6]), ([0.5, 1], [6])],
)
def test_a_histogram_whose_width_is_no_number(
    tmp_path: Path, edges: list[float], counts: list[int]
) -> None:
    data = np.full((1, 2, 3), 1.0 if edges[0] else 0.0)
    found = reduce_stack(open_stack(stored(tmp_path, data), "d"), histogram=edges)
    assert found["histogram"].values.tolist() == counts
