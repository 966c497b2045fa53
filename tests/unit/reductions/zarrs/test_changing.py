"""Files of chunks that are damaged, missing, written later or replaced: told, never stale."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from nearfield.errors import DataFileError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import cache, open_stack
from nearfield.reductions.index.zarrs import shards

DATA = np.random.default_rng(0).integers(0, 999, (12, 8, 9)).astype("u2")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def array(path: Path, **more: Any) -> zarr.Array:
    made = zarr.create_array(path, shape=DATA.shape, chunks=(1, 8, 9), dtype="u2", **more)
    made[:] = DATA
    return made


def old(folder: Path) -> None:
    """As if nobody had written for an hour; the ctime stays."""
    for path in folder.rglob("*"):
        os.utime(path, ns=(path.stat().st_mtime_ns - 3600 * 10**9,) * 2)


def test_a_file_that_appears_later_is_seen(tmp_path: Path) -> None:
    made = array(tmp_path / "a.zarr", fill_value=5)
    made[:] = 5  # a chunk that is all fill has no file
    lazy = reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True)
    cut = xr.open_dataset(tmp_path / "a.zarr", engine="nearfield")["a"]
    assert not list((tmp_path / "a.zarr").glob("c/*/*/*"))
    made[3] = DATA[3]
    np.testing.assert_array_equal(lazy["sum"], 11 * 5 + DATA[3])
    np.testing.assert_array_equal(cut[2], np.full((8, 9), 5))
    with pytest.raises(DataFileError, match=r"frame 3.*replaced"):
        cut[3].load()


@pytest.mark.parametrize("shards", [None, (4, 8, 9)])
def test_a_file_that_is_written_anew_is_seen(tmp_path: Path, shards: Any) -> None:
    made = array(tmp_path / "a.zarr", shards=shards)
    lazy = reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True)
    cut = xr.open_dataset(tmp_path / "a.zarr", engine="nearfield")["a"]
    made[5] = 7
    changed = DATA.copy()
    changed[5] = 7
    np.testing.assert_array_equal(lazy["sum"], changed.sum(0))
    with pytest.raises(DataFileError, match=r"frame 5.*replaced"):
        cut[5].load()
    made.resize((20, 8, 9))
    grown = open_stack(tmp_path / "a.zarr")
    assert grown.shape == (20, 8, 9)
    np.testing.assert_array_equal(reduce_stack(grown, sum=True)["sum"], changed.sum(0))


def test_a_file_that_is_gone_is_the_fill_value_only_if_it_was_gone_before(tmp_path: Path) -> None:
    array(tmp_path / "a.zarr", fill_value=1)
    (tmp_path / "a.zarr/c/2/0/0").unlink()
    stack = open_stack(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/c/3/0/0").unlink()
    cut = xr.open_dataset(tmp_path / "a.zarr", engine="nearfield")["a"]
    (tmp_path / "a.zarr/c/4/0/0").unlink()
    with pytest.raises(DataFileError, match=r"frame 4.*cannot be opened"):
        cut[4].load()
    found = reduce_stack(stack, sum=True)  # which looks again, as long as nobody has read
    rest = np.delete(DATA, [2, 3, 4], 0)
    np.testing.assert_array_equal(found["sum"], rest.sum(0, dtype="i8") + 3)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: raw[:-1], "decode"),
        (lambda raw: b"", "decode"),
        (lambda raw: raw[:10] + bytes([raw[10] ^ 255]) + raw[11:], "decode|checksum"),
        (lambda raw: raw * 1000, "no sense"),
    ],
)
@pytest.mark.parametrize("codec", ["gzip", "crc32c"])
def test_damage_names_file_and_frame(tmp_path: Path, codec: str, damage: Any, words: str) -> None:
    kind = {"gzip": zarr.codecs.GzipCodec, "crc32c": zarr.codecs.Crc32cCodec}[codec]
    array(tmp_path / "a.zarr", compressors=[kind()])
    one = tmp_path / "a.zarr/c/5/0/0"
    one.write_bytes(damage(one.read_bytes()))
    with pytest.raises(DataFileError, match=rf"c/5/0/0.*frame 5.*({words}|checksum)"):
        reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True).load()
    with pytest.warns(UserWarning, match="1 of 12"):
        kept = reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True, errors="collect").load()
    np.testing.assert_array_equal(kept["sum"], np.delete(DATA, 5, 0).sum(0))


@pytest.mark.parametrize("damage", ["index", "short", "folder"])
def test_a_damaged_shard_is_an_error(tmp_path: Path, damage: str) -> None:
    array(tmp_path / "a.zarr", shards=(4, 8, 9))
    one = tmp_path / "a.zarr/c/1/0/0"
    raw = one.read_bytes()
    if damage == "index":
        one.write_bytes(raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:])
    elif damage == "short":
        one.write_bytes(raw[-30:])
    else:
        one.unlink()
        one.mkdir()
    with pytest.raises(DataFileError, match=r"c/1/0/0.*frames? 4"):
        reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True).load()


def test_the_index_of_a_shard_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = array(tmp_path / "a.zarr", shards=(2, 8, 9))
    read: list[int] = []
    inner = shards._index

    def counted(files: Any, number: int, *rest: Any) -> Any:
        read.append(number)
        return inner(files, number, *rest)

    monkeypatch.setattr(shards, "_index", counted)
    monkeypatch.setattr("nearfield.reductions.index.zarrs.chunk_files.FRESH", -1.0)
    for _ in range(2):
        stack = open_stack(tmp_path / "a.zarr")
        np.testing.assert_array_equal(reduce_stack(stack, sum=True)["sum"], DATA.sum(0))
        assert read == list(range(6))
    made[5] = 0
    open_stack(tmp_path / "a.zarr")
    assert read == [*range(6), 2]


def test_the_index_of_a_young_shard_is_not_kept(tmp_path: Path) -> None:
    array(tmp_path / "a.zarr", shards=(2, 8, 9))
    old(tmp_path / "a.zarr")  # its ctime tells
    open_stack(tmp_path / "a.zarr")
    assert not list((tmp_path / "cache").rglob("*"))


def test_a_damaged_entry_of_the_cache_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array(tmp_path / "a.zarr", shards=(2, 8, 9))
    monkeypatch.setattr("nearfield.reductions.index.zarrs.chunk_files.FRESH", -1.0)
    open_stack(tmp_path / "a.zarr")
    [entry] = (tmp_path / "cache/nearfield/index").iterdir()
    for text in (b"", entry.read_bytes()[:100], b"PK"):
        entry.write_bytes(text)
        found = reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True)
        np.testing.assert_array_equal(found["sum"], DATA.sum(0))
    cache.save_arrays(entry.name, {"files": np.zeros(3)})
    found = reduce_stack(open_stack(tmp_path / "a.zarr"), sum=True)
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))
