"""One bounded pass over an HDF5 file: its groups, arrays and references to other files.

Nothing outside the file is opened: external links and virtual sources are noted as the file
spells them. Each object is visited once, however many hard links lead to it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nearfield.catalogue.metadata.model import FileLink
from nearfield.catalogue.metadata.values import MAX_TEXT, text_of
from nearfield.datasets import ArrayInfo
from nearfield.hdf5_sources import shape_may_be_asked, values_elsewhere

MAX_OBJECTS = 50_000
MAX_ARRAYS = 200
MAX_LINKS = 10_000
# Links are cheap, but a pass has an end whatever a file holds.
MAX_MEMBERS = 200_000
MAX_HOPS = 40
# A value of more bytes is no description of anything.
MAX_VALUE_BYTES = 1_000_000
# What h5py raises on damaged or exotic parts of a file that opens well.
READ_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError, MemoryError)


@dataclass
class Group:
    """One group. ``path`` is absolute, ``nx_class`` what NeXus says it is."""

    path: str
    handle: Any
    nx_class: str | None


@dataclass
class Walk:
    """What one pass found. Valid while the file is open."""

    root: Any
    groups: list[Group] = field(default_factory=list)
    arrays: dict[Any, ArrayInfo] = field(default_factory=dict)
    """By object identity, so that a second path to the same array finds it."""
    links: list[FileLink] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    visited: int = 0
    members: int = 0
    arrays_left_out: int = 0
    sources: set[tuple[str | bytes, str | None]] = field(default_factory=set)
    """Files and objects that virtual datasets and external storage are known to be in."""

    def of_class(self, *names: str, under: str = "/") -> Iterator[Group]:
        """Groups of these NeXus classes below ``under``, outermost first."""
        prefix = under.rstrip("/") + "/"
        return (g for g in self.groups if g.nx_class in names and g.path.startswith(prefix))


def identity(handle: Any) -> Any:
    """The same for every path to one object in one open file."""
    import h5py

    info = h5py.h5o.get_info(handle.id)
    return info.fileno, info.addr


def attribute(handle: Any, name: str) -> Any:
    """An attribute's value, or ``None`` where it is absent, huge or of a type nobody can read."""
    import numpy as np
    from h5py import h5a

    try:
        # Most of what is asked for is not there, and h5py's own way to tell is slow.
        if not h5a.exists(handle.id, raw := _raw(name)):
            return None
        opened = h5a.open(handle.id, raw)
        shape, kind = opened.shape, opened.dtype
        if shape is None or opened.get_storage_size() > MAX_VALUE_BYTES:
            return None
        if kind.subdtype is not None:
            return handle.attrs[name]
        values = np.zeros(shape, dtype=kind)
        opened.read(values)
        return values[()]
    except READ_ERRORS:
        return None


def child(group: Any, name: str) -> Any:
    """A member that lives in this file, or ``None``. External links are never followed."""
    place = follow(group, name)
    return None if place is None else place.handle


@dataclass(frozen=True)
class Place:
    """Where a path leads inside one file."""

    path: str
    handle: Any = None
    """``None`` where the path leaves the file; ``path`` then goes through an external link."""


def follow(group: Any, name: str, at: str = "/") -> Place | None:
    """The object that ``name`` means in ``group`` (which is at ``at``), through soft links.

    ``None`` if there is none. No other file is opened.
    """
    import h5py

    path, here = ("/", group.file) if name.startswith("/") else (at, group)
    rest = deque(name.split("/"))
    hops = 0
    try:
        while rest:
            part = rest.popleft()
            if part in ("", "."):
                continue
            kind = _link_kind(here, part) if isinstance(here, h5py.Group) else None
            if kind is None:
                return None
            below = f"{path.rstrip('/')}/{shown_name(part)}"
            if kind == h5py.h5l.TYPE_HARD:
                path, here = below, _open(here, part)
                continue
            if kind == h5py.h5l.TYPE_EXTERNAL:  # masters have thousands: which file is not asked
                return Place("/".join([below, *(p for p in rest if p not in ("", "."))]))
            link = here.get(part, getlink=True)
            if not isinstance(link, h5py.SoftLink):
                return None
            hops += 1
            if hops > MAX_HOPS:
                return None
            if link.path.startswith("/"):
                path, here = "/", group.file
            rest.extendleft(reversed(link.path.split("/")))
    except READ_ERRORS:
        return None
    return Place(path, here)


