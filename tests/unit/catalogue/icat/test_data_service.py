"""Whether a dataset is on tape, as ICAT's data service says; asking recalls nothing."""

from __future__ import annotations

import httpx
import pytest

from nearfield.catalogue.icat import IcatCatalogue
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import ALICE, PUBLIC
from nearfield.testing.fake_icat import FakeIcat
from sourcelab.icat import Token, filled, settings

IDS = "http://ids.test/data"


def asking(icat: FakeIcat, answer: httpx.Response | Exception) -> tuple[IcatCatalogue, list[str]]:
    """As alice, with a data service that says ``answer``."""
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host != "ids.test":
            return icat.answer(request)
        seen.append(f"{request.method} {request.url.path} {request.url.params['datasetIds']}")
        assert request.url.params["sessionId"] in icat.sessions
        if isinstance(answer, Exception):
            raise answer
        return answer

    made = IcatCatalogue.from_settings(
        "icat",
        settings(ids=IDS),
        token=Token(f"token-of-{ALICE.name}"),
        transport=httpx.MockTransport(handle),
    )

    async def at_once(seconds: float) -> None:
        return None

    assert made._server._ids is not None
    made._server._ids._sleep = at_once
    return made, seen


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, text="ARCHIVED"), "tape"),
        (httpx.Response(200, text="RESTORING\n"), "tape"),
        # On the service's own disks; where that is for this machine the site's storages know.
        (httpx.Response(200, text="ONLINE"), None),
        (httpx.Response(404, json={"code": "NotFoundException", "message": "x"}), None),
        (httpx.Response(500), None),
        (httpx.Response(200, html="<html>log in</html>"), None),
        (httpx.Response(200, content=b"A" * 5000), None),
        (httpx.ConnectError("refused"), None),
    ],
)
async def test_a_dataset_says_whether_it_is_on_tape(
    answer: httpx.Response | Exception, said: str | None
) -> None:
    icat, names = filled()
    catalogue, seen = asking(icat, answer)
    found = await catalogue.get(names[PUBLIC.pid])
    assert found.availability == said
    number = names[PUBLIC.pid].rpartition(":")[2]
    assert set(seen) == {f"GET /data/ids/getStatus {number}"}
    await catalogue.aclose()


async def test_a_search_asks_it_nothing() -> None:
    icat, _ = filled()
    catalogue, seen = asking(icat, httpx.Response(200, text="ARCHIVED"))
    assert (await catalogue.search(Query())).datasets
    assert seen == []


async def test_its_record_is_not_told_of_who_may_not_see_it() -> None:
    icat, names = filled()
    icat.store.tables["Dataset"].pop(int(names[PUBLIC.pid].rpartition(":")[2]))
    catalogue, _ = asking(icat, httpx.Response(200, text="ARCHIVED"))
    with pytest.raises(Exception, match="no dataset"):
        await catalogue.get(names[PUBLIC.pid])
