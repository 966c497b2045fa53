"""Random reductions: what one may ask ``nearfield.reduce`` for, of frames of some shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nearfield
from nearfield.reductions.kernels.azimuthal import Azimuthal

Shape = tuple[int, ...]


@nearfield.reduction
def ends(frame: Any, number: int) -> Any:
    """First and last pixel, and which frame it is."""
    flat = frame.ravel()
    return flat[0], number, flat[-1]


def _later(left: Any, right: Any) -> None:
    left[:] = np.where(np.isnan(right), left, right)


@nearfield.reduction(start=lambda shape: np.full(shape, np.nan), merge=_later)
def seen(frame: Any, state: Any) -> None:
    """The last value of each pixel: depends on the order of frames and of merges."""
    state[:] = np.where(np.isnan(frame), state, frame)


@st.composite
def boxes(draw: st.DrawFn, shape: Shape) -> tuple[slice, ...]:
    """A slice for some or all axes: at the edges and over them, from the end, in steps."""
    found = []
    for length in shape[: draw(st.integers(1, len(shape)))]:
        bound = st.none() | st.integers(-length - 2, length + 2)
        one = slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3)))
        found.append(one if range(length)[one] else slice(length - 1, length + 3))
    return tuple(found)


@st.composite
def edges(draw: st.DrawFn) -> np.ndarray:
    if draw(st.booleans()):
        if draw(st.integers(0, 9)) == 0:  # a width that is no finite number, nor its inverse
            return np.array(draw(st.sampled_from([[-1e308, -5e307, 0, 5e307, 1e308], [0, 5e-324]])))
        low = draw(st.integers(-50, 50))
        return np.linspace(
            low, low + draw(st.sampled_from([0.7, 3, 50, 1e6])), draw(st.integers(2, 40))
        )
    numbers = st.integers(-40, 120) | st.floats(-1e6, 1e6) | st.sampled_from([-(2.0**63), 2.0**64])
    return np.unique(np.array(draw(st.lists(numbers, min_size=2, max_size=9, unique=True)), "f8"))


@st.composite
def masks(draw: st.DrawFn, shape: Shape) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weighted = draw(st.booleans())
    found = {}
    for number in range(draw(st.integers(1, 3))):
        there = rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
        found[f"m{number}"] = there * rng.normal(1, 2, shape) if weighted else there
    return found


@st.composite
def corrections(draw: st.DrawFn, count: int, shape: Shape) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    flat = _odd(draw, rng, np.where(rng.random(shape) < 0.1, 0, rng.random(shape) + 0.5))
    monitor = _odd(draw, rng, np.where(rng.random(count) < 0.1, 0, rng.random(count) + 1))
    all_of_them = {
        "dark": _odd(draw, rng, rng.normal(2, 1, shape)),
        "flat": flat,
        "bad": rng.random(shape) < draw(st.sampled_from([0.2, 1.0])),
        "saturation": draw(st.sampled_from([1, 60, 100.5, 65535, 2.0**63, -5])),
        "monitor": monitor,
        "invalid": draw(st.sampled_from([True, 0, [3, 100]])),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(all_of_them))))
    return {name: all_of_them[name] for name in sorted(chosen)}


def _odd(draw: st.DrawFn, rng: np.random.Generator, made: np.ndarray) -> np.ndarray:
    """Some with NaN, infinities and what is less than 0 among them."""
    if draw(st.booleans()):
        return made
    odd = rng.choice([np.nan, np.inf, -np.inf, -1.0], made.shape)
    return np.where(rng.random(made.shape) < 0.1, odd, made)


@st.composite
def taken(draw: st.DrawFn, count: int) -> slice | None:
    """A choice of frames that rises: from the middle, from the end, in steps; never none."""
    if draw(st.booleans()):
        return None
    bound = st.none() | st.integers(-count - 2, count + 2)
    found = slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 5)))
    return found if range(count)[found] else slice(count - 1, None)


@st.composite
def matrices(draw: st.DrawFn, shape: Shape) -> Azimuthal:
    """A sparse matrix as pyFAI could make it: bins without pixels, pixels in many bins."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pixels = int(np.prod(shape, dtype=int))
    counts = rng.integers(0, draw(st.integers(1, 2 * pixels)) + 1, draw(st.integers(1, 7)))
    of = np.cumsum([0, *counts])
    norm = rng.random(pixels) + 0.1
    norm[rng.random(pixels) < 0.1] = 0
    return Azimuthal(
        rng.random(of[-1]),
        rng.integers(0, pixels, of[-1], "i4"),
        of,
        norm,
        shape,
        "q",
        np.arange(len(counts), dtype="f8"),
        poisson=draw(st.booleans()),
    )


@st.composite
def groups(draw: st.DrawFn, count: int) -> dict[str, Any]:
    values = st.sampled_from([0.0, 1.0, 2.5, 7.0, -3.0, np.nan])
    found: dict[str, Any] = {"by": np.array(draw(st.lists(values, min_size=count, max_size=count)))}
    if draw(st.booleans()):
        found["bins"] = draw(st.sampled_from([[0, 1, 3], [-3, 0, 7], [50, 60], [-9, 1, 2.5, 7, 8]]))
    return found


@st.composite
def asks(draw: st.DrawFn, count: int, shape: Shape) -> dict[str, Any]:
    """Keywords of ``nearfield.reduce`` for ``count`` frames of ``shape``."""
    true = st.just(True)
    spread = true | st.fixed_dictionaries({"ddof": st.integers(0, 2)})
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "sum": true,
        "mean": true,
        "var": spread,
        "std": spread,
        "min": true,
        "max": true,
        "count": true,
        "histogram": edges(),
        "roi": st.dictionaries(st.sampled_from("abc"), boxes(shape), min_size=1),
        "masks": masks(shape),
        "azimuthal": matrices(shape),
    }
    written = st.sampled_from([{"ends": ends}, {"seen": seen}, {"ends": ends, "seen": seen}])
    kinds["user"] = written
    if len(shape) == 2:
        kinds["thumbnail"] = st.integers(1, max(shape) + 1)
    kinds["rebin"] = st.tuples(*[st.integers(1, n + 1) for n in shape])
    chosen = draw(st.sets(st.sampled_from(sorted(kinds)), min_size=1))
    found = {name: draw(kinds[name]) for name in sorted(chosen)}
    if draw(st.booleans()):
        found |= draw(corrections(count, shape))
    if draw(st.integers(0, 2)) == 0:
        found |= draw(groups(count))
    if (some := draw(taken(count))) is not None:
        found["frames"] = some
    return found
