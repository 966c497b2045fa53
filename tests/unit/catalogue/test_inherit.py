"""What a result has from its inputs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nearfield.catalogue._derive import request_digest
from nearfield.catalogue._inherit import inherited, inherited_access
from nearfield.datasets import MAX_JSON, Access, Principal
from nearfield.testing.catalogue_contract import a_result
from nearfield.testing.synthetic import synthetic_dataset

SAXS = "http://purl.org/pan-science/PaNET/PaNET01188"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STRANGER = Principal(name="zoe")


def test_all_that_inputs_agree_on() -> None:
    said: dict[str, Any] = {
        "instrument": "ID10",
        "facility": "ESRF",
        "sample": "pentacene",
        "proposal": "P-1",
        "techniques": ("NXsas",),
        "technique_ids": (SAXS,),
        "keywords": ("a", "b"),
        "scientific": {"energy": {"value": 8.0, "unit": "keV"}, "counter": 17, "user": "x"},
    }
    one, other = synthetic_dataset(1, **said), synthetic_dataset(2, **said)
    facts = inherited(a_result(), [one, other])._asdict()
    assert facts == {**said, "scientific": {"energy": {"value": 8.0, "unit": "keV"}}}


def test_what_differs_or_is_missing_in_one_is_left_out() -> None:
    one = synthetic_dataset(
        1, instrument="ID10", sample="A", techniques=("NXsas", "x"), keywords=("k", "l")
    )
    other = synthetic_dataset(2, instrument="ID11", techniques=("NXsas",), keywords=("l", "m"))
    facts = inherited(a_result(), [one, other])
    assert (facts.instrument, facts.sample) == (None, None)
    assert facts.techniques == ("NXsas",)
    assert facts.keywords == ("l",)


def test_the_inputs_know_better_what_nxsas_was() -> None:
    one = synthetic_dataset(techniques=("NXsas",), technique_ids=(SAXS,))
    assert inherited(a_result(techniques=("NXsas",)), [one]).technique_ids == (SAXS,)
    own = inherited(a_result(techniques=("NXsas", "xrd")), [one]).technique_ids
    assert own == (SAXS, "http://purl.org/pan-science/PaNET/PaNET01216")


def test_quantities_of_the_result_win_and_there_is_an_end_to_them() -> None:
    many = {f"v{n}": {"value": n, "unit": "x" * 1000} for n in range(400)}
    one = synthetic_dataset(scientific={"energy": {"value": 8, "unit": "keV"}, **many})
    wanted = a_result(scientific={"energy": {"value": 9, "unit": "keV"}})
    facts = inherited(wanted, [one])
    assert facts.scientific["energy"]["value"] == 9
    assert 200 < len(facts.scientific) < MAX_JSON // 1000


def test_an_embargo_is_inherited() -> None:
    soon, later = NOW + timedelta(days=1), NOW + timedelta(days=9)
    embargoed = synthetic_dataset(
        1, access=Access(owner="a", owner_group="g", public=True, embargo_until=soon)
    )
    longer = synthetic_dataset(
        2, access=Access(owner="a", owner_group="g", public=True, embargo_until=later)
    )
    public = synthetic_dataset(3, access=Access(owner="a", public=True))
    private = synthetic_dataset(4, access=Access(owner="a", owner_group="g"))

    access = inherited_access([embargoed, longer, public], "alice")
    assert access.embargo_until == later
    assert not access.visible_to(STRANGER, later - timedelta(seconds=1))
    assert access.visible_to(STRANGER, later)
    assert access.visible_to(Principal(name="bob", groups=frozenset({"g"})), NOW)
    assert not inherited_access([embargoed, private], "alice").visible_to(STRANGER, later)
    assert inherited_access([public], "alice").visible_to(STRANGER, NOW)


def test_what_was_published_before_there_were_these_keeps_its_digest() -> None:
    """Else the same run, published again by a newer Nearfield, would be refused as another."""
    before = "83d25d0d6590654a6ec8c394f775f0b13ee00809a5c62bf85db220e84cc642f3"
    assert request_digest(a_result()) == before
    assert request_digest(a_result(keywords=("thin",))) != before


def test_what_the_result_says_itself_wins() -> None:
    inputs = [synthetic_dataset(1).model_copy(update={"keywords": ("a",), "sample": "s"})]
    facts = inherited(a_result(keywords=("b",), instrument="i"), inputs)
    assert (facts.keywords, facts.instrument, facts.sample) == (("b",), "i", "s")
