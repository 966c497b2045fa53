"""What a reduction of an array is, written as one would explain it: by numpy, one frame or pixel
after the other. Integers are Python's own, without a largest one.

Every result comes with how far off a right answer may be: 0 for integers, and for floats the bound
of rounding in a sum of that many values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray
EPS = 2.0**-52
_ZERO = ("sum", "count", "histogram")
"""Without frames these are 0."""


@dataclass(frozen=True)
class Right:
    """``value`` is of Python's integers (exact), or float64 with ``off`` for the error allowed.

    What has no value is NaN, or ``None`` among the integers."""

    value: Array
    off: Array | float = 0.0

    def check(self, found: Array, what: str, missing: Any = None) -> None:
        """``missing``: the number that stands for no value among integers."""
        assert found.shape == self.value.shape, (what, found.shape, self.value.shape)
        if self.value.dtype == object:
            assert found.dtype.kind in "iu", (what, found.dtype)
            value = self.value.copy()
            value[np.equal(value, None)] = missing
            assert (found.astype(object) == value).all(), (what, found, value)
            return
        found = found.astype("f8")
        same = (found == self.value) | (np.isnan(found) & np.isnan(self.value))
        with np.errstate(invalid="ignore"):
            near = np.isfinite(self.value) & (np.abs(found - self.value) <= self.off)
        assert (same | near).all(), (what, found, self.value)


def corrected(data: Array, asked: Mapping[str, Any]) -> Array:
    """``(raw - dark) / flat / monitor`` as float64, NaN for no value; or the data."""
    names = ("dark", "flat", "bad", "saturation", "monitor")
    marked = asked.get("invalid")
    unmarked = marked is None or (marked is True and data.dtype.kind == "f")
    if unmarked and all(asked.get(n) is None for n in names):
        return data
    made = data.astype("f8")
    with np.errstate(all="ignore"):
        if asked.get("saturation") is not None:
            made[made >= asked["saturation"]] = np.nan
        made[_invalid(data, asked.get("invalid"))] = np.nan
        if asked.get("dark") is not None:
            made -= asked["dark"]
        if asked.get("flat") is not None:
            made /= np.where(asked["flat"] == 0, np.nan, asked["flat"])
        if asked.get("bad") is not None:
            made[:, np.asarray(asked["bad"]) != 0] = np.nan
        if asked.get("monitor") is not None:
            monitor = np.where(asked["monitor"] == 0, np.nan, asked["monitor"])
            made /= monitor.reshape(-1, *(1,) * (made.ndim - 1))
    return made


def _invalid(data: Array, asked: Any) -> Array:
    """Where a raw value stands for none."""
    if asked is None or (asked is True and data.dtype.kind == "f"):
        return np.zeros(data.shape, bool)
    if asked is True:
        return data < 0 if data.dtype.kind == "i" else data == np.iinfo(data.dtype).max
    return np.isin(data, np.array(asked, data.dtype))


def _total(values: Array) -> Right:
    """Sum over the first axis."""
    if values.dtype.kind in "iub":
        return Right(values.astype(object).sum(0, initial=0) + np.zeros(values.shape[1:], object))
    wide = values.astype("f8")
    there = ~np.isnan(wide)
    with np.errstate(all="ignore"):
        made = np.where(there, wide, 0).sum(0)
        off = len(wide) * EPS * np.abs(np.where(there, wide, 0)).sum(0)
    return Right(np.where(there.any(0), made, np.nan), off)


def _mean(values: Array) -> Right:
    total = _total(values)
    if values.dtype.kind in "iub":
        n = len(values)
        flat = [float(Fraction(int(v), n)) if n else np.nan for v in total.value.ravel()]
        made = np.array(flat).reshape(values.shape[1:])
        return Right(made, 2 * EPS * np.abs(made))
    with np.errstate(all="ignore"):
        made = total.value / (~np.isnan(values)).sum(0)
        return Right(made, total.off + 2 * EPS * np.abs(made))


def _var(values: Array, ddof: int) -> Right:
    """By two passes."""
    wide = values.astype("f8")
    there = ~np.isnan(wide)
    number = there.sum(0)
    with np.errstate(all="ignore"):
        mean = np.where(there, wide, 0).sum(0) / number
        away = np.where(there, wide - mean, 0)
        spread = (away**2).sum(0)
        made = np.where(number > ddof, spread / (number - ddof), np.nan)
        most = np.where(there, np.abs(wide), 0).max(0, initial=0)
        rounded = len(wide) * EPS * most
        off = 8 * len(wide) * EPS * spread + 8 * rounded * np.sqrt(len(wide) * spread)
        off += 8 * len(wide) * rounded**2
        return Right(made, off / np.maximum(number - ddof, 1))


def _std(values: Array, ddof: int) -> Right:
    var = _var(values, ddof)
    with np.errstate(all="ignore"):
        high, low = np.sqrt(var.value + var.off), np.sqrt(np.maximum(var.value - var.off, 0))
        return Right(np.sqrt(var.value), high - low + 4 * EPS * high)


def _extreme(values: Array, greatest: bool) -> Right:
    if values.dtype.kind in "iub":
        whole = values.astype(object) + 0
        if not len(values):
            return Right(np.full(values.shape[1:], None, object))
        return Right(np.asarray(whole.max(0) if greatest else whole.min(0), object))
    there = ~np.isnan(values)
    none = -np.inf if greatest else np.inf
    made = np.where(there, values.astype("f8"), none)
    made = made.max(0, initial=none) if greatest else made.min(0, initial=none)
    return Right(np.where(there.any(0), made, np.nan))


def _count(values: Array) -> Right:
    return Right((~np.isnan(values.astype("f8"))).astype(object).sum(0, initial=0))


def _seen(values: Array) -> Right:
    """The last value of each pixel."""
    last = np.full(values.shape[1:], np.nan)
    for frame in values.astype("f8"):
        last = np.where(np.isnan(frame), last, frame)
    return Right(last)


def _histogram(values: Array, edges: Array) -> Right:
    wide = values.astype("f8")
    counts = []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        last = number == len(edges) - 2
        counts.append(int(((wide >= low) & ((wide <= high) if last else (wide < high))).sum()))
    return Right(np.array(counts, object))


def _over(asked: Mapping[str, Any]) -> dict[str, Callable[[Array], Right]]:
    """Reductions over the frames that were asked for."""

    def ddof(name: str) -> int:
        return 0 if asked[name] is True else int(asked[name]["ddof"])

    known: dict[str, Callable[[Array], Right]] = {
        "sum": _total,
        "mean": _mean,
        "var": lambda v: _var(v, ddof("var")),
        "std": lambda v: _std(v, ddof("std")),
        "min": lambda v: _extreme(v, False),
        "max": lambda v: _extreme(v, True),
        "count": _count,
        "histogram": lambda v: _histogram(v, np.asarray(asked["histogram"], "f8")),
    }
    if asked.get("thumbnail") is not None:
        known["thumbnail"] = lambda v: _thumbnail(v, asked["thumbnail"])
    written = asked.get("user", {})
    known["seen"] = _seen
    return {n: made for n, made in known.items() if asked.get(n) is not None or n in written}


def _masked(values: Array, mask: Array) -> Right:
    """Per frame the sum over a mask: of the data's kind if binary, else with weights."""
    inside = np.moveaxis(values[:, mask != 0], 1, 0)
    return _total(inside)


