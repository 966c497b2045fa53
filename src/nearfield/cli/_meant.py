"""What somebody meant who typed a command that there is not, and where to find it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

# Those of the options before the command that people type after it.
_COMMON = ("--config", "--debug")


def usage_words(words: str, command: Any, argv: Sequence[str]) -> str:
    """``words`` of typer's about wrong usage, and what to type instead where that is known."""
    if found := re.match(r"No such command '([^']+)'", words):
        name = found[1]
        before = list(argv[: argv.index(name)]) if name in argv else []
        group = next((word for word in before if word in getattr(command, "commands", {})), None)
        there = [] if group else list(_groups_with(name, command))
        if there:
            return f"{words}\n  did you mean: {' or '.join(there)}"
        return f"{words}\n  see: nearfield {f'{group} ' if group else ''}--help"
    if found := re.match(r"No such option: (--[a-z]+)", words):
        name = found[1]
        if name in _COMMON:
            value = " FILE" if name == "--config" else ""
            return f"{words}\n  it goes before the command: nearfield {name}{value} …"
    return words


def _groups_with(name: str, command: Any) -> Iterable[str]:
    for group, entry in getattr(command, "commands", {}).items():
        if name in getattr(entry, "commands", {}):
            yield f"nearfield {group} {name}"
