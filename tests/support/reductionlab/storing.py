"""Random stacks in HDF5 files: any storage, filter, type and order of bytes; virtual ones too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from hypothesis import strategies as st

Shape = tuple[int, ...]
KINDS = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "?")
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "deflate": {"compression": "gzip"},
    "lzf": {"compression": "lzf"},
    "shuffle": {"shuffle": True},
    "checksum": {"fletcher32": True},
    "all of HDF5's": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lz4": dict(hdf5plugin.LZ4()),
    "zstd": dict(hdf5plugin.Zstd()),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "blosc": dict(hdf5plugin.Blosc(cname="blosclz", shuffle=hdf5plugin.Blosc.NOSHUFFLE)),
    "blosc lz4": dict(hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.SHUFFLE)),
    "blosc zstd": dict(hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.BITSHUFFLE)),
}
_BLIND = ("none", "shuffle", "bitshuffle")
"""Filters that take any bytes."""


@dataclass(frozen=True)
class Data:
    """What the frames hold: drawn from ``seed``."""

    kind: str
    seed: int
    wide: bool
    """Values of the type's whole range; else small ones."""
    odd: bool
    """Floats with NaN and infinities among them."""

    def array(self, shape: Shape, salt: int = 0) -> np.ndarray:
        rng = np.random.default_rng((self.seed, salt))
        if self.kind == "?":
            return rng.random(shape) < (0.5 if self.wide else 0.1)
        if self.kind[0] in "ui":
            limits = np.iinfo(self.kind)
            low, high = (limits.min, limits.max) if self.wide else (max(limits.min, -20), 100)
            made = rng.integers(low, high, shape, self.kind, endpoint=True)
            if self.wide:
                ends = rng.choice(np.array([low, high], self.kind), shape)
                made = np.where(rng.random(shape) < 0.2, ends, made)
            return made.astype(self.kind)
        made = rng.normal(3, 5, shape)
        if self.wide:
            made *= 10.0 ** rng.integers(
                *{"2": (-6, 4), "4": (-30, 30)}.get(self.kind[1], (-99, 99))
            )
        if self.odd:
            some = rng.random(shape)
            made[some < 0.15] = np.nan
            made[some > 0.97] = np.inf
            made[some > 0.985] = -np.inf
        return made.astype(self.kind)


@dataclass(frozen=True)
class Store:
    """A dataset of its own: contiguous without ``chunk``."""

    shape: Shape
    chunk: Shape | None
    filter: str
    swapped: bool
    fill: int
    written: int
    """Frames along the first axis that were ever written; the others are the fill value."""
    missing: bool = False
    """As a source of a virtual dataset: the file is not there."""
    damaged: int = 0
    """Of ten chunks: so many are overwritten, where a filter sees that."""


@dataclass(frozen=True)
class Lay:
    """Frames of a source in frames of a virtual dataset, and a box of them."""

    source: int
    taken: slice
    onto: slice
    of: tuple[slice, ...]
    at: tuple[slice, ...]


@dataclass(frozen=True)
class Level:
    shape: Shape
    fill: int
    lays: tuple[Lay, ...]


@dataclass(frozen=True)
class Case:
    """A stack: stores, and virtual datasets on top of each other; the last one is the stack."""

    data: Data
    frame_ndim: int
    stores: tuple[Store, ...]
    levels: tuple[Level, ...]


def frames() -> st.SearchStrategy[Shape]:
    return st.one_of(
        st.tuples(st.integers(1, 24)),
        st.tuples(st.integers(1, 8), st.integers(1, 9)),
        st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    )


@st.composite
def stores(draw: st.DrawFn, frame: Shape, outer: Shape, *, source: bool = False) -> Store:
    shape = (*outer, *frame)
    how = draw(st.sampled_from(["contiguous", "a frame", "some frames", "tiles"]))
    if how == "contiguous":
        chunk = None
    elif how == "tiles":
        chunk = tuple(draw(st.integers(1, n)) for n in shape)
    else:
        each = (
            (1,) * len(outer) if how == "a frame" else tuple(draw(st.integers(1, n)) for n in outer)
        )
        chunk = (*each, *frame)
    return Store(
        shape,
        chunk,
        draw(st.sampled_from(sorted(FILTERS))) if chunk else "none",
        draw(st.booleans()),
        draw(st.integers(0, 1)),
        draw(st.just(shape[0]) | st.integers(0, shape[0])),
        source and draw(st.integers(0, 5)) == 0,
        draw(st.sampled_from([0, 0, 0, 1, 4, 10])),
    )