def _weighted(values: Array, mask: Array) -> Right:
    inside = values[:, mask != 0].astype("f8") * mask[mask != 0].astype("f8")
    return _total(np.moveaxis(inside, 1, 0))


def _series(values: Array, asked: Mapping[str, Any]) -> dict[str, Right]:
    found = {}
    if (boxes := asked.get("roi")) is not None:
        each = []
        for box in boxes.values():
            mask = np.zeros(values.shape[1:], bool)
            mask[box] = True
            each.append(_masked(values, mask))
        found["roi"] = _beside(each)
        if asked.get("count"):
            found["roi_count"] = _valid(values, list(boxes.values()))
    if (steps := asked.get("rebin")) is not None and len(steps) < values.ndim:
        counted = {"rebin_count"} if asked.get("count") else set()
        made = _blocks(values, (1, *steps))
        found |= {name: made[name] for name in {"rebin", *counted}}
    if "ends" in asked.get("user", {}):
        flat = values.reshape(len(values), -1).astype("f8")
        found["ends"] = Right(np.stack([flat[:, 0], np.arange(len(flat)), flat[:, -1]], -1))
    if (masks := asked.get("masks")) is not None:
        binary = all(np.isin(mask, (0, 1)).all() for mask in masks.values())
        one = _masked if binary else _weighted
        found["masks"] = _beside([one(values, mask) for mask in masks.values()])
        if binary and asked.get("count"):
            found["masks_count"] = _valid(values, [mask != 0 for mask in masks.values()])
    if (matrix := asked.get("azimuthal")) is not None:
        found |= _integrated(values, matrix)
    return found


