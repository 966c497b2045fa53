"""The template frames-projection against numpy, on stacks of every kind.

Its cells are executed here, without a kernel; tests/unit/runs runs the notebook as a user does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from nearfield.datasets import ArrayInfo

Notebook = Any  # the class in conftest.py
RANDOM = np.random.default_rng(7)


def info(path: str, data: Any, signal: bool = True) -> ArrayInfo:
    return ArrayInfo(path=path, shape=data.shape, dtype=data.dtype.str, signal=signal)


def stack(kind: str, shape: tuple[int, ...] = (13, 40, 56)) -> np.ndarray[Any, Any]:
    if kind == "<f4":
        return RANDOM.normal(size=shape).astype(kind)
    top = np.iinfo(kind).max // (100_000 if kind == "<u8" else 1)  # sums must fit as well
    low, native = 0 if kind[1] == "u" else -5, np.dtype(kind).newbyteorder("=")
    return RANDOM.integers(low, top, shape, dtype=native, endpoint=True).astype(kind)


def store(file: Path, data: np.ndarray[Any, Any], **how: Any) -> None:
    with h5py.File(file, "w") as h5:
        group = h5.create_group("entry/data")
        group.attrs["signal"] = "data"
        group.attrs["axes"] = ["time", ".", "."]
        group.create_dataset("data", data=data, **how).attrs["units"] = "counts"
        group["time"] = np.arange(len(data)) * 0.5
        group["time"].attrs["units"] = "s"


def results(folder: Path) -> dict[str, Any]:
    with h5py.File(folder / "projection.h5") as h5:
        names = ("sum", "mean", "maximum")
        found = {name: h5[f"entry/{name}/{name}"][...] for name in names}
        return found | {"roi": h5["entry/roi_series/roi_sum"][...]}


@pytest.mark.parametrize("block", [0, 30_000, 1], ids=["whole", "blocks", "least"])
@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("<u2", {"chunks": (1, 40, 56), "compression": "gzip"}),
        ("<i4", {"chunks": (2, 25, 32), "compression": "gzip", "shuffle": True}),
        ("<u4", {"chunks": (4, 40, 56), **hdf5plugin.Bitshuffle()}),
        (">u2", {}),
        ("<u8", {}),
        ("|u1", {"chunks": (13, 7, 56)}),
    ],
    ids=["u2-gzip", "i4-gzip-tiles", "u4-bslz4", "big-endian", "u8", "u1-rows"],
)
def test_integers_are_exact(
    notebook: Notebook, tmp_path: Path, kind: str, how: dict[str, Any], block: float
) -> None:
    data = stack(kind)
    store(tmp_path / "a.h5", data, **how)
    notebook.run(tmp_path / "a.h5", info("/entry/data/data", data), block=block, roi=[3, 30, 5, 50])
    found = results(notebook.folder)
    total = data.sum(axis=0)
    assert found["sum"].dtype == total.dtype
    np.testing.assert_array_equal(found["sum"], total)
    np.testing.assert_array_equal(found["maximum"], data.max(axis=0))
    np.testing.assert_array_equal(found["mean"], total / len(data))
    np.testing.assert_array_equal(found["roi"], data[:, 3:30, 5:50].sum(axis=(1, 2)))


def test_floats(notebook: Notebook, tmp_path: Path) -> None:
    data = stack("<f4")
    store(tmp_path / "a.h5", data)
    notebook.run(tmp_path / "a.h5", info("/entry/data/data", data))
    np.testing.assert_allclose(
        results(notebook.folder)["sum"], data.sum(0, dtype=float), rtol=1e-12
    )


def virtual(tmp_path: Path, data: np.ndarray[Any, Any]) -> Path:
    parts = np.array_split(data, 3)
    layout = h5py.VirtualLayout(data.shape, data.dtype)
    at = 0
    for number, part in enumerate(parts):
        name = f"part{number}.h5"
        with h5py.File(tmp_path / name, "w") as h5:
            h5["data"] = part
        layout[at : at + len(part)] = h5py.VirtualSource(name, "data", part.shape)
        at += len(part)
    with h5py.File(tmp_path / "master.h5", "w") as h5:
        h5.create_virtual_dataset("entry/data/data", layout)
    return tmp_path / "master.h5"


def test_virtual_datasets_are_exact(notebook: Notebook, tmp_path: Path) -> None:
    data = stack("<u2")
    notebook.run(virtual(tmp_path, data), info("/entry/data/data", data), block=30_000)
    np.testing.assert_array_equal(results(notebook.folder)["sum"], data.sum(0))


def test_a_missing_part_is_an_error_not_zeros(notebook: Notebook, tmp_path: Path) -> None:
    data = stack("<u2")
    master = virtual(tmp_path, data)
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"part1\.h5"):
        notebook.run(master, info("/entry/data/data", data))


@pytest.mark.parametrize(
    ("kind", "bad"), [("<u2", 65535), ("<i4", -2), ("<f4", np.nan)], ids=["u2", "i4", "f4"]
)
def test_invalid_values_are_left_out_on_request(
    notebook: Notebook, tmp_path: Path, kind: str, bad: float
) -> None:
    data = np.abs(stack(kind, (9, 20, 30)) // 2).astype(kind)
    where = RANDOM.random(data.shape) < 0.2
    where[:, 4, 5] = True
    data[where] = bad
    store(tmp_path / "a.h5", data)
    notebook.run(
        tmp_path / "a.h5", info("/entry/data/data", data), mask_invalid=True, roi=[0, 20, 0, 30],
        block=3000, plots=True,
    )  # fmt: skip
    found, zeroed = results(notebook.folder), np.where(where, 0, data)
    np.testing.assert_allclose(found["sum"], zeroed.sum(0, dtype=found["sum"].dtype), rtol=1e-12)
    np.testing.assert_allclose(
        found["roi"], zeroed.sum((1, 2), dtype=found["roi"].dtype), rtol=1e-12
    )
    with h5py.File(notebook.folder / "projection.h5") as h5:
        frames = h5["entry/valid_frames/valid_frames"][...]
    np.testing.assert_array_equal(frames, (~where).sum(0))
    assert np.isnan(found["mean"][4, 5])
    assert np.isfinite(found["mean"][frames > 0]).all()
    json.loads((notebook.folder / "summary.json").read_text(), parse_constant=pytest.fail)


def test_one_image(notebook: Notebook, tmp_path: Path) -> None:
    data = stack("<i4", (40, 56))
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        h5["image"] = data
    notebook.run(tmp_path / "a.h5", info("/image", data, signal=False), plots=True)
    found = results(notebook.folder)
    np.testing.assert_array_equal(found["sum"], data)
    assert found["roi"] == [data[10:30, 14:42].sum()]


def test_max_frames(notebook: Notebook, tmp_path: Path) -> None:
    data = stack("<u2")
    store(tmp_path / "a.h5", data, chunks=(4, 40, 56))
    notebook.run(tmp_path / "a.h5", info("/entry/data/data", data), max_frames=6)
    np.testing.assert_array_equal(results(notebook.folder)["sum"], data[:6].sum(0))


def test_the_result_is_nexus_with_units_axes_and_a_way_back(
    notebook: Notebook, tmp_path: Path
) -> None:
    data = stack("<u2")
    store(tmp_path / "a.h5", data)
    notebook.run(tmp_path / "a.h5", info("/entry/data/data", data), plots=True)
    with h5py.File(notebook.folder / "projection.h5") as h5:
        assert h5.attrs["NX_class"] == "NXroot"
        entry = h5[h5.attrs["default"]]
        assert entry.attrs["NX_class"] == "NXentry"
        for group in (entry[entry.attrs["default"]], entry["mean"], entry["roi_series"]):
            assert group.attrs["NX_class"] == "NXdata"
            signal = group[group.attrs["signal"]]
            assert signal.attrs["units"] == "counts"
            axes = [group[name] for name in group.attrs["axes"]]
            assert tuple(len(axis) for axis in axes) == signal.shape
        assert list(entry["roi_series"].attrs["axes"]) == ["time"]
        assert entry["roi_series/time"].attrs["units"] == "s"
        assert entry["reduction"].attrs["NX_class"] == "NXprocess"
        assert entry["reduction/source_pid"].asstr()[()] == "p-1"
        assert entry["reduction/source_file"].asstr()[()] == str(tmp_path / "a.h5")
        assert entry["reduction/source_array"].asstr()[()] == "/entry/data/data"
    for name in ("projection.png", "roi-series.png"):
        assert (notebook.folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_signal_is_chosen_or_the_only_stack_or_nothing(
    notebook: Notebook, tmp_path: Path
) -> None:
    data, other = stack("<u2", (3, 20, 30)), stack("<u2", (8, 20, 30))
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        h5["a"], h5["b"], h5["line"] = data, other, np.arange(5)
    a, b = info("/a", data, signal=False), info("/b", other, signal=False)
    line = info("/line", np.arange(5), signal=True)
    file = tmp_path / "a.h5"
    assert notebook.run(file, a, info("/b", other), line)["path"] == "/b"
    assert notebook.run(file, line, a)["path"] == "/a"
    assert notebook.run(file, a, b, array="/a")["path"] == "/a"
    with pytest.raises(ValueError, match=r"several arrays could be meant.*\n.*/a"):
        notebook.run(file, a, b)
    with pytest.raises(ValueError, match="no image and no stack"):
        notebook.run(file, line)
    for wrong in ("/nowhere", "/"):
        with pytest.raises(ValueError, match="has no array"):
            notebook.run(file, a, array=wrong)
    with pytest.raises(ValueError, match="is no image"):
        notebook.run(file, a, array="/line")
    with pytest.raises(ValueError, match="outside of the image"):
        notebook.run(file, a, roi=[0, 21, 0, 5])
