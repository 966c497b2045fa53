"""Any virtual dataset that can be drawn is what h5py reads of it: sources in any storage, mosaics,
any order and stride, nested, missing, gaps. What the index refuses is counted, so that this test
cannot pass by refusing all."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.reductions.index import files, open_stack
from stacklab.assembling import assembled

CASES = 500
outcomes: Counter[str] = Counter()


@dataclass(frozen=True)
class Lay:
    """Frames of a source in frames of a virtual dataset, and a box of them."""

    source: int
    first: int
    step: int
    count: int
    to: int
    spacing: int
    of: tuple[int, int]
    at: tuple[int, int]
    box: tuple[int, int]


@dataclass(frozen=True)
class Level:
    shape: tuple[int, int, int]
    fill: int
    lays: tuple[Lay, ...]


@dataclass(frozen=True)
class Source:
    shape: tuple[int, int, int]
    chunk: tuple[int, int, int] | None
    swapped: bool
    missing: bool


def shapes() -> st.SearchStrategy[tuple[int, int, int]]:
    return st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 6))


@st.composite
def sources(draw: st.DrawFn) -> Source:
    shape = draw(shapes())
    chunk = draw(st.none() | st.tuples(*(st.integers(1, n) for n in shape)))
    return Source(shape, chunk, draw(st.booleans()), draw(st.integers(0, 5)) == 0)


@st.composite
def levels(draw: st.DrawFn, below: list[tuple[int, int, int]]) -> Level:
    shape = draw(shapes())
    lays = []
    for _ in range(draw(st.integers(1, 6))):
        number = draw(st.integers(0, len(below) - 1))
        have = below[number]
        count = draw(st.integers(1, min(shape[0], have[0])))
        step = draw(st.integers(1, max(1, (have[0] - 1) // max(1, count - 1)))) if count > 1 else 1
        space = (
            draw(st.integers(1, max(1, (shape[0] - 1) // max(1, count - 1)))) if count > 1 else 1
        )
        box = tuple(
            draw(st.integers(1, min(a, b))) for a, b in zip(shape[1:], have[1:], strict=True)
        )
        lays.append(
            Lay(
                number,
                draw(st.integers(0, have[0] - 1 - step * (count - 1))),
                step,
                count,
                draw(st.integers(0, shape[0] - 1 - space * (count - 1))),
                space,
                tuple(draw(st.integers(0, a - n)) for a, n in zip(have[1:], box, strict=True)),
                tuple(draw(st.integers(0, a - n)) for a, n in zip(shape[1:], box, strict=True)),
                box,
            )
        )
    return Level(shape, draw(st.integers(0, 3)), tuple(lays))


@st.composite
def nests(draw: st.DrawFn) -> tuple[list[Source], list[Level]]:
    ground = draw(st.lists(sources(), min_size=1, max_size=4))
    below = [one.shape for one in ground]
    above: list[Level] = []
    for _ in range(draw(st.integers(1, 3))):
        level = draw(levels(below))
        above.append(level)
        below.append(level.shape)
    return ground, above


def write(folder: Path, ground: list[Source], above: list[Level]) -> Path:
    for number, one in enumerate(ground):
        if one.missing:
            continue
        data = np.random.default_rng(number).integers(10, 2**15, one.shape)
        with h5py.File(folder / f"{number}.h5", "w") as file:
            kind = ">u2" if one.swapped else "<u2"
            file.create_dataset("d", data=data.astype(kind), chunks=one.chunk)
    for number, level in enumerate(above, len(ground)):
        layout = h5py.VirtualLayout(level.shape, "u2")
        shapes = [one.shape for one in (*ground, *above)]
        for lay in level.lays:
            source = h5py.VirtualSource(f"{lay.source}.h5", "d", shapes[lay.source])
            frames = slice(lay.first, lay.first + lay.step * lay.count, lay.step)
            onto = slice(lay.to, lay.to + lay.spacing * lay.count, lay.spacing)
            of = tuple(slice(a, a + n) for a, n in zip(lay.of, lay.box, strict=True))
            at = tuple(slice(a, a + n) for a, n in zip(lay.at, lay.box, strict=True))
            layout[(onto, *at)] = source[(frames, *of)]
        with h5py.File(folder / f"{number}.h5", "w") as file:
            file.create_virtual_dataset("d", layout, fillvalue=level.fill)
    return folder / f"{len(ground) + len(above) - 1}.h5"


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(nests())
def _check(nest: tuple[list[Source], list[Level]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), *nest)
        stack = open_stack(path, "d")
        if stack.refused is not None:
            assert "on each other" in stack.refused, stack.refused
            outcomes["refused"] += 1
            return
        with h5py.File(path) as file:
            expected = file["d"][()]
        np.testing.assert_array_equal(assembled(stack), expected)
        outcomes[
            "nested" if any(p.step != 1 or p.frames is not None for p in stack.parts) else "plain"
        ] += 1
        outcomes["right"] += 1


def test_any_virtual_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_TICK", 0.0)  # nothing changes while it is read here
    outcomes.clear()
    _check()
    assert outcomes["right"] >= CASES // 3, outcomes
    assert outcomes["nested"] >= CASES // 20, outcomes
