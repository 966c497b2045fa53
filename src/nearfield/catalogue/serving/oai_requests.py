"""Requests of OAI-PMH 2.0: which arguments a verb takes, dates, sets, resumption tokens."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearfield.catalogue.serving.announced import Selection

Prefix = Literal["oai_dc", "oai_datacite"]
PREFIXES: tuple[Prefix, ...] = ("oai_dc", "oai_datacite")
MAX_TOKEN = 4000

_VERBS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # verb: required, optional; with a resumptionToken nothing else may be there.
    "Identify": (frozenset(), frozenset()),
    "ListMetadataFormats": (frozenset(), frozenset({"identifier"})),
    "ListSets": (frozenset(), frozenset({"resumptionToken"})),
    "GetRecord": (frozenset({"identifier", "metadataPrefix"}), frozenset()),
    "ListIdentifiers": (
        frozenset({"metadataPrefix"}),
        frozenset({"from", "until", "set", "resumptionToken"}),
    ),
    "ListRecords": (
        frozenset({"metadataPrefix"}),
        frozenset({"from", "until", "set", "resumptionToken"}),
    ),
}
_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DAYS = re.compile(r"\d{4}-\d\d-\d\d")
# What the protocol lets a set's name consist of, without "~", which writes all other bytes.
_PLAIN = re.compile(r"[A-Za-z0-9_.!*'()-]")


class OaiError(Exception):
    """An answer of the protocol that is none: a code, and words for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Place(BaseModel):
    """How far a list has been given: all that a resumption token holds. Nothing in it is secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: Literal["ListRecords", "ListIdentifiers"]
    prefix: Prefix
    since: int | None = None
    until: int | None = None
    set: str | None = Field(default=None, max_length=1000)
    after: tuple[int, str] | None = None
    given: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)

    def token(self) -> str:
        """As one word of letters, digits, ``-`` and ``_``."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode().rstrip("=")

    def selection(self) -> Selection:
        """What is listed.

        Raises:
            OaiError: no such set.
        """
        return replace(set_of(self.set), since=self.since, until=self.until)


def arguments_of(params: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """The verb and its arguments, each allowed and there once.

    Raises:
        OaiError: badVerb or badArgument.
    """
    verbs = [value for name, value in params if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in _VERBS:
        raise OaiError("badVerb", f"verb must be there once and be one of: {', '.join(_VERBS)}")
    required, optional = _VERBS[verbs[0]]
    said: dict[str, str] = {}
    for name, value in params:
        if name == "verb":
            continue
        if name not in required | optional:
            raise OaiError("badArgument", f"{verbs[0]} takes no argument of this name: {name}")
        if name in said:
            raise OaiError("badArgument", f"{name} is there more than once")
        said[name] = value
    if "resumptionToken" in said:
        if len(said) > 1:
            raise OaiError("badArgument", "resumptionToken takes no other argument beside it")
    elif missing := sorted(required - said.keys()):
        raise OaiError("badArgument", f"{verbs[0]} needs {' and '.join(missing)}")
    return verbs[0], said


def place_of(verb: str, said: dict[str, str], earliest: int) -> Place:
    """Where the list that is asked for begins, or goes on.

    Raises:
        OaiError: a date, set, format or token that is none.
    """
    if (token := said.get("resumptionToken")) is not None:
        return _place_of_token(verb, token)
    prefix = prefix_of(said["metadataPrefix"])
    since, until = _span(said.get("from"), said.get("until"))
    if until is not None and until < earliest:
        raise OaiError("noRecordsMatch", "until is before the earliest datestamp")
    set_of(said.get("set"))
    return Place.model_validate(
        {"verb": verb, "prefix": prefix, "since": since, "until": until, "set": said.get("set")}
    )


def _place_of_token(verb: str, token: str) -> Place:
    wrong = OaiError("badResumptionToken", "not a resumption token of this list")
    if len(token) > MAX_TOKEN or not token.isascii():
        raise wrong
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        place = Place.model_validate_json(text)
    except (binascii.Error, ValueError, ValidationError) as error:
        raise wrong from error
    if place.verb != verb or place.after is None:
        raise wrong
    if any(not -(2**62) < (number or 0) < 2**62 for number in _numbers(place)):
        raise wrong
    try:
        set_of(place.set)
    except OaiError as error:
        raise wrong from error
    return place


def _numbers(place: Place) -> Iterable[int | None]:
    return (place.since, place.until, place.given, place.total, *(place.after or ())[:1])


def prefix_of(text: str) -> Prefix:
    """Raises OaiError: cannotDisseminateFormat."""
    for known in PREFIXES:
        if text == known:
            return known
    raise OaiError("cannotDisseminateFormat", f"metadataPrefix is one of: {', '.join(PREFIXES)}")


def _span(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """Both ends in seconds, included; a day ends with its last second."""
    if first is not None and last is not None and len(first) != len(last):
        raise OaiError("badArgument", "from and until differ in granularity")
    since = None if first is None else _seconds("from", first, end=False)
    until = None if last is None else _seconds("until", last, end=True)
    if since is not None and until is not None and since > until:
        raise OaiError("badArgument", "from is later than until")
    return since, until


def _seconds(name: str, text: str, *, end: bool) -> int:
    try:
        if _SECONDS.fullmatch(text):
            return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp())
        if _DAYS.fullmatch(text):
            day = date.fromisoformat(text)
            start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            return int(start) + (86_399 if end else 0)
    except ValueError:
        pass
    raise OaiError("badArgument", f"{name} is written YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")


def stamp_text(seconds: int) -> str:
    """A datestamp as the protocol writes it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def set_of(spec: str | None) -> Selection:
    """What a set stands for.

    Raises:
        OaiError: badArgument: no such set.
    """
    if spec in (None, "type"):
        return Selection()
    if spec == "instrument":
        return Selection(measured=True)
    kind, _, name = (spec or "").partition(":")
    if kind == "type" and name in ("raw", "derived"):
        return Selection(type=name)
    if kind == "instrument" and name:
        try:
            return Selection(instrument=_decoded(name))
        except ValueError:
            pass
    raise OaiError("badArgument", "no such set: ListSets names them")


def instrument_set(name: str) -> str:
    """The set of an instrument; every name has one, and no two the same."""
    return "instrument:" + "".join(
        chr(byte) if byte < 128 and _PLAIN.match(chr(byte)) else f"~{byte:02X}"
        for byte in name.encode()
    )


def _decoded(text: str) -> str:
    if not re.fullmatch(r"(?:[A-Za-z0-9_.!*'()-]|~[0-9A-F]{2})+", text):
        raise ValueError(text)
    plain = re.sub(r"~([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)
    return plain.encode("latin-1").decode()
