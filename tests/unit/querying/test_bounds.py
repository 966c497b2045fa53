"""Borders of comparisons, and units as files write them."""

from __future__ import annotations

import pytest

from nearfield.querying import Condition
from nearfield.querying.matching import condition_holds
from nearfield.querying.units import base_value

OPERATORS = {">=": True, ">": False, "<=": True, "<": False, "=": True}


@pytest.mark.parametrize("op", OPERATORS)
def test_the_border_is_the_same_in_every_unit(op: str) -> None:
    for number in range(1000, 30_000, 13):
        asked = Condition(name="energy", op=op, value=number / 1000, unit="keV")
        for value in (number, -number):
            said = {"energy": {"value": float(value), "unit": "eV"}}
            holds = condition_holds(asked, said)
            assert holds == (OPERATORS[op] if value > 0 else op in ("<", "<=")), value


@pytest.mark.parametrize("op", OPERATORS)
def test_single_precision_is_no_other_number(op: str) -> None:
    single = 8.300000190734863
    for unit in (None, "keV"):
        asked = Condition(name="energy", op=op, value=8.3, unit=unit)
        said = {"energy": {"value": single, "unit": "keV"}}
        assert condition_holds(asked, said) == OPERATORS[op]


def test_whole_numbers_without_a_unit_are_told_apart() -> None:
    asked = Condition(name="frames", op=">", value=100_000_000)
    assert condition_holds(asked, {"frames": 100_000_001})
    assert not condition_holds(asked, {"frames": 100_000_000})


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Å⁻¹", "1/angstrom"),
        ("1/A", "1/angstrom"),
        ("A-1", "1/angstrom"),
        ("Angstrom", "angstrom"),
        ("1/Angstrom", "1/angstrom"),
        ("nm-1", "1/nm"),
        ("nm⁻¹", "1/nm"),
        ("W m-2", "W/m^2"),
        ("m s⁻²", "m/s^2"),
        ("mm²", "mm^2"),
        ("Kelvin", "K"),
        ("degrees C", "degC"),
        ("ev", "eV"),
    ],
)
def test_units_as_files_write_them(said: str, meant: str) -> None:
    value, dimension = base_value(3.5, said) or (0.0, "")
    assert (pytest.approx(value, rel=1e-12), dimension) == base_value(3.5, meant)


@pytest.mark.parametrize("said", ["keV-12keV", "-1", "⁻¹", "no unit", "1/0"])
def test_what_is_no_unit_stays_none(said: str) -> None:
    assert base_value(1.0, said) is None
