"""Signs that XML does not have, in what a repository calls XML.

Titles and abstracts come from forms and old databases: a form feed, half a character, a text of
another encoding. A parser ends there, and nothing behind it can be read. Each such sign becomes the
replacement mark; what is broken otherwise stays broken.
"""

from __future__ import annotations

import re

MARK = "\ufffd"
_DECLARED = re.compile(
    rb"""^\s*<\?xml[^>]{0,200}?\sencoding=["']([A-Za-z0-9._-]{1,40})["'][^>]*\?>"""
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_STRANGE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")


def made_legible(content: bytes) -> bytes:
    """The same in UTF-8 with a mark for each sign that XML does not have; else as it was."""
    declared = _DECLARED.match(content)
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    try:
        text = content.decode(encoding, errors="replace")
    except (LookupError, ValueError):
        return content
    clean = _NUMBER.sub(_known, _STRANGE.sub(MARK, text.removeprefix("\ufeff")))
    if clean == text and MARK not in text:
        return content
    return _DECLARATION.sub("", clean, count=1).encode("utf-8", "replace")


def _known(found: re.Match[str]) -> str:
    number = int(found[1], 16) if found[1] else int(found[2])
    good = number < 0x110000 and not 0xD800 <= number < 0xE000 and not _STRANGE.match(chr(number))
    return found[0] if good else MARK