def members(group: Any) -> list[str]:
    """The names in a group; of those that are not UTF-8 h5py gives bytes, and here they are text.

    Raises what h5py does where the group is damaged.
    """
    return [
        name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)
        for name in group
    ]


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _link_kind(group: Any, name: str) -> Any:
    """h5l.TYPE_HARD, _SOFT or _EXTERNAL; ``None`` where there is no such member."""
    raw = _raw(name)
    return group.id.links.get_info(raw).type if group.id.links.exists(raw) else None


def _open(group: Any, name: str) -> Any:
    """``group[name]`` at half the price: h5py asks the file of each object for its mode."""
    import h5py

    return _wrapped(h5py.h5o.open(group.id, _raw(name)))


def _wrapped(opened: Any) -> Any:
    import h5py

    if isinstance(opened, h5py.h5g.GroupID):
        return h5py.Group(opened)
    if isinstance(opened, h5py.h5d.DatasetID):
        return h5py.Dataset(opened, readonly=True)
    return h5py.Datatype(opened)


def shown_name(name: str) -> str:
    """A name that is not UTF-8 reaches us with surrogates, which no JSON can hold."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def scalar(group: Any, name: str, *, limit: int = 64) -> Any:
    """The value of a small dataset called ``name``, or ``None``."""
    import h5py

    try:
        if "/" not in name and _link_kind(group, name) == h5py.h5l.TYPE_HARD:
            opened = h5py.h5o.open(group.id, _raw(name))
        else:
            found = child(group, name)
            opened = None if found is None else found.id
        if not isinstance(opened, h5py.h5d.DatasetID) or values_elsewhere(opened):
            # They would be read with the scanning account's rights, whosever they are: a title
            # could be anybody's secret.
            return None
        if (shape := opened.shape) is None or not 0 < (size := math.prod(shape)) <= limit:
            return None
        kind = opened.dtype
        return _read(opened, shape, kind) if size * kind.itemsize <= MAX_VALUE_BYTES else None
    except READ_ERRORS:
        return None
    return None


def _read(opened: Any, shape: tuple[int, ...], kind: Any) -> Any:
    """All values. What h5py's indexing does for whole datasets, without what it does for parts."""
    import numpy as np
    from h5py import h5s

    values = np.zeros(shape, dtype=kind)
    opened.read(h5s.ALL, h5s.ALL, values)
    return values[()]


def text(group: Any, name: str, limit: int = MAX_TEXT) -> str | None:
    """The string in a small dataset called ``name``."""
    return text_of(scalar(group, name), limit)


def walk(root: Any) -> Walk:
    """Visit an open file breadth first, so that a limit cuts detail and not whole entries."""
    found = Walk(root)
    queue: deque[tuple[str, Any]] = deque([("/", root)])
    seen = {identity(root)}
    while queue:
        path, group = queue.popleft()
        found.groups.append(_group(path, group))
        try:
            names = members(group)
        except READ_ERRORS as error:
            found.problems.append(f"{path}: cannot be listed: {reason(error)}")
            continue
        for name in names:
            found.members += 1
            if found.visited > MAX_OBJECTS or found.members > MAX_MEMBERS:
                most = MAX_OBJECTS if found.visited > MAX_OBJECTS else MAX_MEMBERS
                found.problems.append(
                    f"more than {most} objects: the rest, and references from it to other"
                    " files, was not looked at"
                )
                # Groups already met keep their say: every entry its title, if not its arrays.
                found.groups += [_group(path, group) for path, group in queue]
                return found
            at = f"{path.rstrip('/')}/{shown_name(name)}"
            try:
                below = _visit(found, group, name, at, seen)
            except READ_ERRORS as error:
                found.problems.append(f"{at}: cannot be read: {reason(error)}")
            else:
                if below is not None:
                    queue.append((at, below))
    if found.arrays_left_out:
        found.warnings.append(f"{found.arrays_left_out} more arrays are not listed")
    return found


