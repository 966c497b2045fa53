"""Pieces of many files as few parts: arrays that are stored alike become one table.

A master of 3,000 links is then one part, and a mosaic of 32 modules over 1,000 files 32.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearfield.reductions.index.pieces import Numbers, Piece, Resolved, array
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.stack import FileId, Part, Stored

MAX_NUMBERS = 20_000_000
"""Frames whose order has to be kept one by one."""
_WORTH = 64
"""Frames of a run that is worth a part of its own."""


def parts_of(resolved: Resolved) -> tuple[Part, ...]:
    """Parts by their first frame. Raises NotUnderstood for an order that is too long to keep."""
    ground = [piece for piece in resolved.pieces if piece.under]
    boxes: dict[Any, list[Piece]] = {}
    for piece in resolved.pieces:
        if not piece.under:
            key = _alike(piece.stored), piece.at, piece.of, piece.box
            boxes.setdefault(key, []).append(piece)
    tables = _tables(list(boxes.values()))
    found = [part for group in boxes.values() for part in _merged(group, tables)]
    # What lies over the ground has to come after it, whatever its first frame is.
    under = [part for piece in ground for part in _merged([piece], _tables([[piece]]))]
    return (*under, *sorted(found, key=lambda part: part.start))


def _alike(stored: Stored) -> Any:
    fill = stored.fill.tobytes()  # NaN is not equal to NaN
    return stored.dtype.str, stored.shape[1:], stored.chunk, stored.filters, fill


def _tables(boxes: list[list[Piece]]) -> dict[int, tuple[Stored, int]]:
    """For each stored array, by its ``id``: the joined one, and its first frame in that."""
    used: dict[int, set[int]] = {}
    every: dict[Any, dict[int, Stored]] = {}
    for number, group in enumerate(boxes):
        for piece in group:
            used.setdefault(id(piece.stored), set()).add(number)
            every.setdefault(_alike(piece.stored), {})[id(piece.stored)] = piece.stored
    found: dict[int, tuple[Stored, int]] = {}
    for alike in every.values():
        sets: dict[int, list[Stored]] = {}
        shared = any(len(used[one]) > 1 for one in alike)
        for one, stored in alike.items():
            # Arrays of one box are best one after the other; one of several boxes is kept once.
            sets.setdefault(0 if shared else min(used[one]), []).append(stored)
        for group_of in sets.values():
            whole, first = joined(group_of)
            found.update({one: (whole, at) for one, at in first.items()})
    return found


def _merged(group: list[Piece], tables: dict[int, tuple[Stored, int]]) -> list[Part]:
    stored = tables[id(group[0].stored)][0]
    moved = [(p.laid, _plus(p.taken, tables[id(p.stored)][1])) for p in group]
    one = group[0]

    def part(laid: range, taken: Numbers) -> Part:
        where = one.at, one.of, one.box
        if isinstance(taken, range):
            step = taken.step if len(taken) > 1 else 1
            return Part(laid.start, len(laid), stored, taken.start, step, *where)
        return Part(laid.start, len(laid), stored, 0, 1, *where, frames=taken)

    runs = _runs(moved)
    if runs is not None:
        return [part(laid, taken) for laid, taken in runs]
    low = min(_least(laid) for laid, _ in moved)
    high = max(_most(laid) for laid, _ in moved) + 1
    if high - low > MAX_NUMBERS:
        raise NotUnderstood(f"the order of {high - low:,} frames is not regular")
    order: NDArray[np.int64] = np.full(high - low, -1, np.int64)
    for laid, taken in moved:
        order[array(laid) - low] = array(taken)
    return [part(range(low, high), order)]


def _least(numbers: Numbers) -> int:
    return min(numbers[0], numbers[-1]) if isinstance(numbers, range) else int(numbers.min())


def _most(numbers: Numbers) -> int:
    return max(numbers[0], numbers[-1]) if isinstance(numbers, range) else int(numbers.max())


def _plus(numbers: Numbers, by: int) -> Numbers:
    if isinstance(numbers, range):
        return range(numbers.start + by, numbers.stop + by, numbers.step)
    return numbers + by


def _runs(moved: list[tuple[Numbers, Numbers]]) -> list[tuple[range, range]] | None:
    """Runs of frames in arithmetic order; ``None`` where they are short or frames are scattered."""
    straight: list[tuple[range, range]] = []
    for laid, taken in moved:
        if not isinstance(laid, range) or not isinstance(taken, range):
            return None
        if len(laid) > 1 and laid.step == -1:
            laid, taken = laid[::-1], taken[::-1]  # noqa: PLW2901
        elif len(laid) > 1 and laid.step != 1:
            return None
        straight.append((laid, taken))
    straight.sort(key=lambda run: run[0].start)
    runs: list[tuple[range, range]] = []
    for laid, taken in straight:
        if runs and (longer := _onward(*runs[-1], laid, taken)) is not None:
            runs[-1] = longer
        else:
            runs.append((laid, taken))
    frames = sum(len(laid) for laid, _ in runs)
    return runs if len(runs) == 1 or len(runs) * _WORTH <= frames else None


def _onward(laid: range, taken: range, more: range, much: range) -> tuple[range, range] | None:
    """Two runs as one, where the second goes on as the first does."""
    if laid.start + len(laid) != more.start:
        return None
    step = much.start - taken[-1]
    for run in (taken, much):
        if len(run) > 1 and run.step != step:
            return None
    if step == 0:
        return None
    frames = len(taken) + len(much)
    return (
        range(laid.start, laid.start + frames),
        range(taken.start, taken.start + step * frames, step),
    )


def joined(stored: Iterable[Stored]) -> tuple[Stored, dict[int, int]]:
    """Arrays that are stored alike as one, and the number of each one's first frame in it."""
    tables = list(stored)
    first: dict[int, int] = {}
    files: dict[FileId, int] = {}
    rows = 0
    for s in tables:
        first[id(s)] = rows * s.chunk[0]
        rows += len(s.offset)
        for file in s.files:
            files.setdefault(file, len(files))
    one = tables[0]
    if len(tables) == 1:
        return one, first
    column = np.empty((rows, one.offset.shape[1]), "u4")
    at = 0
    for s in tables:
        here = np.array([files[f] for f in s.files], "u4")
        column[at : at + len(s.file)] = here[0] if len(here) == 1 else here[s.file]
        at += len(s.file)
    return (
        Stored(
            one.dtype,
            (rows * one.chunk[0], *one.shape[1:]),
            one.chunk,
            one.filters,
            one.fill,
            tuple(files),
            column,
            np.concatenate([s.offset for s in tables]),
            np.concatenate([s.size for s in tables]),
            np.concatenate([s.mask for s in tables]),
        ),
        first,
    )
