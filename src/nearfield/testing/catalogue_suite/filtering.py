"""Conditions on fields, times and measured values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from nearfield.catalogue import ALL_FILTERS, Catalogue
from nearfield.datasets import Dataset
from nearfield.errors import UnsupportedQueryError
from nearfield.querying import Query
from nearfield.querying.matching import holds
from nearfield.testing.catalogue_suite.base import ContractBase, refuses_or_supports
from nearfield.testing.catalogue_suite.seed import (
    ALICES,
    BOBS,
    CHEMISTS,
    GUESTS,
    PUBLIC,
    SEEN_BY,
    TECHNIQUE_ID,
)
from nearfield.testing.synthetic import DAY_ONE

C = "conditions"
# Each with what alice must find. The oracle is asked too: it must say the same.
FILTERS: list[tuple[dict[str, Any], list[Dataset]]] = [
    ({"type": "derived"}, []),
    ({"technique": "NXsas"}, [CHEMISTS, PUBLIC]),
    ({"technique": "nxSAS"}, [CHEMISTS, PUBLIC]),
    ({"technique": "NX"}, []),
    ({"technique": "saxs"}, [CHEMISTS, PUBLIC]),
    ({"technique": "small angle scattering"}, [CHEMISTS, PUBLIC]),
    ({"technique": ("x-ray reflectivity", "no such technique")}, [ALICES]),
    ({"technique": TECHNIQUE_ID}, [ALICES]),
    ({"technique": ("NXsas", "NXrefscan")}, [CHEMISTS, ALICES, PUBLIC]),
    ({"instrument": "P08"}, [ALICES]),
    ({"instrument": "p08"}, [ALICES]),
    ({"instrument": ("P08", "SAXS-1", "nowhere")}, [CHEMISTS, ALICES, PUBLIC]),
    # By words of a value, one after the other, each of them whole; marked with "=" as a whole.
    ({"instrument": "SAXS"}, [CHEMISTS, PUBLIC]),
    ({"instrument": "saxs 1"}, [CHEMISTS, PUBLIC]),
    ({"instrument": "SAX"}, []),
    ({"instrument": "1 SAXS"}, []),
    ({"instrument": "=SAXS"}, []),
    ({"instrument": "=saxs-1"}, [CHEMISTS, PUBLIC]),
    ({"instrument": ("=P08", "1")}, [CHEMISTS, ALICES, PUBLIC]),
    ({"facility": "MÜLLER-straße source"}, [PUBLIC]),
    ({"facility": "source"}, [PUBLIC]),
    ({"facility": "Straße, SOURCE"}, [PUBLIC]),
    ({"facility": "=source"}, []),
    ({"instrument": "saxs", "facility": "source"}, [PUBLIC]),
    ({"sample": "Pentacene"}, [ALICES]),
    ({"sample": "=pentacene"}, [ALICES]),
    ({"sample": "penta"}, []),
    ({"proposal": "P-1234"}, [ALICES]),
    ({"proposal": ("p-1234", "P-0001")}, [ALICES, PUBLIC]),
    ({"proposal": "1234"}, [ALICES]),
    ({"proposal": "p"}, [ALICES, PUBLIC]),
    ({"proposal": "123"}, []),
    ({"proposal": "=1234"}, []),
    ({"owner": "alice"}, [ALICES]),
    ({"owner": "chemists"}, [CHEMISTS]),
    ({"owner": ("dora", "carol")}, [CHEMISTS, PUBLIC, SEEN_BY["alice"][4], GUESTS]),
    ({"owner": "=alice"}, [ALICES]),
    ({"owner": "ali"}, []),
    ({"keyword": "magnet"}, [GUESTS]),
    ({"keyword": ("=Magnet", "calib")}, [GUESTS]),
    ({"keyword": ("calibration", "MAGNET")}, [CHEMISTS, GUESTS]),
    ({"format": "openpmd"}, [GUESTS]),
    ({"storage": "gpfs"}, [PUBLIC]),
    ({"storage": ("gpfs", "archive")}, [ALICES, PUBLIC]),
    ({"availability": "tape"}, [ALICES]),
    ({"availability": ("tape", "online")}, [ALICES, PUBLIC]),
    ({"availability": "remote"}, []),
    ({"technique": "NXsas", "text": "silver"}, [PUBLIC]),
    ({"technique": "NXsas", "facility": "nowhere"}, []),
    ({"instrument": "P08", "type": "derived"}, []),
    ({C: [{"name": "energy", "op": ">", "value": 8, "unit": "keV"}]}, [CHEMISTS, ALICES]),
    (
        {C: [{"name": "Energy", "op": ">=", "value": 8000, "unit": "eV"}]},
        [CHEMISTS, ALICES, PUBLIC],
    ),
    ({C: [{"name": "energy", "op": "<", "value": 9.5, "unit": "keV"}]}, [PUBLIC]),
    ({C: [{"name": "energy", "op": "<=", "value": 9.5, "unit": "keV"}]}, [CHEMISTS, PUBLIC]),
    ({C: [{"name": "energy", "value": 12.4, "unit": "keV"}]}, [ALICES]),
    # The border itself, in another unit: what binary numbers make of it is nobody's question.
    ({C: [{"name": "energy", "op": ">=", "value": 12.4, "unit": "keV"}]}, [ALICES]),
    ({C: [{"name": "energy", "op": ">", "value": 12.4, "unit": "keV"}]}, []),
    ({C: [{"name": "energy", "value": 9, "unit": "m"}]}, [GUESTS]),
    ({C: [{"name": "energy", "value": 9, "unit": "no such unit"}]}, []),
    # Without a unit: the number that is shown.
    ({C: [{"name": "energy", "op": ">", "value": 9}]}, [CHEMISTS, ALICES, GUESTS]),
    ({C: [{"name": "exposure", "value": 0.5}]}, [CHEMISTS]),
    ({C: [{"name": "exposure", "value": 0.5, "unit": "s"}]}, []),
    ({C: [{"name": "temperature", "op": "<", "value": 77, "unit": "degC"}]}, [PUBLIC]),
    ({C: [{"name": "entry/sample/temperature", "value": 300}]}, [PUBLIC]),
    ({C: [{"name": "sample/temperature", "value": 300}]}, []),
    ({C: [{"name": "state", "value": "annealed"}]}, [ALICES]),
    ({C: [{"name": "state", "value": "anneal"}]}, []),
    ({C: [{"name": "state", "op": ">", "value": "a"}]}, []),
    (
        {
            C: [
                {"name": "energy", "op": ">", "value": 8, "unit": "keV"},
                {"name": "energy", "op": "<", "value": 10, "unit": "keV"},
            ]
        },
        [CHEMISTS],
    ),
]
EXAMPLES: dict[str, Any] = {
    "text": "x",
    "phrases": ("x y",),
    "type": "raw",
    "availability": "online",
    "input_dataset": "x",
    "since": DAY_ONE,
    "until": DAY_ONE,
    "conditions": ({"name": "x", "value": 1},),
}


class FilteringContract(ContractBase):
    """What is found by conditions. What a driver cannot apply it refuses."""

    @pytest.mark.parametrize(
        ("conditions", "found"), FILTERS, ids=[str(number) for number in range(len(FILTERS))]
    )
    async def test_a_condition_holds_for_all_that_is_found(
        self, alice: Catalogue, conditions: dict[str, Any], found: list[Dataset]
    ) -> None:
        assert {one.pid for one in found} == {
            one.pid for one in SEEN_BY["alice"] if holds(Query.model_validate(conditions), one)
        }
        await self.finds(alice, [one.pid for one in found], **conditions)

    @pytest.mark.parametrize("name", sorted(ALL_FILTERS - {"source"}))
    async def test_a_condition_that_cannot_be_applied_is_refused(
        self, alice: Catalogue, name: str
    ) -> None:
        query = Query.model_validate({name: EXAMPLES.get(name, "x")})
        if name in alice.capabilities.filters:
            await alice.search(query)
            await alice.facets(query)
            return
        for ask in (alice.search, alice.facets):
            with pytest.raises(UnsupportedQueryError) as refused:
                await ask(query)
            assert refused.value.conditions == (name,)

    async def test_times(self, alice: Catalogue, bob: Catalogue) -> None:
        second = DAY_ONE + timedelta(days=2)
        first = DAY_ONE
        await self.finds(alice, [CHEMISTS.pid, ALICES.pid], since=second)
        await self.finds(alice, [ALICES.pid, PUBLIC.pid], since=first, until=second)
        await self.finds(alice, [ALICES.pid], since=second, until=second)
        just_after = second + timedelta(milliseconds=1)
        await self.finds(alice, [CHEMISTS.pid], since=just_after)
        await self.finds(alice, [PUBLIC.pid], since=first, until=second - timedelta(milliseconds=1))
        # Without a zone on either side a time counts as UTC, and is given back without one.
        noon = datetime(2024, 1, 6, 12)  # noqa: DTZ001
        assert await self.pids(bob, since=noon, until=noon) == [BOBS.pid]
        assert (await bob.get(BOBS.pid)).start_time == self.held(BOBS).start_time

    async def test_times_and_words(self, alice: Catalogue) -> None:
        second = DAY_ONE + timedelta(days=2)
        await self.finds(alice, [CHEMISTS.pid], "nxsas", since=second)
        await self.finds(alice, [PUBLIC.pid], "nxsas", until=second)

    async def test_values_are_values_whatever_they_hold(self, alice: Catalogue) -> None:
        for value in ("' OR 1=1 --", 'x" OR "1"="1', "%", "*", "a\0b", "☃", ")"):
            query = Query(instrument=(value,))
            await refuses_or_supports(alice, query)
            assert (await alice.search(query)).total == 0