def _group(path: str, handle: Any) -> Group:
    return Group(path, handle, text_of(attribute(handle, "NX_class")))


def _visit(found: Walk, group: Any, name: str, at: str, seen: set[Any]) -> Any:
    """Note one member; the member itself if it is a group to go into."""
    import h5py

    if _link_kind(group, name) != h5py.h5l.TYPE_HARD:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            _note(found, at, link.filename, link.path)
        # A soft link's target is visited where it lives.
        return None
    found.visited += 1
    opened = h5py.h5o.open(group.id, _raw(name))
    info = h5py.h5o.get_info(opened)
    key = info.fileno, info.addr
    if key in seen:
        return None
    seen.add(key)
    if isinstance(opened, h5py.h5d.DatasetID) and not shape_may_be_asked(opened):
        _sources(found, at, _wrapped(opened))
        found.warnings.append(f"{at}: its shape is in other files, which are not opened")
        return None
    if isinstance(opened, h5py.h5d.DatasetID) and not opened.shape:
        return None  # one value, or none: nothing of an array, and not spread over files
    handle = _wrapped(opened)
    if isinstance(handle, h5py.Group):
        return handle
    if isinstance(handle, h5py.Dataset):
        _sources(found, at, handle)
        info = describe(at, handle)
        if info is not None and len(found.arrays) < MAX_ARRAYS:
            found.arrays[key] = info
        elif info is not None:
            found.arrays_left_out += 1
    return None


def describe(at: str, handle: Any) -> ArrayInfo | None:
    """Shape, dtype and units of an array; ``None`` for scalars, strings and empty datasets."""
    if not shape_may_be_asked(handle.id):
        return None
    shape = handle.shape
    if not shape or (math.prod(shape) <= 1 and handle.maxshape == shape):
        return None
    kind = handle.dtype
    if kind.kind in "SUO":
        return None
    units = text_of(attribute(handle, "units")) or text_of(attribute(handle, "unit"))
    return ArrayInfo(path=at, shape=tuple(int(n) for n in shape), dtype=str(kind), units=units)


def _sources(found: Walk, at: str, handle: Any) -> None:
    """Other files that this dataset's data is in: virtual sources and external storage."""
    if handle.is_virtual:
        for source in handle.virtual_sources():
            # One mapping per frame is usual: thousands from one place.
            place = (source.file_name, source.dset_name)
            if source.file_name != "." and place not in found.sources:
                found.sources.add(place)
                _note(found, at, *place, "virtual source")
    for name, _offset, _size in handle.external or ():
        if (name, None) not in found.sources:
            found.sources.add((name, None))
            _note(found, at, name, None, "external storage")


def _note(
    found: Walk, at: str, file: str | bytes, inner: str | None, kind: str = "external link"
) -> None:
    if len(found.links) >= MAX_LINKS:
        limit = f"more than {MAX_LINKS} references to other files: the rest was not noted"
        if limit not in found.problems:
            found.problems.append(limit)
        return
    raw = file if isinstance(file, bytes) else file.encode("utf-8", "surrogateescape")
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        found.problems.append(f"{at}: the {kind} names a file that is not UTF-8: {raw!r}")
        return
    found.links.append(FileLink(at=at, file=name, object=inner, kind=kind))


def reason(error: BaseException) -> str:
    """h5py's words on one line, without the call numbers that only HDF5's authors need."""
    words = str(error.args[0] if error.args else error).strip() or type(error).__name__
    return " ".join(words.split())[:300]
