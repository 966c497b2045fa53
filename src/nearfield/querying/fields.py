"""The names that people may write before a colon, and what each stands for."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Kind = Literal["choice", "word", "pid", "time", "period"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the language."""

    name: str
    """As the language writes it."""
    kind: Kind
    """``choice``: several values, any may hold; ``word``: one of a few words; ``pid``: one PID;
    ``time``: a moment, the bound of ``since`` or ``until``; ``period``: both bounds at once."""
    target: str
    """The field of :class:`~nearfield.querying.Query`; for ``period`` how much one value is."""
    synonyms: tuple[str, ...] = ()
    about: str = ""
    words: tuple[str, ...] = ()
    """``word``: those that there are."""


FIELDS: tuple[Field, ...] = (
    Field("technique", "choice", "technique", ("techniques", "tech", "method"), "how measured"),
    Field(
        "instrument",
        "choice",
        "instrument",
        ("instruments", "beamline", "endstation", "station", "inst"),
        "instrument or beamline",
    ),
    Field("facility", "choice", "facility", ("facilities", "institute", "site"), "where measured"),
    Field("sample", "choice", "sample", ("samples", "specimen"), "what was measured"),
    Field("proposal", "choice", "proposal", ("proposals", "visit", "beamtime"), "proposal number"),
    Field("owner", "choice", "owner", ("group", "by"), "account or group that owns it"),
    Field("keyword", "choice", "keyword", ("keywords", "tag", "tags"), "keyword"),
    Field("format", "choice", "format", ("formats", "filetype"), "NeXus, openPMD, HDF5, …"),
    Field("storage", "choice", "storage", ("storages",), "storage as the site names it"),
    Field("source", "choice", "source", ("sources", "catalogue", "catalog"), "catalogue to ask"),
    Field("type", "word", "type", ("kind",), "raw or derived", ("raw", "derived")),
    Field(
        "availability",
        "word",
        "availability",
        ("available", "where"),
        "where its bytes are",
        ("online", "remote", "tape", "unknown"),
    ),
    Field(
        "order", "word", "order", ("sort",), "newest first, or best first", ("newest", "relevance")
    ),
    Field(
        "derived-from",
        "pid",
        "input_dataset",
        ("input-dataset", "input", "inputs", "parent"),
        "results made from this dataset",
    ),
    Field("pid", "pid", "pid", ("doi", "id", "hdl", "handle"), "this dataset"),
    Field("since", "time", "since", ("from", "after"), "not earlier than"),
    Field("until", "time", "until", ("to",), "not later than"),
    Field("before", "time", "before", (), "earlier than"),
    Field("year", "period", "year", ("years",), "in this year"),
    Field("date", "period", "date", ("dates", "day", "month", "when"), "on a day, in a month"),
)

_BY_NAME = {name: field for field in FIELDS for name in (field.name, *field.synonyms)}

# What people try, and what does it here.
_ADVICE = {
    "title": "words are looked for in the title, too: leave out {name}:",
    "name": "words are looked for in names, too: leave out {name}:",
    "text": "words need no name: leave out {name}:",
    "description": "words are looked for in the description, too: leave out {name}:",
    "file": "words are looked for in file names, too: leave out {name}:",
    "filename": "words are looked for in file names, too: leave out {name}:",
    "author": "owner:NAME finds what an account owns",
    "is": "write type:raw, type:derived or availability:online",
    "size": "a search by size does not exist",
}


def field_named(name: str) -> Field | None:
    """The field of this name or synonym; case, ``-`` and ``_`` do not matter."""
    return _BY_NAME.get(name.casefold().replace("_", "-"))


def advice_on(name: str) -> str:
    """What to do about a field that does not exist."""
    plain = name.casefold().replace("_", "-")
    if plain in _ADVICE:
        return _ADVICE[plain].format(name=name)
    near = get_close_matches(plain, _BY_NAME, n=1, cutoff=0.7)
    if near:
        return f"did you mean {near[0]}:?"
    return "fields are: " + ", ".join(field.name for field in FIELDS)
