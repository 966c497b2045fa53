"""What a person means otherwise is refused, with words on what to do; nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import nearfield
from nearfield.errors import CatalogueError, DataFileError, UsageError

DATA = np.arange(5 * 3 * 4, dtype="u2").reshape(5, 3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/d"] = DATA
        file["entry/more"] = DATA
        file["entry/elsewhere"] = h5py.ExternalLink("other.h5", "d")
    return tmp_path / "a.h5"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"mean": "y"}, "mean='y': it is True or False"),
        ({"sum": 2}, "sum=2: it is True or False"),
        ({"count": (0, 1)}, "by= groups them"),
        ({"mean": True, "saturation": True}, "saturation=True is no raw value"),
        ({"mean": True, "saturation": [3, 4]}, "saturation is (2,), it is one number"),
        ({"mean": True, "monitor": "i0"}, "monitor holds no numbers\n  give the values themselves"),
        ({"mean": True, "dark": Path("dark.tif")}, "dark holds no numbers\n  give the values"),
        ({"masks": {"a": "mask.npy"}}, "mask 'a' holds no numbers\n  give the array itself"),
        ({"mean": True, "array": 3}, "array=3 is no name"),
        ({"mean": True, "workers": "2"}, "workers='2' is no number of threads"),
        ({"mean": True, "array": "entry"}, "'entry' is a group\n  name a dataset in it: d, more"),
    ],
)
def test_a_value_of_another_kind(path: Path, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        nearfield.reduce(path, **{"array": "entry/d", **asked})
    assert words in str(caught.value)


def test_numpys_truth_values_are_taken(path: Path) -> None:
    found = nearfield.reduce(path, array="entry/d", sum=np.True_, mean=np.False_)
    assert set(found.data_vars) == {"sum"}
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"workers": 0}, "one thread at least"),
        ({"workers": "2"}, "no number of threads"),
        ({"progress": "bar"}, "progress='bar'"),
    ],
)
def test_how_it_is_computed(path: Path, how: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(path, array="entry/d", sum=True).nearfield.compute(**how)


def test_a_dataset_of_another_maker_is_no_result() -> None:
    with pytest.raises(UsageError, match=r"not what nearfield\.reduce gave"):
        xr.Dataset({"a": 1}).nearfield.compute()


def test_sources_that_are_something_else(path: Path) -> None:
    array = xr.DataArray(DATA, dims=("t", "y", "x"))
    for source, words in (
        (DATA, r"ndarray.*\n.*frame_ndim=2"),
        (array, r"DataArray.*\n.*array\.nearfield\.reduce"),
        (array.to_dataset(name="a"), r"Dataset.*\n.*ds\[NAME\]\.nearfield\.reduce"),
        (" ", "an empty text"),
        ("s3://bucket/scan.zarr", "is an address"),
    ):
        with pytest.raises(UsageError, match=words):
            nearfield.reduce(source, mean=True)
    with h5py.File(path) as file, pytest.raises(UsageError, match=r"give its path, '.*a\.h5'"):
        nearfield.reduce(file, mean=True)


def test_a_name_that_is_no_file_was_taken_for_a_pid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("NEARFIELD_CONFIG", raising=False)
    with pytest.raises(CatalogueError) as caught:
        nearfield.reduce("scan17", mean=True)
    assert caught.value.__notes__ == ["'scan17' was taken for a PID: there is no such file here"]


def test_files_that_are_not_whole_or_of_another_format(path: Path, tmp_path: Path) -> None:
    (tmp_path / "short.h5").write_bytes(path.read_bytes()[:700])
    (tmp_path / "notes.h5").write_text("notes")
    for name, words in (("short.h5", "copied or written in part"), ("notes.h5", "no HDF5 file")):
        with pytest.raises(DataFileError, match=words):
            nearfield.reduce(tmp_path / name, array="d", mean=True)
    with pytest.raises(DataFileError, match="numbered images in it are a pattern"):
        nearfield.reduce(tmp_path, mean=True)
