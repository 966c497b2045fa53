"""docs/reference/rights.md says what the tests of rights hold every face to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nearfield.catalogue._hub_auth import CACHE_SECONDS
from nearfield_server.access import COUNTS_SECONDS
from rightslab.table import PEOPLE, RECORDS, SEES, may_derive, seen

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/rights.md").read_text()
SECTIONS = {
    "Nearfield's own catalogue": ("service",),
    "SciCat, ICAT, InvenioRDM": ("scicat", "icat", "invenio"),
    "Invenio, legacy interface": ("legacy",),
    "PaNOSC search API": ("panosc",),
}


def table_of(title: str) -> dict[str, dict[str, str]]:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.*\|$", section, flags=re.M)
    ]
    people = rows[0][1:]
    return {name: dict(zip(people, cells, strict=True)) for name, *cells in rows[2:]}


@pytest.mark.parametrize("title", SECTIONS)
def test_each_cell(title: str) -> None:
    for driver in SECTIONS[title]:
        assert table_of(title) == {
            name: {who: cell(driver, who, dataset.pid) for who in PEOPLE}
            for name, dataset in RECORDS.items()
        }


def cell(driver: str, who: str, pid: str) -> str:
    if pid in may_derive(driver, who):
        return "derives"
    return "sees" if pid in seen(driver, who) else "\N{EN DASH}"


def test_each_kind_of_source_has_a_table() -> None:
    assert {driver for drivers in SECTIONS.values() for driver in drivers} == set(SEES)


def test_how_long_an_old_answer_counts() -> None:
    assert f"after {CACHE_SECONDS:.0f} seconds at most" in PAGE
    assert f"after {CACHE_SECONDS + COUNTS_SECONDS:.0f} seconds at most" in PAGE
