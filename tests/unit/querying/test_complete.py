"""What may come next, and what it replaces."""

from __future__ import annotations

import pytest

from nearfield.querying.complete import complete, field_at

TECHNIQUES = (("saxs", "small angle x-ray scattering"), ("nxsas", "nxsas"))
VALUES = {
    "instrument": {"P08": 3, "ID10": 12, "ID 13": 2},
    "technique": {"NXsas": 7, "Small angle X-ray scattering": 1},
}


def after(text: str) -> list[str]:
    """The whole texts that choosing each item gives; ``|`` is the cursor."""
    at = text.index("|")
    text = text.replace("|", "")
    found = complete(text, at, values=VALUES, techniques=TECHNIQUES)
    return [text[: found.start] + item.insert + text[found.end :] for item in found.items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("film inst|", ["film instrument:"]),
        ("beam|", ["instrument:", "proposal:"]),
        (
            "film instrument:|",
            ["film instrument:ID10", "film instrument:P08", 'film instrument:"ID 13"'],
        ),
        ("beamline:id|", ["beamline:ID10", 'beamline:"ID 13"']),
        ("beamline: id| film", ["beamline: ID10 film", 'beamline: "ID 13" film']),
        ('beamline:"ID 1|', ['beamline:"ID 13"']),
        ("beamline:=id|", ["beamline:=ID10", 'beamline:="ID 13"']),
        ("beamline:P08, 1|", ["beamline:P08, ID10", 'beamline:P08, "ID 13"']),
        ("technique:sa|xx film", ["technique:NXsas film", "technique:saxs film"]),
        ("type:d|", ["type:derived"]),
        ("since:to|", ["since:today"]),
        ('"inst|', []),
        ("unknown:x|", []),
    ],
)
def test_items(text: str, expected: list[str]) -> None:
    assert after(text)[: len(expected)] == expected
    assert bool(after(text)) == bool(expected)


def test_kinds_and_counts() -> None:
    items = complete("technique:", 10, values=VALUES, techniques=TECHNIQUES).items
    assert [(item.label, item.kind, item.count) for item in items] == [
        ("NXsas", "value", 7),
        ("Small angle X-ray scattering", "value", 1),
        ("saxs: small angle x-ray scattering", "technique", None),
    ]


@pytest.mark.parametrize(
    ("text", "field"), [("beamline:I", "instrument"), ("film", None), ("film tech:", "technique")]
)
def test_whose_values_are_wanted(text: str, field: str | None) -> None:
    assert field_at(text, len(text)) == field
