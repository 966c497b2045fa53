"""The language that people search in.

::

    technique:saxs instrument:ID10,ID13 year:2024 energy>8keV "silver behenate"

Words and quoted texts must all be found; ``field:value`` names a field, ``name>number`` compares
a scientific value. The whole of it is in ``docs/reference/query-language.md``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from nearfield.errors import QuerySyntaxError
from nearfield.querying.amounts import COMMON, Amounts, NoAmountError, amounts_of
from nearfield.querying.fields import Field, advice_on, field_named
from nearfield.querying.model import MAX_CONDITIONS, MAX_VALUES, Condition, Query
from nearfield.querying.periods import FORMS, TICK, NoTimeError, period_of
from nearfield.querying.pids import is_explicit, is_pid, pid_asked_for
from nearfield.querying.reading import Reader
from nearfield.querying.times import instant
from nearfield.querying.values import EXACT, WORDED
from nearfield.querying.words import MAX_WORDS, words_of

MAX_TEXT = 10_000
_WORD = 500
_NAME = re.compile(r"[^\W\d][\w.\-/]*")
# Units that are something else: what they are taken for, in values of such names.
_MISTAKEN = (
    ("temp", "C", "coulomb", "°C"),
    ("temp", "F", "farad", "°F"),
    ("wavelength", "A", "ampere", "Å"),
    ("lambda", "A", "ampere", "Å"),
)
_AS_TEXT = 'to look for the text itself put it in quotes: "…"'


def parse(text: str, *, now: datetime | None = None) -> Query:
    """The query that ``text`` asks for.

    Args:
        text: What somebody typed.
        now: What ``today`` and ``7d`` are counted from; this moment without it.

    Raises:
        QuerySyntaxError: it cannot be understood; ``position`` is the character where.
    """
    if len(text) > MAX_TEXT:
        raise QuerySyntaxError(
            f"a search of {len(text)} characters", text, MAX_TEXT, hint=f"at most {MAX_TEXT}"
        )
    if pid_asked_for(alone := Query(text=text.strip()[:_WORD])) and not is_explicit(alone):
        return alone  # pasted as it is, whatever signs are in it
    return _Parser(text, now or datetime.now(UTC)).whole()


class _Parser:
    def __init__(self, text: str, now: datetime) -> None:
        self.reader, self.now = Reader(text), now
        self.words: list[str] = []
        self.phrases: list[str] = []
        self.choices: dict[str, list[str]] = {}
        self.conditions: list[Condition] = []
        self.since: datetime | None = None
        self.until: datetime | None = None
        self.single: dict[str, str] = {}

    def whole(self) -> Query:
        reader = self.reader
        reader.skip_blanks()
        while not reader.over:
            self._term()
            reader.skip_blanks()
        fields: dict[str, Any] = {
            **{name: tuple(dict.fromkeys(values)) for name, values in self.choices.items()},
            **self.single,
            "text": " ".join(self.words),
            "phrases": tuple(self.phrases),
            "since": self.since,
            "until": self.until,
            "conditions": tuple(self.conditions),
        }
        try:
            return Query.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise reader.wrong(f"{where}: {first['msg']}", 0) from error

    def _term(self) -> None:
        reader, start = self.reader, self.reader.at
        if reader.at_quote:
            name, quoted = reader.quoted(), True
        else:
            name, quoted = reader.name(), False
        ends = reader.at
        if reader.here == ":" and _NAME.fullmatch(name) and not quoted:
            reader.skip_colon_before_comparison()  # energy:>8keV
        # A colon that a blank follows belongs to its name; an operator may stand between blanks.
        if reader.here == ":" and name:
            return self._colon(name, start, quoted)
        if (operator := reader.operator(after_blanks=bool(name))) is not None:
            if not name.strip():
                raise reader.wrong("what is compared?", start, "write energy>8keV, or quote it")
            return self._comparison(name, start, operator, quoted)
        reader.at = ends
        if quoted:
            return self._phrase(name, start)
        if not name:
            name = reader.here  # a colon or an exclamation mark alone
            reader.at += 1
        return self._word(name, start)

    def _word(self, word: str, start: int) -> None:
        reader = self.reader
        first = not reader.text[:start].strip()
        alone = first and not reader.text[reader.at :].strip()
        if word == "AND" and not first:
            return  # all that is there must hold anyway
        if word == "OR" and not first:
            raise reader.wrong(
                "'OR' does not exist", start, "several values of a field: technique:saxs,waxs"
            )
        excluded = len(word) > 1 and word[0] == "-" and word[1].isalpha()
        if excluded or (word == "NOT" and not alone):
            raise reader.wrong("nothing can be excluded", start, 'a text with a -: put it in ""')
        if len(word) > _WORD:
            raise reader.wrong(f"a word of {len(word)} characters", start, f"at most {_WORD}")
        self.words.append(word)
        if len(self.words) > MAX_WORDS:
            raise reader.wrong("too many words", start, f"use at most {MAX_WORDS}")

    def _phrase(self, phrase: str, start: int) -> None:
        if not words_of(phrase[:_WORD]):
            return  # quotes around nothing ask for nothing
        if len(phrase) > _WORD or len(self.phrases) >= MAX_VALUES:
            raise self.reader.wrong("too much in quotes", start, f"at most {_WORD} characters")
        self.phrases.append(phrase)

    def _colon(self, name: str, start: int, quoted: bool) -> None:
        reader = self.reader
        field = None if quoted else field_named(name)
        colon = reader.at
        if field is not None:
            reader.at += 1
            return self._field(field, name, start)
        after = reader.text[colon + 1 : colon + 2]
        looks_like_name = _NAME.fullmatch(name) is not None
        if not quoted and (not looks_like_name or after in ("", "/") or after.isspace()):
            # A time, an address, the end of "Film: growth": a word with a colon in it.
            return self._word(name + reader.run(), start)
        reader.at += 1
        value, at = self._amount_text()
        try:
            amounts = amounts_of(value)
        except NoAmountError as error:
            raise reader.wrong(str(error), at + error.offset, error.hint) from error
        if amounts is None:
            raise reader.wrong(f"unknown field {name!r}", start, _joined(advice_on(name)))
        self._conditions_of(name, start, "=", amounts)

    def _comparison(self, name: str, start: int, operator: str, quoted: bool) -> None:
        reader = self.reader
        field = None if quoted else field_named(name)
        if field is not None and field.kind in ("time", "period"):
            return self._time_compared(field, operator, start)
        if field is not None:
            if operator != "=":
                raise reader.wrong(f"{name} is no number", start, f"write {field.name}:VALUE")
            if field.target in WORDED and reader.text[reader.at - 2 : reader.at] == "==":
                reader.at -= 1  # instrument==ID10 is instrument:=ID10
            return self._field(field, name, start)
        if not quoted and _NAME.fullmatch(name) is None:
            raise reader.wrong(
                f"{name[:40]!r} is not the name of a value", start, f"write energy>8keV; {_AS_TEXT}"
            )
        reader.skip_blanks()
        if reader.over:
            raise reader.wrong(f"{name} {operator} what?", reader.at, "write a number: 8keV")
        in_quotes = reader.at_quote
        value, at = self._amount_text()
        try:
            amounts = amounts_of(value)
        except NoAmountError as error:
            if not (in_quotes and operator == "="):
                raise reader.wrong(str(error), at + error.offset, error.hint) from error
            amounts = None
        if amounts is not None:
            return self._conditions_of(name, start, operator, amounts)
        if operator != "=":
            raise reader.wrong(f"after {operator} comes a number", at, f"8, 8keV; {_AS_TEXT}")
        self._add_condition(name, start, "=", value, None)

    def _amount_text(self) -> tuple[str, int]:
        """A value after an operator, its unit with it, and where it begins."""
        reader = self.reader
        if reader.at_quote:
            at = reader.at + 1
            return reader.quoted(), at
        at = reader.at
        value = reader.value()
        if reader.at_quote:  # energy>8"keV"
            return value + reader.quoted(), at
        here = reader.at
        reader.skip_blanks()
        unit = reader.value()
        if value[-1:].isdigit() and reader.at_blank and (unit in COMMON or _is_misspelt(unit)):
            return f"{value} {unit}", at
        reader.at = here
        return value, at

    def _conditions_of(self, name: str, start: int, operator: str, amounts: Amounts) -> None:
        if amounts.is_range:
            if operator != "=":
                raise self.reader.wrong("a range has no < or >", start, f"write {name}:8..12keV")
            for op, value in ((">=", amounts.low), ("<=", amounts.high)):
                if value is not None:
                    self._add_condition(name, start, op, value, amounts.unit)
        elif amounts.low is not None:
            self._add_condition(name, start, operator, amounts.low, amounts.unit)

    def _add_condition(
        self, name: str, start: int, op: str, value: float | str, unit: str | None
    ) -> None:
        wrong = self.reader.wrong
        for part, said, kind, meant in _MISTAKEN:
            if unit == said and part in name.casefold():
                raise wrong(
                    f"{said} is the {kind}", start, f"write {meant}: {name}{op}{value:g}{meant}"
                )
        try:
            condition = Condition.model_validate(
                {"name": name, "op": op, "value": value, "unit": unit}
            )
        except ValidationError as error:
            raise wrong("a condition with too long a name or text", start) from error
        if len(self.conditions) >= MAX_CONDITIONS:
            raise wrong(f"more than {MAX_CONDITIONS} conditions", start)
        self.conditions.append(condition)

    def _field(self, field: Field, name: str, start: int) -> None:
        reader = self.reader
        reader.skip_blanks()
        if reader.over:
            raise reader.wrong(f"{name}: what?", reader.at, _example(field))
        at = reader.at
        if field.kind == "pid":
            return self._pid(field, reader.quoted() if reader.at_quote else reader.run(), at)
        if field.kind in ("time", "period"):
            return self._time(field, reader.quoted() if reader.at_quote else reader.run(), at)
        for said, where in self._values(name):
            # The others have whole values alone.
            value = said if field.target in WORDED else said.lstrip(EXACT)
            if field.kind == "word":
                self._one_word(field, value, where)
            else:
                values = self.choices.setdefault(field.target, [])
                values.append(value)
                if len(values) > MAX_VALUES or len(value) > _WORD:
                    raise reader.wrong(
                        f"{name}: at most {MAX_VALUES} values of {_WORD} characters", where
                    )

    def _values(self, name: str) -> list[tuple[str, int]]:
        """Values with commas between them, and where each begins."""
        reader = self.reader
        found: list[tuple[str, int]] = []
        while True:
            at = reader.at
            value = self._value()
            if value == EXACT:  # ="ID 10", and == P08
                reader.skip_blanks()
                value += self._value()
            if not value.strip(EXACT).strip():
                raise reader.wrong(f"{name}: here belongs a value", at)
            found.append((value, at))
            if reader.here != ",":
                return found
            reader.at += 1
            reader.skip_blanks()

    def _value(self) -> str:
        reader = self.reader
        return reader.quoted() if reader.at_quote else reader.run(until=',"“„«')

    def _one_word(self, field: Field, value: str, at: int) -> None:
        plain = value.casefold()
        if plain not in field.words:
            raise self.reader.wrong(
                f"{field.name} {value[:40]!r} does not exist", at, "it is " + ", ".join(field.words)
            )
        if field.target == "availability":
            self.choices.setdefault("availability", []).append(plain)
            return
        if self.single.get(field.target, plain) != plain:
            raise self.reader.wrong(f"{field.name} is one of them, not several", at)
        self.single[field.target] = plain

    def _pid(self, field: Field, value: str, at: int) -> None:
        if not is_pid(value):
            raise self.reader.wrong(
                f"{field.name}: not a PID", at, "a PID has no blanks and up to 400 characters"
            )
        if field.target == "pid":
            self.words.append(f"pid:{value}")
        elif self.single.get(field.target, value) != value:
            raise self.reader.wrong(f"{field.name}: one dataset, not several", at)
        else:
            self.single[field.target] = value

    def _time(self, field: Field, value: str, at: int) -> None:
        first, dots, last = value.partition("..")
        if dots and field.kind != "period":
            raise self.reader.wrong(f"{field.name}: one time", at, "a range is date:2024..2025")
        begins, ends = self._period(first, at) if first or not dots else (None, None)
        if dots:
            ends = self._period(last, at + len(first) + 2)[1] if last else None
        if field.target == "before":
            begins, ends = None, None if begins is None else begins - TICK
        self._bound(
            begins if field.target != "until" else None, ends if field.target != "since" else None
        )

    def _time_compared(self, field: Field, operator: str, start: int) -> None:
        reader = self.reader
        if field.kind == "time":
            raise reader.wrong(f"{field.name} is compared already", start, f"{field.name}:2024")
        reader.skip_blanks()
        at = reader.at
        value = reader.quoted() if reader.at_quote else reader.run()
        begins, ends = self._period(value, at)
        try:
            bounds = {
                "=": (begins, ends),
                ">=": (begins, None),
                "<=": (None, ends),
                "<": (None, begins - TICK),
                ">": (ends + TICK, None),
            }[operator]
        except OverflowError as error:
            raise reader.wrong("out of the calendar", at) from error
        self._bound(*bounds)

    def _period(self, text: str, at: int) -> tuple[datetime, datetime]:
        try:
            return period_of(text, self.now)
        except NoTimeError as error:
            years = re.fullmatch(r"(\d{4})-(\d{4})", text)
            hint = f"a range is {years[1]}..{years[2]}" if years else f"times are {FORMS}"
            raise self.reader.wrong(str(error), at, hint) from error

    def _bound(self, since: datetime | None, until: datetime | None) -> None:
        """All bounds hold: the later beginning, the earlier end."""
        if since is not None and (self.since is None or instant(since) > instant(self.since)):
            self.since = since
        if until is not None and (self.until is None or instant(until) < instant(self.until)):
            self.until = until


def _is_misspelt(unit: str) -> bool:
    """Is it a unit but for its capitals? As a word it would silently change what is compared."""
    plain = unit.casefold()
    return len(unit) > 1 and any(plain == known.casefold() for known in COMMON)


def _example(field: Field) -> str:
    if field.kind in ("time", "period"):
        return f"times are {FORMS}"
    return "it is " + ", ".join(field.words) if field.words else f"write {field.name}:VALUE"


def _joined(advice: str) -> str:
    """With what to do where no field was meant."""
    return f"{advice} {_AS_TEXT}" if advice.endswith("?") else f"{advice}; {_AS_TEXT}"
