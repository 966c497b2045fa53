"""What a technique is called: files, people and catalogues name the same thing differently."""

from __future__ import annotations

import pytest

from nearfield.querying import Query
from nearfield.querying.matching import holds
from nearfield.techniques import known_names, label_of, names_of, technique_ids
from nearfield.techniques.naming import BASE, identifier
from nearfield.techniques.terms import BY_PROBE, PROBABLY, TERMS
from nearfield.testing.synthetic import synthetic_dataset

SAS, SAXS, SANS, GISAXS = (f"{BASE}PaNET{n}" for n in ("01124", "01188", "01189", "01162"))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("NXsas", "01124"),
        ("nxsas", "01124"),
        ("NXstxm", "01219"),
        ("NXtofraw", "01001"),
        ("NXdirecttof", "01244"),
        ("NXxas", "01196"),
        ("NXtomo", "01129"),
        ("NXarpes", "01089"),
        ("NXmx", "01164"),
        ("NXrefscan", "01121"),
        ("saxs", "01188"),
        ("GI-SAXS", None),
        ("GISAXS", "01162"),
        ("xrr", "01149"),
        ("X-ray reflectivity", "01149"),
        ("X-Ray_Reflectometry", "01149"),
        ("xanes", "01199"),
        ("QENS", "01035"),
        ("ptycho", "01212"),
        ("PaNET01188", "01188"),
        ("PaNET:PaNET01188", "01188"),
        ("https://purl.org/pan-science/PaNET/PaNET01188", "01188"),
        ("NXarchive", None),
        ("openPMD", None),
        ("xfel", None),
        ("", None),
    ],
)
def test_one_name_one_identifier(name: str, number: str | None) -> None:
    assert technique_ids([name]) == (() if number is None else (f"{BASE}PaNET{number}",))


@pytest.mark.parametrize(
    ("probe", "number"),
    [
        *(("x-ray", SAXS), ("X-Ray", SAXS), ("xray", SAXS), ("neutron", SANS), ("neutrons", SANS)),
        *(("electron", SAS), ("", SAS), (None, SAS)),
    ],
)
def test_the_probe_decides_what_a_definition_leaves_open(probe: str | None, number: str) -> None:
    assert technique_ids(["NXsas"], probe=probe) == (number,)


def test_identifiers_come_once_and_in_order() -> None:
    assert technique_ids(["gisaxs", "no such", "SAXS", "PaNET01188"]) == (GISAXS, SAXS)


def _found(term: str, techniques: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> bool:
    dataset = synthetic_dataset(techniques=techniques, technique_ids=ids)
    return holds(Query(technique=term), dataset)


@pytest.mark.parametrize(
    ("term", "said", "found"),
    [
        ("saxs", "NXsas", True),
        ("SAXS", "small-angle x-ray scattering", True),
        ("SAXS", "small angle X-ray scattering", True),
        ("saxs", "small-angle-x-ray-scattering", True),
        ("saxs", "GISAXS", True),
        ("saxs", "SANS", False),
        ("sans", "NXsas", False),
        ("small angle scattering", "SANS", True),
        ("small angle scattering", "NXcanSAS", True),
        ("scattering", "NXsas", True),
        ("gisaxs", "SAXS", False),
        ("NXsas", "NXsas", True),
        ("NXsas", "SAXS", False),
        ("xas", "EXAFS", True),
        ("exafs", "XAS", False),
        ("tof", "NXtofraw", True),
        ("tomography", "CT scan", True),
        ("PaNET01188", "saxs", True),
        ("lwfa", "laser wakefield acceleration", True),
        ("our own method", "Our own METHOD", True),
        ("our own", "our own method", False),
    ],
)
def test_a_search_finds_all_names_of_the_technique_and_of_narrower_ones(
    term: str, said: str, found: bool
) -> None:
    assert _found(term, (said,)) is found


def test_identifiers_of_a_record_are_found_by_any_name() -> None:
    assert _found("saxs", ids=(SAXS,))
    assert _found("small angle scattering", ids=(GISAXS,))
    assert _found(SAXS, ids=(SAXS,))
    assert not _found("saxs", ids=(SANS,))


def test_names_are_casefolded_so_that_sources_can_compare() -> None:
    names = names_of("Saxs")
    assert names == {name.casefold() for name in names}
    assert {"saxs", "nxsas", "gisaxs", "panet01188", SAXS.casefold()} <= names
    assert names_of("Unknown  Method") == {"unknown  method", "unknown method"}


def test_the_table_is_whole() -> None:
    labels = {term.label for term in TERMS}
    assert len(labels) == len(TERMS)
    numbers = [term.number for term in TERMS if term.number is not None]
    assert len(set(numbers)) == len(numbers)
    for term in TERMS:
        assert set(term.wider) <= labels, term.label
        assert term.label not in _all_wider(term.label), f"{term.label} is wider than itself"
        known = identifier(term)
        assert known is None or label_of(known) == term.label
        for name in (*term.also, *term.definitions):
            assert label_of(name) == term.label, f"{name} is also something else"
    assert set(PROBABLY.values()) <= labels
    assert {label for (label, _) in BY_PROBE} | set(BY_PROBE.values()) <= labels


def _all_wider(label: str) -> set[str]:
    by_label = {term.label: term for term in TERMS}
    found: set[str] = set()
    queue = [label]
    while queue:
        for wider in by_label[queue.pop()].wider:
            if wider not in found:
                found.add(wider)
                queue.append(wider)
    return found


def test_known_names_are_for_completion() -> None:
    assert ("SAXS", "small angle x-ray scattering") in known_names()
    assert list(known_names()) == sorted(known_names())
