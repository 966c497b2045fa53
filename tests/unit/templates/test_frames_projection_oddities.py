"""The template frames-projection on files that mislead: lost sources, odd axes, large numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.datasets import ArrayInfo
from nearfield.errors import DataFileError

Notebook = Any  # the class in conftest.py
SHAPE = (4, 8, 9)


def info(path: str, data: Any, signal: bool = True) -> ArrayInfo:
    return ArrayInfo(path=path, shape=data.shape, dtype=str(data.dtype), signal=signal)


def summary(notebook: Notebook) -> dict[str, Any]:
    text = (notebook.folder / "summary.json").read_text()
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return found


def one(file: Path, data: Any, **attributes: Any) -> ArrayInfo:
    with h5py.File(file, "w") as h5:
        h5["data"] = data
        h5["data"].attrs.update(attributes)
    return info("/data", np.asarray(data))


def axes(names: dict[str, Any]) -> list[Any]:
    return [names["y_axis"], names["x_axis"]]


def master(folder: Path) -> tuple[Path, ArrayInfo]:
    """As an EIGER writes it: the signal is a link into another file, the mask is here."""
    with h5py.File(folder / "s_data_000001.h5", "w") as h5:
        h5["entry/data/data"] = np.full(SHAPE, 2, "u4")
    mask = np.zeros(SHAPE[1:], "u4")
    with h5py.File(folder / "s_master.h5", "w") as h5:
        entry = h5.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("data")
        data.attrs.update(NX_class="NXdata", signal="data_000001", axes=["time", ".", "."])
        data["data_000001"] = h5py.ExternalLink("s_data_000001.h5", "/entry/data/data")
        data["time"] = np.arange(4) * 0.5
        entry["instrument/detector/pixel_mask"] = mask
    return folder / "s_master.h5", info("/entry/instrument/detector/pixel_mask", mask, False)


def add_file(folder: Path) -> None:
    """One more file of frames in the master."""
    with h5py.File(folder / "s_data_000002.h5", "w") as h5:
        h5["entry/data/data"] = np.full(SHAPE, 3, "u4")
    with h5py.File(folder / "s_master.h5", "a") as h5:
        link = h5py.ExternalLink("s_data_000002.h5", "/entry/data/data")
        h5["entry/data/data_000002"] = link


def test_a_signal_in_another_file(notebook: Notebook, tmp_path: Path) -> None:
    file, mask = master(tmp_path)
    path = "/entry/data/data_000001"
    listed = ArrayInfo(path=path, shape=SHAPE, dtype="uint32", signal=True)
    for arrays in ((mask,), (mask, listed), ()):
        names = notebook.run(file, *arrays)
        assert names["path"] == path
        assert names["time_axis"][0] == "time", "the axes are those beside the link"
    assert summary(notebook)["total"] == 2 * 4 * 8 * 9
    add_file(tmp_path)
    assert notebook.run(file, mask)["path"] == "/entry/data"
    assert summary(notebook)["total"] == (2 + 3) * 4 * 8 * 9
    notebook.run(file, mask, array=path)
    assert summary(notebook)["total"] == 2 * 4 * 8 * 9
    with h5py.File(notebook.folder / "projection.h5") as h5:
        reduction = h5["entry/reduction"]
        assert reduction["source_file"].asstr()[()] == str(file)
        assert reduction["source_array"].asstr()[()] == path
    (tmp_path / "s_data_000001.h5").unlink()
    with pytest.raises(ValueError, match=r"plots /entry/data/data_000001.*s_data_000001\.h5"):
        notebook.run(file, mask)
    assert notebook.run(file, mask, array=mask.path)["path"] == mask.path


def test_the_default_is_followed_also_through_a_soft_link(
    notebook: Notebook, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        for name in "ab":
            group = h5.create_group(f"entry/meas/{name}")
            group.attrs.update(NX_class="NXdata", signal="data")
            group["data"] = np.full(SHAPE, ord(name), "u2")
        h5["entry"].attrs.update(NX_class="NXentry", default="plot")
        h5["entry/plot"] = h5py.SoftLink("/entry/meas/b")
        h5.attrs["default"] = "entry"
    arrays = [info(f"/entry/meas/{name}/data", np.zeros(SHAPE, "u2")) for name in "ab"]
    notebook.run(tmp_path / "a.h5", *arrays)
    assert summary(notebook)["maximum"] == ord("b")


def virtual(file: Path, source: str, dataset: str = "data") -> ArrayInfo:
    layout = h5py.VirtualLayout(SHAPE, "u2")
    layout[:] = h5py.VirtualSource(source, dataset, shape=SHAPE)
    with h5py.File(file, "w") as h5:
        h5.create_virtual_dataset("data", layout)
    return info("/data", np.zeros(SHAPE, "u2"))


def test_virtual_sources_are_looked_for_one_by_one(notebook: Notebook, tmp_path: Path) -> None:
    one(tmp_path / "src.h5", np.ones(SHAPE, "u2"))
    for name, source, dataset, missing in (
        ("renamed", "src.h5", "renamed", r"missing: .*src\.h5:renamed"),
        ("lost", "gone.h5", "data", r"missing: gone\.h5"),
        ("nested", "gone.h5", "data", None),
        ("outer", "nested.h5", "data", r"missing: gone\.h5"),
    ):
        array = virtual(tmp_path / f"{name}.h5", source, dataset)
        if missing is not None:
            with pytest.raises(FileNotFoundError, match=missing):
                notebook.run(tmp_path / f"{name}.h5", array)
    array = virtual(tmp_path / "circle.h5", "circle.h5")
    with pytest.raises(DataFileError, match="made of itself"):
        notebook.run(tmp_path / "circle.h5", array)
    # HDF5 finds this one beside the master, and so must we.
    array = virtual(tmp_path / "moved.h5", "/nowhere/src.h5")
    notebook.run(tmp_path / "moved.h5", array)
    assert summary(notebook)["total"] == 4 * 8 * 9
    (tmp_path / "far").mkdir()
    (tmp_path / "far/link.h5").symlink_to(tmp_path / "moved.h5")
    notebook.run(tmp_path / "far/link.h5", array)
    assert summary(notebook)["total"] == 4 * 8 * 9


def test_numbered_virtual_sources(notebook: Notebook, tmp_path: Path) -> None:
    for number in range(3):
        one(tmp_path / f"b{number}%.h5", np.ones(SHAPE, "u2"))
    unlimited = h5py.h5s.UNLIMITED
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple(SHAPE, (unlimited, *SHAPE[1:]))
    space.select_hyperslab((0, 0, 0), (unlimited, 1, 1), stride=(4, 1, 1), block=SHAPE)
    created.set_virtual(space, b"b%b%%.h5", b"data", h5py.h5s.create_simple(SHAPE))
    with h5py.File(tmp_path / "m.h5", "w", libver="latest") as h5:
        h5py.h5d.create(h5.id, b"data", h5py.h5t.NATIVE_UINT16, space, dcpl=created)
    array = info("/data", np.zeros((12, 8, 9), "u2"))
    notebook.run(tmp_path / "m.h5", array)
    assert summary(notebook)["total"] == 3 * 4 * 8 * 9
    (tmp_path / "b1%.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"missing: b1%\.h5"):
        notebook.run(tmp_path / "m.h5", array)


@pytest.mark.parametrize(("kind", "value"), [("u8", 2**63), ("i8", 2**62), ("i8", -(2**62) - 1)])
def test_sums_beyond_64_bits_are_refused(
    notebook: Notebook, tmp_path: Path, kind: str, value: int
) -> None:
    array = one(tmp_path / "a.h5", np.full(SHAPE, value, kind))
    with pytest.raises(OverflowError, match=r"sum of a pixel does not fit.*max_frames"):
        notebook.run(tmp_path / "a.h5", array)
    with pytest.raises(OverflowError, match="roi: the sum of a region does not fit"):
        notebook.run(tmp_path / "a.h5", array, max_frames=1)
    notebook.run(tmp_path / "a.h5", array, max_frames=1, roi=[0, 1, 0, 1])
    found = summary(notebook)
    assert (found["total"], found["roi_total"]) == (8 * 9 * value, value)


def test_sums_that_are_not_exact_without_invalid_values_are_refused(
    notebook: Notebook, tmp_path: Path
) -> None:
    data = np.full(SHAPE, 2**50 + 1, "u8")
    data[0, 0, 0] = 2**64 - 1
    array = one(tmp_path / "a.h5", data)
    with pytest.raises(OverflowError, match="2 to the 53 are not exact"):
        notebook.run(tmp_path / "a.h5", array, mask_invalid=True)
    names = notebook.run(tmp_path / "a.h5", array, mask_invalid=True, roi=[0, 1, 0, 2])
    assert names["total"][0, :2].tolist() == [3 * (2**50 + 1), 4 * (2**50 + 1)]
    assert names["roi_sum"].tolist() == [2**50 + 1] + 3 * [2 * (2**50 + 1)]


def test_the_largest_sums_that_fit(notebook: Notebook, tmp_path: Path) -> None:
    data = np.zeros(SHAPE, "u8")
    data[0] = 2**64 - 1
    array = one(tmp_path / "a.h5", data)
    names = notebook.run(tmp_path / "a.h5", array, roi=[0, 1, 0, 1])
    assert (names["total"] == 2**64 - 1).all()
    assert summary(notebook)["total"] == 72 * (2**64 - 1)


@pytest.mark.parametrize("given", [None, "  "])
def test_no_units_are_invented(notebook: Notebook, tmp_path: Path, given: str | None) -> None:
    attributes = {} if given is None else {"units": given}
    array = one(tmp_path / "a.h5", np.ones(SHAPE, "i2"), **attributes)
    names = notebook.run(tmp_path / "a.h5", array, plots=True)
    assert summary(notebook)["units"] is None
    assert not names["counting"]
    assert names["place"].get_ylabel() == "Sum in ROI"
    with h5py.File(notebook.folder / "projection.h5") as h5:
        assert "units" not in h5["entry/sum/sum"].attrs
    array = one(tmp_path / "b.h5", np.ones(SHAPE, "i2"), units=" counts ")
    assert notebook.run(tmp_path / "b.h5", array, plots=True)["counting"]


def test_axes_as_nexus_wrote_them_once(notebook: Notebook, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        group = h5.create_group("bank")
        group["counts"] = np.ones((8, 9), "i4")
        for name, number, size in (("theta", b"1", 8), ("time_binning", 2, 9)):
            group[name] = np.arange(size) * 2.0
            group[name].attrs.update(axis=number, units=" us ")
    array = info("/bank/counts", np.ones((8, 9), "i4"))
    names = notebook.run(tmp_path / "a.h5", array)
    assert [(axis[0], axis[2]) for axis in axes(names)] == [
        ("theta", "us"), ("time_binning", "us"),
    ]  # fmt: skip
    with h5py.File(tmp_path / "a.h5", "a") as h5:
        for name in ("theta", "time_binning"):
            del h5["bank"][name].attrs["axis"]
        h5["bank/counts"].attrs["axes"] = "theta:time_binning"
    names = notebook.run(tmp_path / "a.h5", array)
    assert [axis[0] for axis in axes(names)] == ["theta", "time_binning"]


@pytest.mark.parametrize("axes", [["x", "."], ["y", "y"], ["sum", "."], [".", "y"], ["a/x", "x"]])
def test_names_of_axes_do_not_collide(notebook: Notebook, tmp_path: Path, axes: list[str]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        group = h5.create_group("entry/data")
        group.attrs.update(NX_class="NXdata", signal="data", axes=axes)
        group["data"] = np.ones((8, 8), "u2")
        for name in set(axes) - {"."}:
            group[name] = np.arange(8.0)
    notebook.run(tmp_path / "a.h5", info("/entry/data/data", np.ones((8, 8), "u2")))
    with h5py.File(notebook.folder / "projection.h5") as h5:
        for result in ("sum", "mean", "maximum"):
            names = list(h5["entry"][result].attrs["axes"])
            assert len(set(names)) == 2
            assert {*names, result} == set(h5["entry"][result])


@pytest.mark.parametrize(
    "dtype", [np.dtype([("a", "i4"), ("b", "f8")]), np.dtype(("f4", (3,)))], ids=["table", "array"]
)
def test_a_table_beside_the_stack_is_no_matter(
    notebook: Notebook, tmp_path: Path, dtype: np.dtype[Any]
) -> None:
    array = one(tmp_path / "a.h5", np.ones(SHAPE, "u2"))
    with h5py.File(tmp_path / "a.h5", "a") as h5:
        h5.create_dataset("table", (4, 4), dtype=dtype)
    table = ArrayInfo(path="/table", shape=(4, 4), dtype=str(dtype))
    names = notebook.run(tmp_path / "a.h5", table, array.model_copy(update={"signal": False}))
    assert names["path"] == "/data"
    assert summary(notebook)["image_arrays"] == 1
    assert summary(notebook)["other_arrays"] == []
    with pytest.raises(ValueError, match=re.escape("/table")):
        notebook.run(tmp_path / "a.h5", table)


@pytest.mark.parametrize("kind", ["f2", "f8", "g"])
def test_floats_of_every_width(notebook: Notebook, tmp_path: Path, kind: str) -> None:
    array = one(tmp_path / "a.h5", np.full(SHAPE, 1.5, kind))
    notebook.run(tmp_path / "a.h5", array)
    found = summary(notebook)
    assert (found["total"], found["maximum"], found["roi_mean_per_pixel"]) == (432.0, 1.5, 1.5)


@pytest.mark.parametrize(("kind", "bad"), [("u2", 65535), ("i4", -1), ("f4", np.nan)])
def test_where_everything_is_masked_nothing_is_known(
    notebook: Notebook, tmp_path: Path, kind: str, bad: float
) -> None:
    array = one(tmp_path / "a.h5", np.full(SHAPE, bad, kind))
    notebook.run(tmp_path / "a.h5", array, mask_invalid=True)
    found = summary(notebook)
    for name in ("total", "maximum", "roi_total", "roi_mean_per_pixel"):
        assert found[name] is None
