"""Reads the characters of a search: blanks, names, quoted texts, operators."""

from __future__ import annotations

from collections.abc import Callable

from nearfield.errors import QuerySyntaxError

# As the keyboard has them, and as word processors and pasted pages do.
_QUOTES = {'"': '"', "“": "”", "„": "“”", "«": "»"}
_OPERATORS = {
    "<=": "<=",
    ">=": ">=",
    "=<": "<=",
    "=>": ">=",
    "==": "=",
    "≤": "<=",
    "≥": ">=",
    "<": "<",
    ">": ">",
    "=": "=",
}
_ENDS_NAME = frozenset("<>=≤≥:!") | _QUOTES.keys()


class Reader:
    """A text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    @property
    def over(self) -> bool:
        return self.at >= len(self.text)

    @property
    def here(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    @property
    def at_blank(self) -> bool:
        """Is the end here, or a blank?"""
        return self.over or _blank(self.here)

    @property
    def at_quote(self) -> bool:
        return self.here in _QUOTES

    def skip_blanks(self) -> None:
        while not self.over and _blank(self.here):
            self.at += 1

    def name(self) -> str:
        """All up to a blank, a quote, a colon or an operator; may be empty."""
        return self._while(lambda c: c not in _ENDS_NAME)

    def run(self, *, until: str = "") -> str:
        """All up to a blank, or one of the characters of ``until``."""
        return self._while(lambda c: c not in until)

    def value(self) -> str:
        """All up to a blank or a quote."""
        return self._while(lambda c: c not in _QUOTES)

    def quoted(self) -> str:
        """What stands between two quotes. Raises QuerySyntaxError where the second is missing."""
        opened = self.at
        closing = _QUOTES[self.here]
        end = next((i for i in range(opened + 1, len(self.text)) if self.text[i] in closing), None)
        if end is None:
            raise self.wrong("this quote is not closed", opened, 'add a " at the end of the text')
        self.at = end + 1
        return self.text[opened + 1 : end]

    def operator(self, *, after_blanks: bool = False) -> str | None:
        """The comparison that stands here, as the query model writes it; read, if there is one."""
        start = self.at
        if after_blanks:
            self.skip_blanks()
        if self.text[self.at : self.at + 2] == "!=":
            raise self.wrong("'not equal' does not exist", self.at, "write < or >, or leave it out")
        for length in (2, 1):
            said = self.text[self.at : self.at + length]
            if said in _OPERATORS and len(said) == length:
                self.at += length
                return _OPERATORS[said]
        self.at = start
        return None

    def skip_colon_before_comparison(self) -> None:
        """Pass over a colon that ``<`` or ``>`` follows: it says nothing more."""
        rest = self.text[self.at + 1 :].lstrip()[:1]
        if rest in ("<", ">", "≤", "≥"):
            self.at += 1

    def wrong(self, message: str, position: int, hint: str | None = None) -> QuerySyntaxError:
        """The error that points at ``position``."""
        return QuerySyntaxError(message, self.text, min(position, len(self.text)), hint=hint)

    def _while(self, goes_on: Callable[[str], bool]) -> str:
        start = self.at
        while not self.at_blank and goes_on(self.here):
            self.at += 1
        return self.text[start : self.at]


def _blank(character: str) -> bool:
    return character.isspace() or character == "\0"
