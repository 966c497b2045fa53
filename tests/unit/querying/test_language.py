"""What people type, and what it asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nearfield.errors import QuerySyntaxError
from nearfield.querying import Condition, Query
from nearfield.querying.language import parse
from nearfield.querying.pids import pid_asked_for
from nearfield.querying.writing import to_text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
YEAR = (datetime(2024, 1, 1), datetime(2024, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
ABOVE = Condition(name="energy", op=">", value=8.0, unit="keV")
BETWEEN = (
    Condition(name="energy", op=">=", value=8.0, unit="keV"),
    Condition(name="energy", op="<=", value=12.0, unit="keV"),
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_whole_of_it() -> None:
    text = 'technique:saxs instrument:ID10 year:2024 energy>8keV "silver behenate" calibration'
    assert parse(text) == Query(
        text="calibration",
        phrases=("silver behenate",),
        technique=("saxs",),
        instrument=("ID10",),
        since=YEAR[0],
        until=YEAR[1],
        conditions=(ABOVE,),
    )


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        (" \0\n", {}),
        ('""', {}),
        ("silver  behenate", {"text": "silver behenate"}),
        ("silver AND behenate", {"text": "silver behenate"}),
        ("Film: growth at 12:30", {"text": "Film: growth at 12:30"}),
        ("see https://example.org/x?y=z", {"text": "see https://example.org/x?y=z"}),
        ("“silver behenate”", {"phrases": ("silver behenate",)}),
        # fields, their other names, several values
        ("TECH:saxs", {"technique": ("saxs",)}),
        ("technique: saxs", {"technique": ("saxs",)}),
        ("technique=saxs", {"technique": ("saxs",)}),
        ("beamline:ID10,P08", {"instrument": ("ID10", "P08")}),
        ('beamline:"ID 10", P08 film', {"instrument": ("ID 10", "P08"), "text": "film"}),
        # "=" before a value: the whole of it
        ('inst:=ID10,="ID 10","=I" a', {"instrument": ("=ID10", "=ID 10", "=I"), "text": "a"}),
        ("instrument==ID10 inst == P08", {"instrument": ("=ID10", "=P08")}),
        ("technique:=saxs storage==gpfs", {"technique": ("saxs",), "storage": ("gpfs",)}),
        ("tag:a keyword:b", {"keyword": ("a", "b")}),
        ("source:icat", {"source": ("icat",)}),
        ("group:chemists", {"owner": ("chemists",)}),
        ("type:Derived", {"type": "derived"}),
        ("where:online,tape", {"availability": ("online", "tape")}),
        ("order:relevance", {"order": "relevance"}),
        ("derived-from:20.500/a,b", {"input_dataset": "20.500/a,b"}),
        ("derived_from:x", {"input_dataset": "x"}),
        # times
        ("year:2024", {"since": YEAR[0], "until": YEAR[1]}),
        ("since:2024 until:2024", {"since": YEAR[0], "until": YEAR[1]}),
        ("year>2023 year<=2024", {"since": YEAR[0], "until": YEAR[1]}),
        ("year:2023..2024 after:2024", {"since": YEAR[0], "until": YEAR[1]}),
        ("before:2024-03", {"until": day("2024-02-29T23:59:59.999999")}),
        (
            "date:2024-03..2024-05",
            {"since": day("2024-03-01"), "until": day("2024-05-31T23:59:59.999999")},
        ),
        ("date:2024-03-05..", {"since": day("2024-03-05")}),
        ("from:2024-03-05T12:00Z", {"since": day("2024-03-05T12:00Z")}),
        ("to:2024-03-05T12:00:00", {"until": day("2024-03-05T12:00:00")}),
        ("since:7d", {"since": day("2026-11-14T00:00Z")}),
        ("since:12h", {"since": day("2026-11-21T00:00Z")}),
        # What was just measured, in a local time without its zone, is later than now.
        (
            "date:12h",
            {"since": day("2026-11-21T00:00Z"), "until": day("2026-11-22T23:59:59.999999Z")},
        ),
        ("since:yesterday", {"since": day("2026-11-20T00:00Z")}),
        # values with units
        ("energy>8keV", {"conditions": (ABOVE,)}),
        ("energy > 8 keV film", {"conditions": (ABOVE,), "text": "film"}),
        ('energy>"8 keV"', {"conditions": (ABOVE,)}),
        ("energy:>8keV", {"conditions": (ABOVE,)}),
        ("energy: > 8 keV", {"conditions": (ABOVE,)}),
        ("year:>2023 year:<=2024", {"since": YEAR[0], "until": YEAR[1]}),
        ('energy>8"keV"', {"conditions": (ABOVE,)}),
        ("energy:8..12keV", {"conditions": BETWEEN}),
        ("energy:8keV..12keV", {"conditions": BETWEEN}),
        ("energy=8..12 keV", {"conditions": BETWEEN}),
        ("energy:8..keV", None),
        ("energy:8keV..", {"conditions": BETWEEN[:1]}),
        (
            "frames≥8 film",
            {"conditions": ({"name": "frames", "op": ">=", "value": 8},), "text": "film"},
        ),
        ("mono/energy:8", {"conditions": ({"name": "mono/energy", "value": 8},)}),
        ('"photon energy">8', {"conditions": ({"name": "photon energy", "op": ">", "value": 8},)}),
        ("polarisation=circular", {"conditions": ({"name": "polarisation", "value": "circular"},)}),
        # a word that is no unit stays a word
        (
            "frames>8 bar",
            {"conditions": ({"name": "frames", "op": ">", "value": 8, "unit": "bar"},)},
        ),
        (
            "frames>8 barn",
            {"conditions": ({"name": "frames", "op": ">", "value": 8},), "text": "barn"},
        ),
    ],
)
def test_understood(text: str, fields: dict[str, Any] | None) -> None:
    if fields is None:
        with pytest.raises(QuerySyntaxError):
            parse(text, now=NOW)
        return
    query = parse(text, now=NOW)
    assert query == Query.model_validate(fields)
    assert parse(to_text(query), now=NOW) == query


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("film technque:saxs", 5, "did you mean technique:"),
        ("film title:thin", 5, "leave out title:"),
        ("energy:high", 0, "unknown field 'energy'"),
        ('silver "behenate', 7, "not closed"),
        ("energy>8kev", 8, "did you mean keV"),
        ("energy>8.5 Kev film", 11, "did you mean keV"),
        ("temperature<20C", 0, "write °C: temperature<20°C"),
        ("wavelength=1A", 0, "write Å: wavelength=1Å"),
        ("year:2020-2024", 5, "a range is 2020..2024"),
        ("energy>8 keV energy<12 parrot-s energy>2foo", 40, "unknown unit 'foo'"),
        ("energy:8-12keV", 8, "8..12keV"),
        ("energy:12..8keV", 7, "smaller number"),
        ("energy:8keV..12eV", 13, "one unit"),
        ("energy>", 7, "what?"),
        ("energy>high", 7, "comes a number"),
        ("energy>1e999", 7, "too large"),
        ("energy!=8", 6, "not equal"),
        ("<script>", 0, "what is compared"),
        ("type:row", 5, "raw, derived"),
        ("type:raw type:derived", 14, "not several"),
        ("technique:", 10, "what?"),
        ("technique:,saxs", 10, "here belongs a value"),
        ("technique:saxs,", 15, "here belongs a value"),
        ("technique>saxs", 0, "technique:VALUE"),
        ("year:2024-13", 5, "not in the calendar"),
        ("since:soon", 6, "times are 2024"),
        ("date:2024..soon", 11, "times are 2024"),
        ("film OR silver", 5, "saxs,waxs"),
        ("film NOT silver", 5, "excluded"),
        ("film -silver", 5, "excluded"),
        ("derived-from:straße", 13, "not a PID"),
        ("x " * 65, 128, "too many words"),
        ("x" * 10_001, 10_000, "10001 characters"),
    ],
)
def test_refused_at_the_character(text: str, position: int, words: str) -> None:
    with pytest.raises(QuerySyntaxError) as refused:
        parse(text, now=NOW)
    assert refused.value.position == position
    assert words in f"{refused.value.message} {refused.value.hint}"


def test_the_message_points_at_the_character() -> None:
    with pytest.raises(QuerySyntaxError) as refused:
        parse("日本 film\ttechnque:saxs")
    above, below = str(refused.value).splitlines()[1:3]
    assert above == "  日本 film technque:saxs"
    # Each of the two characters is two columns wide on a terminal.
    assert below == "  " + " " * 10 + "^"


@pytest.mark.parametrize(
    ("text", "pid"),
    [
        ("10.5281/zenodo.6497438", "10.5281/zenodo.6497438"),
        (" https://doi.org/10.5281/zenodo.6497438\n", "10.5281/zenodo.6497438"),
        ("doi:10.5281/zenodo.6497438", "10.5281/zenodo.6497438"),
        ("10.1002/(SICI)1097-0207<1::AID>3.0.CO;2-Q", "10.1002/(SICI)1097-0207<1::AID>3.0.CO;2-Q"),
        ("20.500.12269/ab-cd", "20.500.12269/ab-cd"),
        ("6f1d7f0a-6c0b-5c57-9d2f-0d6f5d1c8a11", "6f1d7f0a-6c0b-5c57-9d2f-0d6f5d1c8a11"),
        ("pid:public-1", "public-1"),
        ("public-1", None),
        ("film 10.5281/zenodo.6497438", None),
        ('"10.5281/zenodo.6497438"', None),
        ("8.5/film", None),
    ],
)
def test_a_pid_alone(text: str, pid: str | None) -> None:
    assert pid_asked_for(parse(text)) == pid
