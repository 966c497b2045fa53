"""Which array of a hierarchy is meant, its names and coordinates, and where its files are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import nearfield
from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index import open_stack
from nearfield.reductions.index.zarrs import chunk_files
from nearfield.reductions.index.zarrs.layout import Keys
from nearfield.reductions.source import is_path

DATA = np.random.default_rng(0).integers(0, 99, (7, 8, 9))


@pytest.mark.filterwarnings("ignore")  # text is no part of version 3 yet, the library says
@pytest.mark.parametrize("version", [2, 3])
def test_what_xarray_wrote_is_opened_with_its_names(tmp_path: Path, version: int) -> None:
    written = xr.Dataset(
        {"counts": (("energy", "y", "x"), DATA, {"units": "counts"})},
        {
            "energy": ("energy", np.arange(7.0) * 2, {"units": "keV", "long_name": "energy"}),
            "sample": ("y", list("abcdefgh")),
            "x": np.arange(9),
        },
    )
    path = tmp_path / "a.zarr"
    written.to_zarr(path, zarr_format=version)
    found = xr.open_dataset(path, engine="nearfield", chunks={})
    xr.testing.assert_equal(found.load(), written)
    assert found["counts"].attrs["units"] == "counts"
    assert found["energy"].attrs == {"units": "keV", "long_name": "energy"}
    result = nearfield.reduce(path, array="counts", mean=True, by="energy").load()
    np.testing.assert_array_equal(result["mean"], DATA)
    assert result["mean"].dims == ("energy", "y", "x")
    assert result.attrs["source_dataset"] == "/counts"
    assert result.attrs["signal_units"] == "counts"
    assert result["energy"].values.tolist() == [0, 2, 4, 6, 8, 10, 12]


def test_the_array_is_found(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr")
    root.create_array("deep/data", data=DATA)
    root.create_array("other", data=np.zeros(3))
    for name in (None, "deep", "deep/data", "/deep/data/"):
        assert open_stack(tmp_path / "a.zarr", name).shape == (7, 8, 9)
    assert open_stack(tmp_path / "a.zarr/deep/data").shape == (7, 8, 9)
    with pytest.raises(UsageError, match="there is no 'deep/dat'") as error:
        open_stack(tmp_path / "a.zarr", "deep/dat")
    assert "deep/data [7, 8, 9]" in str(error.value.hint)
    with pytest.raises(UsageError, match="there is no"):
        open_stack(tmp_path / "a.zarr/deep", "../other")
    root.create_array("more", data=DATA)
    with pytest.raises(UsageError, match="which of 2 arrays") as error:
        open_stack(tmp_path / "a.zarr")
    assert "more [7, 8, 9]" in str(error.value.hint)
    root.attrs["signal"] = "more"
    assert open_stack(tmp_path / "a.zarr").held[0].name == "/more"
    assert is_path("a.zarr")
    assert is_path(str(tmp_path / "a.zarr/deep"))
    assert not is_path(str(tmp_path)[1:])


@pytest.mark.parametrize("version", [2, 3])
def test_the_first_image_of_ome_zarr_is_taken(tmp_path: Path, version: Any) -> None:
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=version)
    root.create_array("0", data=DATA)
    root.create_array("1", data=DATA[:, ::2, ::2])
    scales = [{"version": "0.5", "datasets": [{"path": "0"}, {"path": "1"}]}]
    root.attrs.update({"ome": {"multiscales": scales}} if version == 3 else {"multiscales": scales})
    assert open_stack(tmp_path / "a.zarr").shape == (7, 8, 9)


def test_dimensions_without_a_name_get_one(tmp_path: Path) -> None:
    for names, dims in [
        (["t", None, "x"], ("t", "y", "x")),
        ([None, "x", None], ("frame", "x", "dim_2")),
        (None, ("frame", "y", "x")),
    ]:
        zarr.create_array(tmp_path / "a", data=DATA, dimension_names=names, overwrite=True)
        assert xr.open_dataset(tmp_path / "a", engine="nearfield")["a"].dims == dims


@pytest.mark.parametrize("keys", [Keys("c", "/"), Keys("c", "."), Keys("", "/"), Keys("", ".")])
@pytest.mark.parametrize("grid", [(3,), (30,), (3, 1), (7, 3, 5), (30, 1, 1), (1, 1, 30), (9, 2)])
def test_only_what_is_a_key_is_a_file(tmp_path: Path, keys: Keys, grid: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    files = chunk_files.ChunkFiles(str(tmp_path), keys, grid, np.zeros((4, int(np.prod(grid)))))
    there = rng.random(len(files)) < 0.5
    for number in np.flatnonzero(there).tolist():
        path = Path(files.path(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(number))
    folder = tmp_path / keys.first
    for odd in ("00", "-1", "x", "1e0", "٣", "99999999999999999999", "30", "c.30", "c.01.0.0"):
        if not (folder / odd).exists():
            folder.mkdir(exist_ok=True)
            (folder / odd).write_bytes(b"odd")
    found = chunk_files.listed(str(tmp_path), keys, grid)
    assert found.size.tolist() == [i if here else -1 for i, here in enumerate(there.tolist())]
    for number in np.flatnonzero(there).tolist():
        assert found[number].inode == os.stat(files.path(number)).st_ino  # noqa: PTH116
        assert found.as_indexed(number)


def test_each_file_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    inner = chunk_files._stat

    def counted(path: str) -> Any:
        looks.append(path)
        return inner(path)

    monkeypatch.setattr(chunk_files, "_stat", counted)
    monkeypatch.setattr("nearfield.reductions.index.files._TICK", 0.0)
    for key in ("/", "."):
        zarr.create_array(tmp_path / "a", data=np.arange(1, 3001).reshape(1500, 2), chunks=(1, 2),
                          chunk_key_encoding={"name": "default", "separator": key},
                          overwrite=True)  # fmt: skip
        looks.clear()
        open_stack(tmp_path / "a")
        assert len(looks) == 1500


def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr.create_array(tmp_path / "a", data=DATA, chunks=(1, 2, 2))

    def refuse(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(chunk_files.os, "scandir", refuse)
    with pytest.raises(DataFileError, match=r"c.*Permission denied"):
        open_stack(tmp_path / "a")
