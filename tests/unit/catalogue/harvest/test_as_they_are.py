"""What repositories in use answer otherwise than the protocol's document has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._store import fetch
from nearfield.catalogue.oai import HarvestReport
from nearfield.catalogue.oai.answers import parse
from nearfield.catalogue.oai.legible import made_legible
from nearfield.errors import CatalogueError

Harvest = Callable[..., Awaitable[HarvestReport]]
HEAD = (
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
    "<responseDate>2024-01-01T00:00:00Z</responseDate>"
)
IDENTIFY = (
    "<Identify><repositoryName>Theirs</repositoryName><protocolVersion>2.0</protocolVersion>"
    "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity><deletedRecord>no</deletedRecord></Identify>"
)
FORMATS = (
    "<ListMetadataFormats><metadataFormat><metadataPrefix>oai_dc</metadataPrefix>"
    "</metadataFormat></ListMetadataFormats>"
)


def oai(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>{HEAD}{body}</OAI-PMH>'.encode()


def page(number: int, token: str = "") -> str:
    return (
        f"<ListRecords><record><header><identifier>oai:x:{number}</identifier>"
        "<datestamp>2024-01-01</datestamp></header><metadata>"
        '<d:dc xmlns:d="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns="http://purl.org/dc/elements/1.1/"><title>T{number}</title></d:dc>'
        f"</metadata></record><resumptionToken>{token}</resumptionToken></ListRecords>"
    )


def serving(listed: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    def handle(request: httpx.Request) -> httpx.Response:
        verb = request.url.params["verb"]
        fixed = {"Identify": IDENTIFY, "ListMetadataFormats": FORMATS}
        return httpx.Response(200, content=oai(fixed[verb])) if verb in fixed else listed(request)

    return httpx.MockTransport(handle)


def refusal(status: int, code: str) -> httpx.Response:
    content = oai(f'<error code="{code}">no</error>')
    return httpx.Response(status, content=content, headers={"content-type": "text/xml"})


@pytest.mark.parametrize("status", [200, 400, 404, 422])
async def test_nothing_new_is_no_failure_whatever_its_status(
    run_harvest: Harvest, store: CatalogueStore, status: int
) -> None:
    """Invenio says noRecordsMatch with 422."""

    def listed(request: httpx.Request) -> httpx.Response:
        if "from" in request.url.params:
            return refusal(status, "noRecordsMatch")
        return httpx.Response(200, content=oai(page(1)))

    assert (await run_harvest(serving(listed))).registered == 1
    again = await run_harvest(serving(listed))
    assert (again.since is not None, again.registered, again.failures) == (True, 0, 0)
    assert store.count() == 1


@pytest.mark.parametrize(
    "lost",
    [
        refusal(422, "badResumptionToken"),
        refusal(200, "badArgument"),
        refusal(200, "noRecordsMatch"),
        httpx.Response(404, text="no such token"),
    ],
)
async def test_a_place_that_is_lost_begins_the_list_anew(
    run_harvest: Harvest, store: CatalogueStore, lost: httpx.Response
) -> None:
    """However the repository says it: else every later harvest would fail the same way."""
    broken = True

    def listed(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("resumptionToken")
        if token is None:
            return httpx.Response(200, content=oai(page(1, "old" if broken else "new")))
        if token == "new":
            return httpx.Response(200, content=oai(page(2)))
        return httpx.Response(500) if broken else lost

    with pytest.raises(CatalogueError):
        await run_harvest(serving(listed))
    broken = False
    report = await run_harvest(serving(listed))
    assert (report.resumed, report.registered, report.unchanged) == (True, 1, 1)
    assert store.count() == 2


async def test_a_log_in_page_is_no_answer(run_harvest: Harvest) -> None:
    refused = httpx.Response(403, content=oai(page(1)))
    with pytest.raises(CatalogueError, match="403"):
        await run_harvest(serving(lambda request: refused))


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (b"Silver\x0bbehenate", "Silver\ufffdbehenate"),
        (b"a &#11; b &#x1F; c &#xD800; d &#8364;", "a \ufffd b \ufffd c \ufffd d \u20ac"),
        (b"M\xfcller", "M\ufffdller"),
        (b"half \xed\xa0\x80 a sign", "half \ufffd\ufffd\ufffd a sign"),
        (b"&#xFFFE;", "\ufffd"),
    ],
)
async def test_signs_that_xml_does_not_have_cost_the_sign_not_the_page(
    run_harvest: Harvest, store: CatalogueStore, title: bytes, shown: str
) -> None:
    content = oai(page(1)).replace(b"T1", title)
    report = await run_harvest(serving(lambda request: httpx.Response(200, content=content)))
    assert (report.registered, report.mended, report.failures) == (1, 1, 0)
    with store.reading() as connection:
        found = fetch(connection, "oai:x:1")
    assert found is not None
    assert found.title == shown


def test_what_is_in_order_stays_byte_for_byte() -> None:
    for content in (oai(page(1)), oai(page(1).replace("T1", "Grüße 😀 &#10; &amp;#11;"))):
        assert made_legible(content) == content
        assert parse("x", content)[1] is False


@pytest.mark.parametrize(
    "content",
    [
        oai("<a>\x0b")[:-12],
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>\x0b&a;</x>',
        b'<?xml version="1.0" encoding="utf-16"?><x>\x0b</x>',
        b"\x00\x01\x02",
    ],
)
def test_what_is_broken_otherwise_stays_so(content: bytes) -> None:
    with pytest.raises(CatalogueError, match="there"):
        parse("there", content)
