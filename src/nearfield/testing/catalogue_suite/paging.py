"""Pages are parts of one order, by offset and by cursor."""

from __future__ import annotations

import pytest

from nearfield.catalogue import Catalogue
from nearfield.errors import UsageError
from nearfield.querying import Query
from nearfield.testing.catalogue_suite.base import ContractBase, refuses_or_supports
from nearfield.testing.catalogue_suite.seed import ALICES, SEEN_BY, a_result

COUNT = len(SEEN_BY["alice"])


class PagingContract(ContractBase):
    """Walking through what was found."""

    async def test_pages_are_parts_of_one_order(self, alice: Catalogue) -> None:
        whole = await self.pids(alice)
        seen: list[str] = []
        for offset in range(0, COUNT + 1, 2):
            page = await alice.search(Query(limit=2, offset=offset))
            assert (page.total, page.offset) == (COUNT, offset)
            seen += [dataset.pid for dataset in page.datasets]
        assert seen == whole

    @pytest.mark.parametrize("limit", [1, 2, 3, COUNT, COUNT + 1])
    @pytest.mark.parametrize(
        "conditions", [{}, {"text": "s"}, {"text": "s", "order": "relevance"}, {"type": "raw"}]
    )
    async def test_a_cursor_walks_the_same_order(
        self, alice: Catalogue, limit: int, conditions: dict[str, str]
    ) -> None:
        query = Query.model_validate({**conditions, "limit": limit})
        await refuses_or_supports(alice, query)
        whole = await self.pids(alice, **conditions)
        assert await self._walk(alice, query) == whole

    async def test_no_cursor_after_the_last_page(self, alice: Catalogue) -> None:
        assert (await alice.search(Query(limit=COUNT))).next is None
        assert (await alice.search(Query(limit=COUNT - 1))).next is not None

    async def test_a_walk_is_stable_while_others_write(self, alice: Catalogue) -> None:
        if not alice.capabilities.derive:
            pytest.skip(f"{alice.name} takes no derived datasets")
        whole = await self.pids(alice)
        first = await alice.search(Query(limit=2))
        # The newest of all: it comes before the page that was shown.
        await self.derive(alice, a_result(input_datasets=(ALICES.pid,)))
        rest = await self._walk(alice, Query(limit=2, cursor=first.next))
        seen = [dataset.pid for dataset in first.datasets] + rest
        if self.stable_pages:
            assert seen == whole
        else:
            assert set(whole) <= set(seen)

    @pytest.mark.parametrize("cursor", ["nonsense", "☃", "e30", "0", "x" * 8000])
    async def test_a_cursor_that_is_none_is_refused(self, alice: Catalogue, cursor: str) -> None:
        with pytest.raises(UsageError):
            await alice.search(Query(cursor=cursor))

    async def test_a_cursor_of_another_search_is_refused(self, alice: Catalogue) -> None:
        cursor = (await alice.search(Query(limit=1))).next
        with pytest.raises(UsageError):
            await alice.search(Query(limit=1, type="raw", cursor=cursor))

    async def test_a_cursor_and_an_offset_are_refused(self, alice: Catalogue) -> None:
        cursor = (await alice.search(Query(limit=1))).next
        with pytest.raises(UsageError):
            await alice.search(Query(limit=1, offset=1, cursor=cursor))

    async def _walk(self, catalogue: Catalogue, query: Query) -> list[str]:
        seen: list[str] = []
        for _ in range(2 * COUNT + 2):
            page = await catalogue.search(query)
            assert len(page.datasets) <= query.limit
            seen += [dataset.pid for dataset in page.datasets]
            if page.next is None:
                return seen
            query = query.model_copy(update={"cursor": page.next})
        raise AssertionError("the pages do not end")
