"""No value is read as a part of a search, whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.catalogue.invenio._legacy import LegacyServer
from nearfield.catalogue.invenio._rdm import RdmServer
from nearfield.catalogue.invenio._search import query_string
from nearfield.errors import UnsupportedQueryError, UsageError
from nearfield.querying import Query
from nearfield.testing import fake_invenio_legacy
from nearfield.testing.fake_invenio_records import FIELDS
from nearfield.testing.fake_invenio_search import SearchError, compiled
from sourcelab.repositories import KINDS, Repository

TEXT = st.text(alphabet=st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30)
DIALECTS = [(RdmServer.fields, FIELDS), (LegacyServer.fields, fake_invenio_legacy.FIELDS)]


@given(TEXT, TEXT)
def test_every_search_is_one_that_the_repository_understands(words: str, phrase: str) -> None:
    for ours, theirs in DIALECTS:
        said = query_string(Query(text=words, phrases=(phrase,), keyword=(phrase,)), ours)
        if said is not None:
            compiled(said, theirs)


@given(TEXT)
def test_a_keyword_is_found_whole_whatever_its_case(keyword: str) -> None:
    # Without the sign it would be found by its words, too.
    said = query_string(Query(keyword=(f"={keyword}",)), RdmServer.fields)
    assert said is not None
    holds = compiled(said, FIELDS)

    def record(word: str) -> dict[str, Any]:
        return {"metadata": {"resource_type": {"id": "dataset"}, "subjects": [{"subject": word}]}}

    seen = keyword.replace("\0", "\ufffd")
    assert holds(record(seen))
    assert not holds(record(seen + "x"))
    if len(seen.upper()) == len(seen):
        assert holds(record("".join(c.upper() if len(c.upper()) == 1 else c for c in seen)))


@pytest.mark.parametrize(
    "value",
    [
        '" OR *',
        "\\",
        '\\" OR id:*',
        "AND",
        "NOT",
        "TO",
        "a/b",
        "[* TO *]",
        "access.record:restricted",
        "x~2^9",
        "_exists_:internal_notes",
    ],
)
async def test_operators_are_words(value: str) -> None:
    for kind in KINDS.values():
        repository = kind()
        catalogue = repository.driver("")
        for query in (Query(text=value), Query(phrases=(value,)), Query(keyword=(value,))):
            assert (await catalogue.search(query)).total == 0
            assert (await catalogue.facets(query)).counts["type"] == {}


@pytest.mark.parametrize(
    "query", ["id:", 'x AND "', "nonsense:1", "a:[1 TO", "(a OR b", "/x/", "a b)", "AND", "*"]
)
def test_the_fakes_are_strict(query: str) -> None:
    for fields in (FIELDS, fake_invenio_legacy.FIELDS):
        with pytest.raises(SearchError):
            compiled(query, fields)


@pytest.fixture(params=sorted(KINDS))
def repository(request: pytest.FixtureRequest) -> Repository:
    return KINDS[request.param]()


async def test_what_is_no_field_of_a_repository_is_refused(repository: Repository) -> None:
    for field in ("technique", "instrument", "sample", "owner", "format"):
        with pytest.raises(UnsupportedQueryError, match=f"rodare: .*{field}"):
            await repository.driver().search(Query.model_validate({field: "x"}))
    assert repository.fake.requests == []


async def test_only_datasets_of_the_community(repository: Repository) -> None:
    if repository.api == "rdm":
        repository.record.communities.add("hzdr")
    else:
        metadata = repository.record.metadata
        metadata["communities"] = [{"identifier": "hzdr"}]
    assert (await repository.driver(community="hzdr").search(Query())).total == 1
    assert (await repository.driver(community="other").search(Query())).total == 0


async def test_beyond_what_can_be_counted(repository: Repository) -> None:
    catalogue = repository.driver()
    with pytest.raises(UsageError, match="the first 10,000"):
        await catalogue.search(Query(offset=10_000))
    page = await catalogue.search(Query(offset=9_990, limit=100))
    assert (page.datasets, page.total, page.next) == ((), 1, None)


async def test_pages_of_any_size_and_place(repository: Repository) -> None:
    fake: Any = repository.fake
    for number in range(33):
        if repository.api == "rdm":
            fake.put("carol", {**repository.record.metadata, "title": f"t{number}"})
        else:
            one = repository.record
            fake.put("carol", {**one.metadata, "title": f"t{number}"})
    # Nobody gets more than 25 at once.
    for user in ("", "alice"):
        catalogue = repository.driver(user)
        whole = [one.pid for one in (await catalogue.search(Query(limit=100))).datasets]
        assert len(whole) == len(set(whole)) == 34
        for offset, limit in ((0, 7), (5, 7), (13, 30), (33, 5), (34, 5)):
            page = await catalogue.search(Query(offset=offset, limit=limit))
            assert [one.pid for one in page.datasets] == whole[offset : offset + limit]
            assert (page.next is None) == (offset + limit >= 34)