def _valid(values: Array, regions: list[Any]) -> Right:
    """Per frame the pixels of each region that have a value."""
    there = ~np.isnan(values.astype("f8"))
    counts = [[int(frame[region].sum()) for region in regions] for frame in there]
    return Right(np.array(counts, object))


def _integrated(values: Array, matrix: Any) -> dict[str, Right]:
    """``A I / A n`` bin by bin over the pixels that have a value, and the error of counting."""
    flat = values.reshape(len(values), -1).astype("f8")
    shape = len(flat), len(matrix.of) - 1
    found, error, off, far = (np.full(shape, np.nan) for _ in range(4))
    for b, (low, high) in enumerate(itertools.pairwise(matrix.of)):
        share, pixel = matrix.share[low:high], matrix.pixel[low:high]
        for k, frame in enumerate(flat):
            there = ~np.isnan(frame[pixel])
            c, value, n = share[there], frame[pixel][there], matrix.norm[pixel][there]
            if not (bottom := float((c * n).sum())):
                continue
            found[k, b] = (c * value).sum() / bottom
            off[k, b] = 4 * (high - low) * EPS * np.abs(c * value).sum() / bottom
            error[k, b] = np.sqrt((c * c * np.maximum(value, 1)).sum()) / bottom
            far[k, b] = 4 * (high - low) * EPS * error[k, b]
    made = {"azimuthal": Right(found, off)}
    return made | ({"azimuthal_sigma": Right(error, far)} if matrix.poisson else {})


