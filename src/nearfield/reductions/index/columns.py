"""A stack as a few flat arrays and a short header: nothing in it grows as Python objects do.

Numpy's own format without pickle holds them; its checksums tell a damaged file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nearfield.reductions.stack import FileId, Filter, Held, Part, Stack, Stored

VERSION = 3

Arrays = dict[str, NDArray[Any]]
_TABLE = {"offset": "u8", "size": "u8", "mask": "u4", "file": "u4"}


def write(to: BinaryIO, stack: Stack, more: Mapping[str, Any]) -> None:
    """``more`` is what else the reader wants to know, as JSON."""
    stored = list({id(p.stored): p.stored for p in stack.parts}.values())
    place = {id(s): number for number, s in enumerate(stored)}
    known: dict[FileId, int] = {}
    for file in (*stack.files, *(f for s in stored for f in s.files)):
        known.setdefault(file, len(known))
    header = {
        "version": VERSION,
        "shape": stack.shape,
        "outer": stack.outer,
        "dtype": stack.dtype.str,
        "fill": stack.fill.tobytes().hex(),
        "missing": stack.missing,
        "attributes": stack.attributes,
        "held": [(h.path, h.name, h.frames) for h in stack.held],
        "refused": stack.refused,
        "plotted": stack.plotted,
        "own": len(stack.files),
        "paths": [f.path for f in known],
        "stored": [
            {
                "dtype": s.dtype.str,
                "shape": s.shape,
                "chunk": s.chunk,
                "filters": [(f.id, f.options) for f in s.filters],
                "fill": s.fill.tobytes().hex(),
                "rows": s.offset.shape[0],
                "tiles": s.offset.shape[1],
                "files": len(s.files),
            }
            for s in stored
        ],
        "more": dict(more),
    }
    arrays: Arrays = {
        "header": np.frombuffer(json.dumps(header).encode("utf-8", "surrogateescape"), "u1"),
        "files": np.array([(f.device, f.inode, f.size) for f in known] or np.zeros((0, 3)), "u8"),
        "stamps": np.array([(f.mtime_ns, f.ctime_ns) for f in known] or np.zeros((0, 2)), "i8"),
        "stored_files": _flat((np.array([known[f] for f in s.files], "u4") for s in stored), "u4"),
        "parts": np.array([_row(p, place[id(p.stored)]) for p in stack.parts], "i8"),
        "frames": _flat((p.frames for p in stack.parts if p.frames is not None), "i8"),
    }
    for name, kind in _TABLE.items():
        column = _flat((getattr(s, name) for s in stored), kind)
        # Mostly nothing is left out and there is one file: zeros need no room.
        arrays[f"chunk_{name}"] = column if column.any() else column[:0]
    np.savez(to, allow_pickle=False, **arrays)


def _row(part: Part, stored: int) -> tuple[int, ...]:
    frames = -1 if part.frames is None else len(part.frames)
    where = (*part.at, *part.of, *part.box)
    return part.start, part.count, stored, part.first, part.step, frames, *where


def _flat(columns: Iterable[NDArray[Any]], kind: str) -> NDArray[Any]:
    pieces = [c.reshape(-1) for c in columns]
    return np.concatenate(pieces) if pieces else np.zeros(0, kind)


def read(source: BinaryIO) -> tuple[Stack, dict[str, Any]]:
    """The stack and what else was written. Raises ValueError and others for a damaged file."""
    with np.load(source, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays["header"].tobytes().decode("utf-8", "surrogateescape"))
    if header["version"] != VERSION:
        raise ValueError("another version")
    files = [
        FileId(path, *numbers, *stamps)
        for path, numbers, stamps in zip(
            header["paths"], arrays["files"].tolist(), arrays["stamps"].tolist(), strict=True
        )
    ]
    stored = list(_stored(header["stored"], arrays, files))
    axes = len(header["shape"]) - 1
    dtype = np.dtype(header["dtype"])
    stack = Stack(
        tuple(header["shape"]),
        dtype,
        _scalar(header["fill"], dtype),
        tuple(_parts(arrays, stored, axes)),
        tuple(files[: header["own"]]),
        tuple(header["missing"]),
        False,
        header["attributes"],
        tuple(header["outer"]),
        tuple(Held(*held) for held in header["held"]),
        header["refused"],
        plotted=header["plotted"],
    )
    return stack, header["more"]


def _scalar(hexed: str, dtype: np.dtype[np.generic]) -> np.generic:
    made: np.generic = np.frombuffer(bytes.fromhex(hexed), dtype.newbyteorder("="))[0]
    return made


def _stored(said: list[Any], arrays: Arrays, files: list[FileId]) -> Iterable[Stored]:
    at = first = 0
    total = sum(one["rows"] * one["tiles"] for one in said)
    whole = {
        name: column if (column := arrays[f"chunk_{name}"]).size else np.zeros(total, kind)
        for name, kind in _TABLE.items()
    }
    if any(len(column) != total for column in whole.values()):
        raise ValueError("columns of different lengths")
    for one in said:
        rows, tiles = one["rows"], one["tiles"]
        end, last = at + rows * tiles, first + one["files"]
        numbers = arrays["stored_files"][first:last].tolist()
        dtype = np.dtype(one["dtype"])
        yield Stored(
            dtype,
            tuple(one["shape"]),
            tuple(one["chunk"]),
            tuple(Filter(code, tuple(options)) for code, options in one["filters"]),
            _scalar(one["fill"], dtype),
            tuple(files[n] for n in numbers),
            whole["file"][at:end].reshape(rows, tiles),
            whole["offset"][at:end].reshape(rows, tiles),
            whole["size"][at:end].reshape(rows, tiles),
            whole["mask"][at:end].reshape(rows, tiles),
        )
        at, first = end, last


def _parts(arrays: Arrays, stored: list[Stored], axes: int) -> Iterable[Part]:
    used = 0
    for row in arrays["parts"].tolist():
        start, count, number, first, step, length, *where = row
        frames = None
        if length >= 0:
            frames = arrays["frames"][used : used + length]
            used += length
        at, of, box = (tuple(where[i * axes : (i + 1) * axes]) for i in range(3))
        yield Part(start, count, stored[number], first, step, at, of, box, frames)
