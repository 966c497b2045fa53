"""Descriptions: Invenio keeps HTML, Nearfield text.

A text that is sent as it is loses what looks like a tag: of ``a<b and c>d`` the server keeps
``ad``. And nobody wants to read the tags of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape

_BLOCKS = frozenset(
    {
        *("p", "br", "div", "li", "ul", "ol", "tr", "table", "pre", "blockquote"),
        *("h1", "h2", "h3", "h4", "h5", "h6"),
    }
)
_UNSEEN = frozenset({"script", "style"})
# Tags and comments; a sign "less than" before anything else is one.
_TAG = re.compile(r"<(/?)(?:([A-Za-z][A-Za-z0-9]*)\b|!)[^<>]*>")


def html_of(text: str) -> str:
    """``text`` as HTML that shows just this."""
    return "<p>" + escape(text, quote=False).replace("\n", "<br>") + "</p>"


def text_of(html: str | None) -> str | None:
    """What a reader sees of it; ``None`` where that is nothing."""
    if html is None:
        return None
    lines = (" ".join(line.split()) for line in "".join(_parts(html)).split("\n"))
    found = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return found or None


def _parts(html: str) -> Iterator[str]:
    """Texts between the tags. In one pass: ``html.parser`` takes minutes for some 50 kB."""
    at, unseen = 0, ""
    for tag in _TAG.finditer(html):
        if not unseen:
            yield unescape(html[at : tag.start()])
        at = tag.end()
        name, closes = (tag[2] or "").lower(), bool(tag[1])
        if unseen:
            unseen = "" if closes and name == unseen else unseen
        elif name in _UNSEEN and not closes:
            unseen = name
        elif name in _BLOCKS:
            yield "\n"
    if not unseen:
        yield unescape(html[at:])
