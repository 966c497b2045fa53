"""Repositories that answer badly, and records that are odd."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nearfield.catalogue.invenio import InvenioCatalogue
from nearfield.datasets import MAX_TITLE
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    SourceLoginError,
)
from nearfield.querying import Query
from sourcelab.icat import Token
from sourcelab.invenio import settings
from sourcelab.repositories import KINDS, Repository

APIS = ("rdm", "legacy")
PIDS = {"rdm": "invenio.test/records/abcde-12345", "legacy": "invenio.test/record/17"}


def answering(api: str, answer: httpx.Response | Any) -> InvenioCatalogue:
    """Every question gets this; what is no response is sent as JSON."""

    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json=answer)

    found = InvenioCatalogue.from_settings(
        "rodare",
        settings(api=api, timeout=1),
        token=Token("t"),
        transport=httpx.MockTransport(handle),
    )

    async def at_once(seconds: float) -> None:
        return None

    found._client._sleep = at_once
    return found


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(500, text="Traceback"), CatalogueUnavailableError),
        (httpx.Response(503), CatalogueUnavailableError),
        (httpx.Response(200, html="<html><script>x</script></html>"), CatalogueError),
        (httpx.Response(200, content=b'{"hits": {"hits": ['), CatalogueError),
        (httpx.Response(200, json=[]), CatalogueError),
        (httpx.Response(200, json=None), CatalogueError),
        (httpx.Response(302, headers={"location": "https://evil.test/"}), CatalogueError),
        (httpx.Response(200, content=b"{" + b" " * 9_000_000 + b"}"), CatalogueError),
        (httpx.Response(400, json={"message": "The syntax is invalid"}), CatalogueError),
        (httpx.Response(429, headers={"retry-after": "900"}), CatalogueUnavailableError),
        (httpx.Response(401, json={"message": "expired"}), SourceLoginError),
    ],
)
async def test_an_answer_that_is_none_names_the_source(
    api: str, answer: httpx.Response, kind: type[Exception]
) -> None:
    catalogue = answering(api, answer)
    for ask in (
        catalogue.search(Query()),
        catalogue.facets(Query()),
        catalogue.get(PIDS[api]),
    ):
        with pytest.raises(kind, match="rodare"):
            await ask


BAD: dict[str, list[Any]] = {
    "rdm": [
        None,
        7,
        {},
        {"id": None},
        {"id": "../x"},
        {"id": "x y"},
        {"id": "ok-1", "created": "yesterday"},
        {"id": "ok-2", "metadata": {"creators": "me"}},
    ],
    "legacy": [
        None,
        7,
        {},
        {"id": 3},
        {"id": "../x", "metadata": {}},
        {"id": 4, "metadata": {}, "created": "yesterday"},
        {"id": 5, "metadata": {"keywords": [{"word": 1}]}},
        {"id": 6, "metadata": {}, "files": [{"size": "much"}]},
    ],
}
GOOD: dict[str, Any] = {"rdm": {"id": "good-1"}, "legacy": {"id": 1, "metadata": {}}}


@pytest.mark.parametrize("api", APIS)
async def test_one_bad_record_does_not_fail_the_page(api: str) -> None:
    hits = [GOOD[api], *BAD[api]]
    page = await answering(api, {"hits": {"hits": hits, "total": len(hits)}}).search(Query())
    head = PIDS[api].rpartition("/")[0]
    assert [one.pid for one in page.datasets] == [f"{head}/{GOOD[api]['id']}"]
    assert page.datasets[0].title is None
    assert page.total == 1
    assert page.sources[0].source == "rodare"
    assert f"left out {len(BAD[api])} records" in (page.sources[0].message or "")


@pytest.mark.parametrize("api", APIS)
async def test_odd_values(api: str) -> None:
    title = "<script>alert(1)</script>" * 5000
    odd: dict[str, dict[str, Any]] = {
        "rdm": {
            "id": "abcde-12345",
            "created": "2024-01-01T12:00:00",
            "metadata": {
                "title": title,
                "related_identifiers": [
                    {"identifier": "ö b" * 9, "relation_type": {"id": "isderivedfrom"}},
                    {"identifier": "x" * 500, "relation_type": {"id": "isderivedfrom"}},
                ],
                "identifiers": [{"identifier": f"urn:x-nearfield:run:../../x:{'0' * 64}"}],
            },
            "links": {"thumbnails": {"x": 1}},
        },
        "legacy": {
            "id": 17,
            "created": "2024-01-01T12:00:00",
            "metadata": {
                "title": title,
                "related_identifiers": [
                    {"identifier": "ö b" * 9, "relation": "isDerivedFrom"},
                    {"identifier": "x" * 500, "relation": "isDerivedFrom"},
                    {
                        "identifier": f"urn:x-nearfield:run:../../x:{'0' * 64}",
                        "relation": "isAlternateIdentifier",
                    },
                ],
            },
        },
    }
    page = await answering(api, {"hits": {"hits": [odd[api]], "total": 1}}).search(Query())
    (found,) = page.datasets
    assert found.title == title[:MAX_TITLE]
    assert "125000 characters" in found.warnings[0]
    assert found.created is not None
    assert found.created.tzinfo is None
    assert found.input_datasets == ("%C3%B6%20b" * 9,)
    assert (found.type, found.run_id) == ("derived", None)


@pytest.fixture(params=sorted(KINDS))
def repository(request: pytest.FixtureRequest) -> Repository:
    return KINDS[request.param]()


@pytest.mark.parametrize("pid", ["", ".", "..", "../user", "a b", "a/b", "Ä", "x" * 100, "-1", "%"])
async def test_a_pid_that_is_none_is_not_asked_for(repository: Repository, pid: str) -> None:
    catalogue = repository.driver()
    for ask in (catalogue.get, catalogue.files, catalogue.thumbnail):
        for name in (pid, repository.input.rpartition("/")[0] + f"/{pid}", repository.input[1:]):
            with pytest.raises(DatasetNotFoundError, match="rodare"):
                await ask(name)
    assert repository.fake.requests == []


@pytest.mark.parametrize("api", APIS)
async def test_another_record_than_the_one_asked_for(api: str) -> None:
    said = {"id": "other-1", "metadata": {}} if api == "rdm" else {"id": 18, "metadata": {}}
    with pytest.raises(CatalogueError, match="rodare"):
        await answering(api, said).get(PIDS[api])


async def test_somebody_elses_manifest_says_nothing(repository: Repository) -> None:
    words = b'{"format": 1, "run_id": "run-99999999", "digest": "%s", "sample": "gold"}' % (
        b"0" * 64
    )
    if repository.api == "rdm":
        record = repository.record
        record.files["nearfield.json"] = {**record.files["a.h5"], "content": words}
    else:
        repository.record.files["nearfield.json"] = words
    found = await repository.driver().get(repository.input)
    assert (found.sample, found.run_id, found.type) == (None, None, "raw")
    assert [file.path for file in found.files] == ["/a.h5", "/nearfield.json"]


async def test_checksums_are_said_as_what_they_are(repository: Repository) -> None:
    found = await repository.driver().get(repository.input)
    assert found.files[0].sha256 is None
    assert found.scientific["checksums"]["a.h5"].startswith("md5:")
    assert (found.files[0].url or "").startswith("http://invenio.test/api/")


async def test_a_thumbnail_of_the_repositorys_own_only(repository: Repository) -> None:
    if repository.api == "legacy":
        assert await repository.driver().thumbnail(repository.input) is None
        return
    fake: Any = repository.fake
    assert await repository.driver().thumbnail(repository.input) is None
    repository.record.thumbnails = True
    catalogue = repository.driver()
    assert (await catalogue.get(repository.input)).thumbnail
    found = await catalogue.thumbnail(repository.input)
    assert found is not None
    assert found.media_type == "image/png"
    fake.url = "http://elsewhere.test"
    with pytest.raises(CatalogueError, match="rodare"):
        await catalogue.thumbnail(repository.input)


async def test_a_doi_names_its_record(repository: Repository) -> None:
    catalogue = repository.driver("")
    found = await catalogue.get(repository.input)
    assert found.doi is not None
    for name in (found.doi, f"https://doi.org/{found.doi}", f"doi:{found.doi}"):
        assert await catalogue.get(name) == found
        assert await catalogue.files(name) == found.files
    for other in ("10.5072/nobodys", found.doi + "0", "10.5072/zenodo"):
        with pytest.raises(DatasetNotFoundError, match="rodare"):
            await catalogue.get(other)
