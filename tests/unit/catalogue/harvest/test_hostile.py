"""Repositories that answer badly, politeness, and odd records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._store import fetch
from nearfield.catalogue.oai import HarvestReport, Repository, harvesting
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError, UsageError

Harvest = Callable[..., Awaitable[HarvestReport]]
Said = Callable[[httpx.Request], httpx.Response]

IDENTIFY = (
    "<Identify><repositoryName>Theirs</repositoryName><protocolVersion>2.0</protocolVersion>"
    "<granularity>YYYY-MM-DD</granularity><deletedRecord>no</deletedRecord></Identify>"
)
FORMATS = (
    "<ListMetadataFormats><metadataFormat><metadataPrefix>oai_dc</metadataPrefix>"
    "</metadataFormat></ListMetadataFormats>"
)


def oai(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2024-01-01T00:00:00Z</responseDate>{body}</OAI-PMH>"
    ).encode()


def record(identifier: str, metadata: str = "", status: str = "") -> str:
    said = f' status="{status}"' if status else ""
    inner = f"<metadata>{metadata}</metadata>" if metadata else ""
    return (
        f"<record><header{said}><identifier>{identifier}</identifier>"
        f"<datestamp>2024-01-01</datestamp></header>{inner}</record>"
    )


def dc(inner: str) -> str:
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns="http://purl.org/dc/elements/1.1/">{inner}</oai_dc:dc>'
    )


A = dc("<title>A</title>")


def listing(*records: str) -> bytes:
    return oai(f"<ListRecords>{''.join(records)}</ListRecords>")


def answering(records: bytes | Said) -> httpx.MockTransport:
    """A repository that is in order, but for what it answers to ListRecords."""

    def handle(request: httpx.Request) -> httpx.Response:
        verb = request.url.params["verb"]
        if verb == "Identify":
            return httpx.Response(200, content=oai(IDENTIFY))
        if verb == "ListMetadataFormats":
            return httpx.Response(200, content=oai(FORMATS))
        return (
            httpx.Response(200, content=records) if isinstance(records, bytes) else records(request)
        )

    return httpx.MockTransport(handle)


def get(store: CatalogueStore, pid: str) -> Dataset:
    with store.reading() as connection:
        found = fetch(connection, pid)
    assert found is not None
    return found


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b"<x>&b;</x>"
)
THIEF = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (BOMB, "document type"),
        (THIEF, "document type"),
        (b"<html><body>log in</body></html>", "not OAI-PMH"),
        (b"<!DOCTYPE html><html></html>", "document type"),
        (b"", "not XML"),
        (b'{"error": 1}', "not XML"),
        (oai("<ListRecords>")[:-20], "not XML"),
        (b'<?xml version="1.0" encoding="klingon"?><x/>', "not XML"),
        (b"\xff\xfe\x00", "not XML"),
        (b"<a>" * 100_000, "not XML"),
        (oai("<Identify/>"), "something else than records"),
        (
            oai('<error code="badArgument">no such &lt;b&gt;set&#10;</error>'),
            "badArgument: no such",
        ),
        (oai('<error code="noSetHierarchy"/>'), "noSetHierarchy"),
        (oai("<error/>"), "error"),
    ],
)
async def test_answers_that_are_none_name_the_repository(
    run_harvest: Harvest, store: CatalogueStore, answer: bytes, named: str
) -> None:
    with pytest.raises(CatalogueError, match=r"data\.test") as failed:
        await run_harvest(answering(answer))
    assert named in failed.value.message
    assert "\n" not in failed.value.message
    assert store.count() == 0


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(404, text="gone"),
        httpx.Response(302, headers={"location": "https://elsewhere.test/oai"}),
        httpx.Response(200, content=b" " * 33_000_000),
    ],
)
async def test_failures_of_http_name_it_too(run_harvest: Harvest, answer: httpx.Response) -> None:
    with pytest.raises(CatalogueError, match=r"data\.test"):
        await run_harvest(answering(lambda request: answer))


async def test_a_busy_repository_is_waited_for(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(
        [
            httpx.Response(503, headers={"retry-after": "7"}),
            httpx.Response(429, headers={"retry-after": "2"}),
            httpx.Response(
                200,
                content=oai(
                    f"<ListRecords>{record('oai:x:1', dc('<title>A</title>'))}</ListRecords>"
                ),
            ),
        ]
    )
    repository = Repository(
        "https://data.test/oai", timeout=60, transport=answering(lambda request: next(answers))
    )
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    repository._client._sleep = note
    report = await harvesting.harvest(store, repository)
    assert report.registered == 1
    assert [round(seconds) for seconds in waited] == [7, 2]
    await repository.aclose()


async def test_lists_without_end_end(
    run_harvest: Harvest, store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = listing(record("oai:x:1", A), "<resumptionToken>t</resumptionToken>")
    with pytest.raises(CatalogueError, match="again and again"):
        await run_harvest(answering(same))
    assert store.count() == 1
    asked = 0

    def empty(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(
            200,
            content=oai(f"<ListRecords><resumptionToken>{asked}</resumptionToken></ListRecords>"),
        )

    with pytest.raises(CatalogueError, match="without end"):
        await run_harvest(answering(empty), full=True)
    assert asked == harvesting.MAX_EMPTY + 1


async def test_one_bad_record_does_not_fail_the_page(
    run_harvest: Harvest, store: CatalogueStore
) -> None:
    listed = [
        record("oai:x:good", dc("<title>Good</title>")),
        record("", dc("<title>nameless</title>")),
        "<record/>",
        record("oai:x:empty"),
        record("oai:x:marc", "<marc/>"),
        record("x" * 500, dc("<title>long name</title>")),
        record("oai:x:article", dc("<title>A</title><type>info:eu-repo/semantics/article</type>")),
        record("oai:x:never", status="deleted"),
    ]
    report = await run_harvest(answering(listing(*listed)))
    assert (report.registered, report.other, report.deleted) == (1, 1, 0)
    assert report.failures == 5
    reasons = dict(report.failed)
    assert "neither deleted" in reasons["oai:x:empty"]
    assert "format" in reasons["oai:x:marc"]
    assert not report.deletions_told
    assert get(store, "oai:x:good").title == "Good"


async def test_odd_values(run_harvest: Harvest, store: CatalogueStore) -> None:
    inner = (
        f"<title>&lt;script&gt;{'x' * 100_000}</title><title>second</title>"
        "<creator>  Doe,\n  J. </creator><creator>Doe, J.</creator>"
        "<date>2024</date><date>soon</date><date>2023-05-06</date>"
        "<identifier>https://doi.org/10.5281/zenodo.6497438</identifier>"
        "<identifier>https://zenodo.org/records/6497438</identifier>"
        "<subject>small angle x-ray scattering</subject><subject>polymers</subject>"
        "<subject>http://purl.org/pan-science/PaNET/PaNET01188</subject>"
        "<type>Dataset</type><unknown><deep/></unknown>"
    )
    page = record("oai:x:ä b%20c", dc(inner))
    await run_harvest(answering(listing(page)))
    one = get(store, "oai:x:%C3%A4%20b%2520c")
    assert (one.title or "").startswith("<script>x")
    assert len(one.title or "") == 1000
    assert "cut" in one.warnings[0]
    assert one.creators == ("Doe, J.",)
    assert one.created is not None
    assert one.created.isoformat() == "2023-05-06T00:00:00"
    assert one.doi == "10.5281/zenodo.6497438"
    assert one.landing_page == "https://zenodo.org/records/6497438"
    assert one.techniques == ("small angle x-ray scattering",)
    assert one.technique_ids == ("http://purl.org/pan-science/PaNET/PaNET01188",)
    assert one.keywords == ("polymers",)
    assert one.facility is one.license is one.start_time is None


async def test_datacite_of_others(run_harvest: Harvest, store: CatalogueStore) -> None:
    payload = (
        '<oai_datacite xmlns="http://schema.datacite.org/oai/oai-1.0/"><payload>'
        '<resource xmlns="http://datacite.org/schema/kernel-3">'
        '<identifier identifierType="DOI">10.14278/rodare.1</identifier>'
        "<creators><creator><creatorName>Roe, R.</creatorName></creator>"
        "<creator><creatorName>:unav</creatorName></creator></creators>"
        "<titles><title>Laser shots</title></titles><publisher>Rodare</publisher>"
        "<publicationYear>2023</publicationYear>"
        '<resourceType resourceTypeGeneral="Dataset"/>'
        '<dates><date dateType="Collected">2023-01-02T03:04:05/2023-01-03</date>'
        '<date dateType="Issued">2023-06-07</date></dates>'
        '<relatedIdentifiers><relatedIdentifier relatedIdentifierType="DOI" '
        'relationType="IsDerivedFrom">10.5/in put</relatedIdentifier></relatedIdentifiers>'
        "<sizes><size>3 files</size><size>1234 bytes</size></sizes>"
        "<rightsList><rights>CC BY 4.0</rights></rightsList>"
        '<descriptions><description descriptionType="Other">notes</description>'
        '<description descriptionType="Abstract">Shots.</description></descriptions>'
        "</resource></payload></oai_datacite>"
    )
    page = record("oai:rodare:1", payload)
    await run_harvest(answering(listing(page)))
    one = get(store, "oai:rodare:1")
    assert (one.doi, one.creators, one.facility) == ("10.14278/rodare.1", ("Roe, R.",), "Rodare")
    assert (one.size, one.license, one.description) == (1234, "CC BY 4.0", "Shots.")
    assert (one.type, one.input_datasets) == ("derived", ("10.5/in%20put",))
    times: list[Any] = [one.start_time, one.end_time, one.created]
    assert [time.isoformat() for time in times] == [
        "2023-01-02T03:04:05",
        "2023-01-03T00:00:00",
        "2023-06-07T00:00:00",
    ]


@pytest.mark.parametrize(
    "url", ["zenodo.org/oai2d", "ftp://x/oai", "https://x/oai?verb=Identify", "https://", "x y"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        Repository(url)
