"""Types of frames that kernels do not take as they are, and those that nothing here takes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

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


@pytest.mark.parametrize("kind", [bool, h5py.enum_dtype({"far": 0, "near": 1}, "i2")])
def test_truth_and_labels_are_left_to_h5py(tmp_path: Path, kind: object) -> None:
    stack = open_stack(stored(tmp_path, np.ones((2, 2, 3), "i2"), kind), "d")
    assert stack.refused is not None
    assert stack.parts == ()


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
