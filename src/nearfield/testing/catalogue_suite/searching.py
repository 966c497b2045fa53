"""Words, phrases, order and counts."""

from __future__ import annotations

import pytest

from nearfield.catalogue import Catalogue
from nearfield.errors import UsageError
from nearfield.querying import Query
from nearfield.testing.catalogue_expectations import facets_of
from nearfield.testing.catalogue_suite.base import ContractBase, refuses_or_supports
from nearfield.testing.catalogue_suite.seed import ALICES, CHEMISTS, GUESTS, LAPSED, PUBLIC

FACETS = ("type", "technique", "instrument", "format")


class SearchingContract(ContractBase):
    """What is found by words."""

    def test_is_a_catalogue(self, alice: Catalogue) -> None:
        assert isinstance(alice, Catalogue)
        assert alice.name

    async def test_newest_first_and_those_without_a_time_last(self, alice: Catalogue) -> None:
        assert await self.pids(alice) == [
            CHEMISTS.pid,
            ALICES.pid,
            PUBLIC.pid,
            LAPSED.pid,
            GUESTS.pid,
        ]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("reflectivity", [ALICES.pid]),
            ("REFLECT", [ALICES.pid]),
            ("film thin", [ALICES.pid]),
            ("film vanadium", []),
            ("x-ray", [ALICES.pid]),
            ("pentacene", [ALICES.pid]),
            ("nxsas", [CHEMISTS.pid, PUBLIC.pid]),
            ("muller strasse", []),
            ("Müller", [PUBLIC.pid]),
            ("muller", [PUBLIC.pid]),
            ("openpmd", [GUESTS.pid]),
            ("magnet dipole", [GUESTS.pid]),
            ("SAXS-1 silver", [PUBLIC.pid]),
            ("scan_00002", [ALICES.pid]),
            ("vanadium", []),
            ("hene", []),
        ],
    )
    async def test_every_word_must_begin_a_word(
        self, alice: Catalogue, text: str, found: list[str]
    ) -> None:
        await self.finds(alice, found, text)

    @pytest.mark.parametrize(
        ("phrase", "found"),
        [
            ("silver behenate", [PUBLIC.pid]),
            ("Silver  BEHENATE", [PUBLIC.pid]),
            ("behenate silver", []),
            ("silver behen", []),
            ("thin film", [ALICES.pid]),
            ("film", [ALICES.pid]),
            ("field of a dipole", [GUESTS.pid]),
            ("and or not", [CHEMISTS.pid]),
            ('words": and', [CHEMISTS.pid]),
            ("vanadium at", []),
            ("-", []),
        ],
    )
    async def test_a_phrase_is_found_word_after_word(
        self, alice: Catalogue, phrase: str, found: list[str]
    ) -> None:
        await self.finds(alice, found, phrases=(phrase,))

    async def test_phrases_and_words_hold_together(self, alice: Catalogue) -> None:
        await self.finds(alice, [PUBLIC.pid], "calib", phrases=("silver behenate",))
        await self.finds(alice, [], "film", phrases=("silver behenate",))
        await self.finds(alice, [], phrases=("thin film", "silver"))

    async def test_by_relevance_the_title_counts_first(self, alice: Catalogue) -> None:
        await self.finds(alice, [CHEMISTS.pid, PUBLIC.pid], "calibration")
        found = await self.pids(alice, "calibration", order="relevance")
        if self.ranks:
            assert found == [PUBLIC.pid, CHEMISTS.pid]
        else:
            assert set(found) == set(await self.pids(alice, "calibration"))

    @pytest.mark.parametrize(
        "text",
        (
            *('"', '""', "*", "-", "film*", "(film", "film)", "AND", "NOT film", "film OR"),
            *("^film", "title:film", "film + film", "NEAR(film)", "a\0b", "☃"),
            "'; DROP TABLE dataset; --",
        ),
    )
    async def test_no_text_is_a_syntax_error(self, alice: Catalogue, text: str) -> None:
        query = Query(text=text)
        await refuses_or_supports(alice, query)
        page = await alice.search(query)
        assert page.total <= 4
        await alice.facets(query)
        await alice.search(Query(text=text, order="relevance"))

    async def test_operators_are_words(self, alice: Catalogue) -> None:
        await self.finds(alice, [CHEMISTS.pid], "AND")
        await self.finds(alice, [CHEMISTS.pid], '"words" NOT')
        await self.finds(alice, [CHEMISTS.pid], "near(")

    async def test_a_flood_of_words_is_refused(self, alice: Catalogue) -> None:
        query = Query(text="x " * 500)
        await refuses_or_supports(alice, query)
        with pytest.raises(UsageError):
            await alice.search(query)

    async def test_facets_count_matches_only(self, alice: Catalogue) -> None:
        query = Query(text="film")
        await refuses_or_supports(alice, query)
        facets = await alice.facets(query)
        for name in FACETS:
            assert facets[name] == facets_of([self.held(ALICES)], name)
        assert facets.exact

    async def test_facets_of_all(self, alice: Catalogue) -> None:
        facets = await alice.facets(Query())
        seen = self.seen_by("alice")
        assert len(seen) == 5
        for name in FACETS:
            assert facets[name] == facets_of(seen, name)
            # The most frequent first.
            assert list(facets[name].values()) == sorted(facets[name].values(), reverse=True)
        for name in facets.counts.keys() - FACETS:
            assert facets[name] == facets_of(seen, name)

    async def test_facets_look_at_no_page(self, alice: Catalogue) -> None:
        whole = await alice.facets(Query())
        assert (await alice.facets(Query(limit=1, offset=2))).counts == whole.counts
