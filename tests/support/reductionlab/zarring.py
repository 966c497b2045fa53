"""Random Zarr arrays, written by the zarr library: any codec, chunking, shards, keys, fill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from hypothesis import strategies as st
from numcodecs import Blosc, GZip, Shuffle, Zlib, Zstd
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, ZstdCodec

from reductionlab.storing import KINDS, Data, Shape, frames

CODECS: dict[str, list[Any]] = {
    "none": [],
    "gzip": [GzipCodec(level=3)],
    "zstd": [ZstdCodec(level=1)],
    "zstd with a checksum": [ZstdCodec(level=1, checksum=True)],
    "blosc lz4": [BloscCodec(cname="lz4", typesize=2, shuffle="shuffle")],
    "blosc zstd": [BloscCodec(cname="zstd", typesize=4, shuffle="bitshuffle")],
    "blosclz": [BloscCodec(cname="blosclz", typesize=1, shuffle="noshuffle")],
    "checksum": [Crc32cCodec()],
    "gzip, checksum": [GzipCodec(level=1), Crc32cCodec()],
    "zstd, two checksums": [ZstdCodec(level=1), Crc32cCodec(), Crc32cCodec()],
}
OLD: dict[str, dict[str, Any]] = {
    "none": {"compressors": None},
    "gzip": {"compressors": GZip(2)},
    "zlib": {"compressors": Zlib(2)},
    "zstd": {"compressors": Zstd(1)},
    "blosc": {"compressors": Blosc(cname="lz4hc", shuffle=Blosc.SHUFFLE)},
    "shuffle, zlib": {"compressors": Zlib(2), "filters": Shuffle},
}


@dataclass(frozen=True)
class Case:
    data: Data
    frame_ndim: int
    shape: Shape
    chunk: Shape
    shard: Shape | None
    version: int
    codec: str
    swapped: bool
    at_start: bool
    key: tuple[str, str]
    fill: float
    written: int
    """Frames along the first axis that were ever written."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    data = Data(
        draw(st.sampled_from(KINDS)), draw(st.integers(0, 2**32)), draw(st.booleans()), False
    )
    frame = draw(frames())
    number = st.integers(1, 9)
    shape = (*draw(st.tuples(number) | st.tuples(st.integers(1, 4), st.integers(1, 4))), *frame)
    chunk = tuple(draw(st.integers(1, n + 1)) for n in shape)
    version = draw(st.sampled_from([3, 3, 2]))
    shard = None
    if version == 3 and draw(st.booleans()):
        shard = tuple(c * draw(st.integers(1, 3)) for c in chunk)
    fills = [0, 1, 7]
    if data.kind[0] == "f":
        fills += [float("nan"), float("-inf"), 0.1]
    return Case(
        data,
        len(frame),
        shape,
        chunk,
        shard,
        version,
        draw(st.sampled_from(sorted(CODECS if version == 3 else OLD))),
        draw(st.booleans()),
        draw(st.booleans()),
        (draw(st.sampled_from(["default", "v2"])), draw(st.sampled_from("/."))),
        draw(st.sampled_from(fills)),
        draw(st.just(shape[0]) | st.integers(0, shape[0])),
    )


def write(path: Path, case: Case) -> np.ndarray:
    """The array at ``path``; gives what the library reads."""
    kind = np.dtype(case.data.kind)
    if case.version == 2:
        how = dict(OLD[case.codec])
        if "filters" in how:
            how["filters"] = [how["filters"](kind.itemsize)]
        made = zarr.create_array(
            path,
            shape=case.shape,
            chunks=case.chunk,
            dtype=kind.newbyteorder() if case.swapped else kind,
            fill_value=case.fill,
            zarr_format=2,
            chunk_key_encoding={"name": "v2", "separator": case.key[1]},
            **how,
        )
    else:
        codecs = [BytesCodec(endian="big" if case.swapped else "little"), *CODECS[case.codec]]
        if case.shard is not None:
            where = "start" if case.at_start else "end"
            sharded = ShardingCodec(chunk_shape=case.chunk, codecs=codecs, index_location=where)
            codecs = [sharded]
        made = zarr.create(
            store=path,
            shape=case.shape,
            chunks=case.shard or case.chunk,
            dtype=kind,
            fill_value=case.fill,
            zarr_format=3,
            codecs=codecs,
            chunk_key_encoding=case.key,
        )
    if case.written:
        made[: case.written] = case.data.array(case.shape)[: case.written]
    return np.asarray(made[:])