@st.composite
def _spread(draw: st.DrawFn, have: int, room: int) -> tuple[slice, slice]:
    """Some of ``have`` frames, in even steps, onto some of ``room``."""
    count = draw(st.integers(1, min(have, room)))
    found = []
    for length in (have, room):
        step = draw(st.integers(1, max(1, (length - 1) // max(1, count - 1))))
        first = draw(st.integers(0, length - 1 - step * (count - 1)))
        found.append(slice(first, first + step * (count - 1) + 1, step))
    return found[0], found[1]


@st.composite
def _box(draw: st.DrawFn, have: Shape, room: Shape) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    if have == room and draw(st.booleans()):
        whole = tuple(slice(0, n) for n in have)
        return whole, whole
    of, at = [], []
    for a, b in zip(have, room, strict=True):
        size = draw(st.integers(1, min(a, b)))
        for length, found in ((a, of), (b, at)):
            corner = draw(st.integers(0, length - size))
            found.append(slice(corner, corner + size))
    return tuple(of), tuple(at)


@st.composite
def levels(draw: st.DrawFn, below: list[Shape], frame: Shape) -> Level:
    room = draw(st.integers(1, 12))
    lays: list[Lay] = []
    numbers = draw(st.lists(st.integers(0, len(below) - 1), min_size=1, max_size=4))
    # One after the other, in any order of the sources; else anywhere, on each other too.
    if apart := draw(st.integers(0, 3)) > 0:
        room = 2 * len(numbers)
    for source in numbers:
        taken, onto = draw(_spread(below[source][0], 2 if apart else room))
        if apart:
            onto = slice(onto.start + 2 * len(lays), onto.stop + 2 * len(lays), onto.step)
        of, at = draw(_box(below[source][1:], frame))
        lays.append(Lay(source, taken, onto, of, at))
    return Level((room, *frame), draw(st.integers(0, 1)), tuple(lays))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    data = Data(
        draw(st.sampled_from(KINDS)),
        draw(st.integers(0, 2**32)),
        draw(st.booleans()),
        draw(st.booleans()),
    )
    frame = draw(frames())
    if draw(st.booleans()):
        number = st.integers(1, 12)
        outer = draw(st.tuples(number) | st.tuples(st.integers(1, 4), st.integers(1, 4)))
        return Case(data, len(frame), (draw(stores(frame, outer)),), ())
    ground = draw(
        st.lists(
            st.integers(1, 9).flatmap(lambda n: stores(frame, (n,), source=True)),
            min_size=1,
            max_size=3,
        )
    )
    shapes = [one.shape for one in ground]
    above = []
    for _ in range(draw(st.integers(1, 2))):
        above.append(draw(levels(shapes, frame)))
        shapes.append(above[-1].shape)
    return Case(data, len(frame), tuple(ground), tuple(above))


def write(folder: Path, case: Case) -> Path:
    """Files ``0.h5``, ``1.h5``, … with a dataset ``d``; gives the last one's path."""
    kind = np.dtype(case.data.kind)
    for number, one in enumerate(case.stores):
        if one.missing:
            continue
        with h5py.File(folder / f"{number}.h5", "w") as file:
            made = file.create_dataset(
                "d",
                one.shape,
                kind.newbyteorder() if one.swapped else kind,
                chunks=one.chunk,
                fillvalue=kind.type(one.fill),
                **FILTERS[one.filter],
            )
            if one.written:
                made[: one.written] = case.data.array(one.shape, number)[: one.written]
        if one.damaged and one.filter not in _BLIND:
            _damage(folder / f"{number}.h5", np.random.default_rng(case.data.seed), one.damaged)
    shapes = [each.shape for each in (*case.stores, *case.levels)]
    for number, level in enumerate(case.levels, len(case.stores)):
        layout = h5py.VirtualLayout(level.shape, kind)
        for lay in level.lays:
            source = h5py.VirtualSource(f"{lay.source}.h5", "d", shapes[lay.source])
            layout[(lay.onto, *lay.at)] = source[(lay.taken, *lay.of)]
        with h5py.File(folder / f"{number}.h5", "w") as file:
            file.create_virtual_dataset("d", layout, fillvalue=kind.type(level.fill))
    return folder / f"{len(shapes) - 1}.h5"


def damaged(case: Case) -> bool:
    """Are there chunks of it that cannot be read, most likely?"""
    return any(
        one.damaged >= 4
        and one.filter not in _BLIND
        and one.written == one.shape[0]
        and not one.missing
        for one in case.stores
    )


def _damage(path: Path, rng: np.random.Generator, of_ten: int) -> None:
    """Some chunks of its dataset, to bytes that none of these filters takes."""
    with h5py.File(path) as file:
        dataset = file["d"].id
        chunks = [dataset.get_chunk_info(i) for i in range(dataset.get_num_chunks())]
    with path.open("r+b") as raw:
        for chunk in chunks:
            if rng.random() * 10 < of_ten:
                raw.seek(chunk.byte_offset)
                raw.write(b"\x4f" * chunk.size)  # as floats they can be squared, too
