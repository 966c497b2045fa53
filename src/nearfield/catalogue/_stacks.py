"""Numbered images of one folder: a detector's frames, one dataset and not thousands.

``scan_00001.edf``, ``scan_00002.edf``, … are a stack: the same name but for the last run of at
least three digits, as many in each. Its root is the first; the others are not even opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from nearfield.catalogue._tree import IMAGE_SUFFIXES

_NUMBERED = re.compile(r"(.*?)(\d{3,})(\D*\.[A-Za-z]+)")


def stack_of(path: str) -> tuple[str, str] | None:
    """The stack that an image's name puts it in, and its number there; ``None`` for no such name.

    The stack is written as openPMD writes a series: ``/data/scan_%05T.edf``.
    """
    folder, _, name = path.rpartition("/")
    suffix = name[name.rfind(".") :].lower()
    if suffix not in IMAGE_SUFFIXES or "%" in name:
        return None
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return None
    before, number, after = found.groups()
    return f"{folder}/{before}%0{len(number)}T{after}", number


@dataclass
class Stacks:
    """The numbered images among some paths."""

    pattern: dict[str, str] = field(default_factory=dict)
    """Of each numbered image its stack's file name, with ``%05T`` for the number."""
    first: dict[str, str] = field(default_factory=dict)
    """Of each frame that is not the first of its stack, that one."""

    @classmethod
    def among(cls, paths: Iterable[str]) -> Stacks:
        made = cls()
        stacks: dict[str, list[tuple[str, str]]] = {}
        for path in paths:
            if (found := stack_of(path)) is not None:
                stacks.setdefault(found[0], []).append((found[1], path))
                made.pattern[path] = found[0].rpartition("/")[2]
        for members in stacks.values():
            members.sort()
            made.first.update((path, members[0][1]) for _, path in members[1:])
        return made
