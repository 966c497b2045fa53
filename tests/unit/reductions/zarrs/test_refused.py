"""What is not understood is refused, and the zarr library reads it; what it cannot read is told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.codecs import BytesCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

from nearfield.errors import BlockedError, DataFileError, UsageError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

DATA = np.random.default_rng(0).integers(-99, 99, (7, 8, 9)).astype("i2")
SMALL = {"shape": DATA.shape, "chunks": (2, 8, 4), "dtype": "i2"}
NESTED = ShardingCodec(chunk_shape=(2, 4, 4), codecs=[ShardingCodec(chunk_shape=(1, 4, 4))])
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "transposed": ({"codecs": [TransposeCodec(order=(2, 0, 1)), BytesCodec()]}, "in the order"),
    "twice compressed": ({"codecs": [BytesCodec(), GzipCodec(), ZstdCodec()]}, "more than one"),
    "compressed shards": ({"codecs": [ShardingCodec(chunk_shape=(2, 4, 4)), GzipCodec()]}, "again"),
    "shards of shards": ({"codecs": [NESTED]}, "its shards hold shards"),
    "Fortran's order": ({"zarr_format": 2, "order": "F"}, "in the order 'F'"),
}


@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_the_library_reads_what_is_refused(tmp_path: Path, case: str) -> None:
    asked, words = REFUSED[case]
    array = zarr.create(store=tmp_path / "a.zarr", **{**SMALL, "chunks": (2, 8, 8), **asked})
    array[:6] = DATA[:6]
    whole = np.asarray(array[:])
    stack = open_stack(tmp_path / "a.zarr")
    if case != "twice compressed":  # only whoever decodes it knows that
        assert words in str(stack.refused)
    found = reduce_stack(stack, sum=True, roi=(slice(1, 4), slice(2, 9)), frames=slice(1, 7, 2))
    np.testing.assert_array_equal(found["sum"], whole[1::2].sum(0))
    np.testing.assert_array_equal(found["roi"], whole[1::2, 1:4, 2:9].sum((1, 2)))
    lazy = xr.open_dataset(tmp_path / "a.zarr", engine="nearfield")["a"]
    np.testing.assert_array_equal(lazy[2:5, :, 3:], whole[2:5, :, 3:])
    again = xr.open_dataset(tmp_path / "a.zarr", engine="nearfield")["a"]
    np.testing.assert_array_equal(again[3:].nearfield.reduce(max=True)["max"], whole[3:].max(0))


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr.create(store=tmp_path / "a.zarr", codecs=[TransposeCodec(order=(2, 0, 1)), BytesCodec()],
                **SMALL)[:] = DATA  # fmt: skip
    zarr.create_array(tmp_path / "b.zarr", **SMALL)[:] = DATA
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(BlockedError, match="only the zarr library") as error:
        open_stack(tmp_path / "a.zarr")
    assert "'zarr'" in str(error.value.hint)
    found = reduce_stack(open_stack(tmp_path / "b.zarr"), sum=True)
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))


DOCUMENT: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [3, 4, 5],
    "data_type": "int16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 4, 5]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "attributes": {},
}
ODD: list[dict[str, Any]] = [
    {"shape": [3, 4, -5]},
    {"shape": [3, 4, True]},
    {"shape": "345"},
    {"shape": None},
    {"data_type": {"name": "x"}},
    {"data_type": ["int16"]},
    {"data_type": "int16 "},
    {"chunk_grid": {"name": "rectilinear", "configuration": {}}},
    {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 4]}}},
    {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 4, 5]}}},
    {"chunk_grid": None},
    {"chunk_key_encoding": {"name": "mine"}},
    {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "-"}}},
    {"fill_value": 40000},
    {"fill_value": 0.5},
    {"fill_value": True},
    {"fill_value": "NaN"},
    {"fill_value": None},
    {"fill_value": [1]},
    {"data_type": "float32", "fill_value": "0x7fc0000000"},
    {"data_type": "float32", "fill_value": "0xyz"},
    {"data_type": "bool", "fill_value": 2},
    {"data_type": "bool", "fill_value": "true"},
    {"data_type": "float32", "fill_value": 10**400},
    {"codecs": []},
    {"codecs": None},
    {"codecs": [None]},
    {"codecs": [{"name": "bytes"}]},
    {"codecs": [{"name": "bytes", "configuration": {"endian": ["little"]}}]},
    {"codecs": [{"name": "vlen-utf8"}]},
    {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "mine"}]},
    {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "blosc"}]},
    {"codecs": [{"name": "sharding_indexed"}]},
    {"codecs": [{"name": "transpose", "configuration": {"order": [0, 1]}}]},
    {"storage_transformers": [{"name": "mine"}]},
    {"something": {"name": "new"}},
    {"shape": [10**12, 4, 5]},
]


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_no_document_is_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "zarr.json").write_text(json.dumps(DOCUMENT))
    assert open_stack(tmp_path).refused is None
    (tmp_path / "zarr.json").write_text(json.dumps({**DOCUMENT, **odd}))
    try:
        assert "table holds" in str(open_stack(tmp_path).refused)
    except BlockedError:
        pass
    else:
        assert odd == ODD[-1]


def test_a_document_that_is_none_is_an_error(tmp_path: Path) -> None:
    for text in ("", "[]", "{", "[" * 100_000, '{"zarr_format": 4}', "{}"):
        (tmp_path / "zarr.json").write_text(text)
        with pytest.raises(DataFileError, match=r"zarr\.json"):
            open_stack(tmp_path)
    (tmp_path / "zarr.json").unlink()
    with pytest.raises(DataFileError, match="no Zarr array or group"):
        open_stack(tmp_path)
    with pytest.raises(DataFileError, match="no such file"):
        open_stack(tmp_path / "a.zarr")


def test_what_holds_no_numbers_is_told(tmp_path: Path) -> None:
    for shape, kind, words in [
        ((), "i2", "no array of numbers"),
        ((3, 4), "complex64", "no array of numbers"),
        ((3, 0, 4), "i2", "without a pixel"),
    ]:
        zarr.create_array(tmp_path, shape=shape, dtype=kind, chunks=(1,) * len(shape),
                          overwrite=True)  # fmt: skip
        with pytest.raises(UsageError, match=words):
            open_stack(tmp_path)


def test_a_pipe_in_place_of_a_document_or_chunk_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "zarr.json")
    with pytest.raises(DataFileError, match="no file"):
        open_stack(tmp_path)
    (tmp_path / "zarr.json").unlink()
    zarr.create_array(tmp_path, data=DATA, chunks=(1, 8, 9), overwrite=True)
    (tmp_path / "c/3/0/0").unlink()
    os.mkfifo(tmp_path / "c/3/0/0")
    with pytest.raises(DataFileError, match=r"c/3/0/0.*frame 3"):
        reduce_stack(open_stack(tmp_path), sum=True).load()


def test_it_has_no_geometry_of_its_own(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", **SMALL)
    with pytest.raises(UsageError, match="nothing of its detector's place"):
        reduce_stack(open_stack(tmp_path / "a.zarr"), azimuthal="file")