def _blocks(values: Array, steps: tuple[int, ...]) -> dict[str, Right]:
    """Sums over blocks of frames and pixels, and how many values each has."""
    shape = [-(-n // step) for n, step in zip(values.shape, steps, strict=True)]
    totals, counts = [], []
    for place in itertools.product(*map(range, shape)):
        box = tuple(slice(p * step, (p + 1) * step) for p, step in zip(place, steps, strict=True))
        totals.append(_total(values[box].reshape(-1, 1)))
        counts.append(_count(values[box].reshape(-1, 1)))
    off = np.array([np.broadcast_to(one.off, (1,)) for one in totals], "f8").reshape(shape)
    value = np.array([one.value for one in totals]).reshape(shape)
    return {"rebin": Right(value, off), "rebin_count": _joined(counts, shape)}


def _thumbnail(values: Array, edge: int) -> Right:
    """Means of blocks of all frames; the two largest numbers of an unsigned type are none."""
    wide = values.astype("f8")
    if values.dtype.kind == "u" and values.dtype.itemsize > 1:
        wide[values >= np.iinfo(values.dtype).max - 1] = np.nan
    step = -(-max(values.shape[1:]) // edge)
    with np.errstate(all="ignore"):
        made = _blocks(wide, (max(1, len(wide)), step, step)) if len(wide) else {}
        if not made:
            return Right(np.full([-(-n // step) for n in values.shape[1:]], np.nan))
        total, count = made["rebin"], made["rebin_count"].value[0].astype("f8")
        mean = total.value[0] / count
        return Right(mean, (total.off[0] + 4 * EPS * np.abs(total.value[0])) / count)


def _joined(counts: list[Right], shape: list[int]) -> Right:
    return Right(np.array([one.value for one in counts], object).reshape(shape))


def _beside(each: list[Right]) -> Right:
    off = [np.broadcast_to(np.asarray(one.off, "f8"), one.value.shape) for one in each]
    return Right(np.stack([one.value for one in each], -1), np.stack(off, -1))


def labels(by: Any, bins: Any) -> tuple[int, Array]:
    """How many groups there are, and the group of each frame (-1: none)."""
    values = np.asarray(by, "f8")
    label = np.full(len(values), -1)
    if bins is None:
        each = sorted({float(v) for v in values if not np.isnan(v)})
        for number, value in enumerate(each):
            label[values == value] = number
        return len(each), label
    for number, (low, high) in enumerate(itertools.pairwise(bins)):
        last = number == len(bins) - 2
        label[(values >= low) & ((values <= high) if last else (values < high))] = number
    return len(bins) - 1, label


@dataclass(frozen=True)
class Group:
    frames: int
    read: int
    made: Right


def right(data: Array, asked: Mapping[str, Any], lost: Array | None = None) -> dict[str, Right]:
    """The answer to ``reduce_stack(stack of data, **asked)``.

    Args:
        lost: Frames of the data that cannot be read; then it is that of ``errors="collect"``.
    """
    wider = {"float16": "f4", "bool": "u1"}.get(data.dtype.name, data.dtype)
    values = corrected(data.astype(wider), asked)
    some = asked.get("frames") or slice(None)
    values, lost = values[some], np.zeros(len(values), bool)[some] if lost is None else lost[some]
    with np.errstate(all="ignore"):
        found = {name: _unread(one, lost) for name, one in _series(values, asked).items()}
    if asked.get("by") is None:
        return found | {name: over(values[~lost]) for name, over in _over(asked).items()}
    count, label = labels(asked["by"][some], asked.get("bins"))
    sizes = [int((label == n).sum()) for n in range(count)]
    read = [values[(label == n) & ~lost] for n in range(count)]
    large = values.dtype.itemsize == 8
    for name, over in _over(asked).items():
        groups = [Group(n, len(one), over(one)) for n, one in zip(sizes, read, strict=True)]
        found[name] = _stacked(groups, over(values), name, large=large)
    if _over(asked):
        found["frames_read"] = Right(np.array([len(one) for one in read], object))
    return found


def _unread(one: Right, lost: Array) -> Right:
    """A series without the frames that were not read."""
    value = one.value.copy()
    value[lost] = None if value.dtype == object else np.nan
    return Right(value, one.off)


def _stacked(groups: list[Group], like: Right, name: str, *, large: bool) -> Right:
    """Groups as one array. One without frames is 0 where that is its sum or count; one whose
    frames all were lost has no value, nor has one without frames in all else.

    Least and greatest values stay integers if each group has frames, or no float holds them all.
    """
    counts = name in _ZERO
    whole = like.value.dtype == object
    exact = whole and (counts or large or all(group.frames for group in groups))
    nothing = None if exact else np.nan
    made = np.full((len(groups), *like.value.shape), nothing, object if exact else "f8")
    off = np.zeros(made.shape)
    for number, group in enumerate(groups):
        if not group.frames:
            made[number] = 0 if counts else nothing
        elif group.read:
            made[number] = group.made.value
            off[number] = 0 if whole else group.made.off
    return Right(made, off)
