"""``errors="collect"``: which frames a result is without, and why; in partials and at the end.

A partial holds them as arrays, as it does everything: ``(n, 2)`` first frame and end, as many
texts, and how many frames each task was to read.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Container, Iterable, Mapping

import numpy as np

from nearfield.errors import NearfieldError
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State, no_value
from nearfield.reductions.unreadable import Unreadable

UNREADABLE = "unreadable"
"""The variable that is true for a frame that the others are without."""
BECAUSE = "unreadable because"
"""Beside the arrays of the variables: one text for each run of frames."""
_SAID = 100


class UnreadableFramesWarning(UserWarning):
    """A result is without some frames, as ``errors="collect"`` asked for."""


def state_of(found: Iterable[Unreadable], take: range | None, count: int) -> State:
    """Of a partial of ``count`` frames, counted in the choice ``take`` of the stack's."""
    spans, words = [], []
    for one in found:
        start, stop = one.start, one.stop
        if take is not None:
            start, stop = (-(-(n - take.start) // take.step) for n in (start, stop))
            start, stop = max(start, 0), min(stop, len(take))
        if start < stop:
            spans.append((start, stop))
            words.append(f"{one.path!r}: {one.words}")
    return np.array(spans, "i8").reshape(-1, 2), np.array(words, str), np.array([count])


def joined(left: State, right: State) -> State:
    return tuple(np.concatenate(both) for both in zip(left, right, strict=True))


def output(frames: Frames) -> Output:
    told = {"long_name": "frame that could not be read, and is in no other variable"}
    return Output((frames.frame_dim,), (frames.count,), np.dtype("?"), told)


def marked(each: Output, dims: Container[str]) -> Output:
    """Integers along one of ``dims``, frames or groups of them, say which value stands for what
    was not read."""
    if each.dtype.kind not in "ui" or not any(dim in dims for dim in each.dims):
        return each
    attrs = {**each.attrs, "missing_value": no_value(each.dtype)}
    return Output(each.dims, each.shape, each.dtype, attrs, each.coords)


def finished(
    arrays: Mapping[str, Array], outputs: Mapping[str, Output], frames: Frames, state: State
) -> dict[str, Array]:
    """The arrays of a result with no value, NaN or ``missing_value``, for frames without one.

    Raises:
        NearfieldError: no frame at all could be read.
    """
    spans, words, counts = state
    mask = np.zeros(int(counts.sum()), bool)  # of the first tasks, while others run
    for start, stop in spans.tolist():
        mask[start:stop] = True
    if mask.all() and len(mask) == frames.count:
        raise NearfieldError(f"none of the frames could be read; the first one: {words[0]}")
    found = dict(arrays)
    if mask.any():
        for name, array in arrays.items():
            if frames.frame_dim in outputs[name].dims:
                series = np.array(array)
                along = np.moveaxis(series, outputs[name].dims.index(frames.frame_dim), 0)
                along[mask] = no_value(series.dtype)
                found[name] = series
    texts = [
        f"{_frames(start, stop)}: {said}"
        for (start, stop), said in zip(spans.tolist(), words.tolist(), strict=True)
    ]
    return {**found, UNREADABLE: mask, BECAUSE: np.array(texts, str)}


def told(arrays: Mapping[str, Array]) -> dict[str, str]:
    """Attributes of the dataset: frames, file and reason; none where all were read."""
    texts = arrays[BECAUSE].tolist() if BECAUSE in arrays else []
    if len(texts) > _SAID:
        texts = [*texts[:_SAID], f"and {len(texts) - _SAID} more"]
    return {"unreadable_frames": json.dumps(texts)} if texts else {}


def warn(arrays: Mapping[str, Array]) -> None:
    """That a result is without some frames: nobody should have to look for it."""
    if BECAUSE in arrays and len(texts := arrays[BECAUSE]):
        lost = int(arrays[UNREADABLE].sum())
        warnings.warn(
            f"{lost} of {len(arrays[UNREADABLE])} frames could not be read: {texts[0]}"
            + (", …" if len(texts) > 1 else ""),
            UnreadableFramesWarning,
            stacklevel=2,
        )


def _frames(start: int, stop: int) -> str:
    return f"frame {start}" if stop == start + 1 else f"frames {start} to {stop - 1}"
