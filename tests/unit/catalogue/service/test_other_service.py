"""Another hub's service as a source: what it answers badly is said with its name."""

from __future__ import annotations

import httpx
import pytest

from nearfield.catalogue import ServiceCatalogue
from nearfield.config.sources import ServiceSource
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    SourceLoginError,
    UsageError,
)
from nearfield.querying import Query


class Tokens:
    """Gives a token that is old, and a fresh one where that is asked for."""

    def __init__(self) -> None:
        self.fresh = 0

    async def token(self, *, fresh: bool = False) -> str:
        self.fresh += fresh
        return f"sekrit-{self.fresh}"


def source(answer: httpx.Response | None = None, tokens: Tokens | None = None) -> ServiceCatalogue:
    def handle(request: httpx.Request) -> httpx.Response:
        if answer is not None:
            return answer
        if request.headers["authorization"] != "Bearer sekrit-1":
            return httpx.Response(401, json={"error": "the hub does not know this token"})
        return httpx.Response(200, json={"datasets": [], "total": 0})

    made = ServiceCatalogue.from_settings(
        "hereon",
        ServiceSource(driver="service", url="https://hub.test/services/catalogue", timeout=1),
        token=tokens or Tokens(),
        transport=httpx.MockTransport(handle),
    )

    async def at_once(seconds: float) -> None:
        return None

    vars(made)["_source"]._sleep = at_once
    return made


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(400, json={"error": "text: too long", "hint": "shorter"}), UsageError),
        (httpx.Response(401, json={"error": "who?"}), SourceLoginError),
        (httpx.Response(403, json={"error": "not you"}), DatasetNotPermittedError),
        (httpx.Response(404, json={"error": "no dataset"}), DatasetNotFoundError),
        (httpx.Response(404, text="not found"), CatalogueError),
        (httpx.Response(409, json={"error": "taken"}), CatalogueError),
        (httpx.Response(403, json={"error": {"deep": 1}}), CatalogueError),
        (httpx.Response(500, text="Traceback"), CatalogueUnavailableError),
        (httpx.Response(503, json={"error": "busy"}), CatalogueUnavailableError),
        (httpx.Response(200, text="<html>log in</html>"), CatalogueError),
        (httpx.Response(200, content=b'{"datasets": ['), CatalogueError),
        (httpx.Response(200, json={"datasets": [{"pid": 7}], "total": 1}), CatalogueError),
        (httpx.Response(302, headers={"location": "https://login.test/"}), CatalogueError),
        (httpx.Response(200, content=b" " * 33_000_000), CatalogueError),
    ],
)
async def test_errors_name_the_source_and_no_token(
    answer: httpx.Response, kind: type[Exception]
) -> None:
    catalogue = source(answer)
    for ask in (catalogue.search(Query()), catalogue.get("x"), catalogue.thumbnail("x")):
        with pytest.raises(kind, match="hereon") as failed:
            await ask
        assert "sekrit" not in str(failed.value) + repr(catalogue)
    await catalogue.aclose()


async def test_a_token_that_is_too_old_is_renewed_once() -> None:
    tokens = Tokens()
    catalogue = source(tokens=tokens)
    assert (await catalogue.search(Query())).total == 0
    assert tokens.fresh == 1
    await catalogue.aclose()


async def test_no_thumbnail_is_no_failure() -> None:
    assert await source(httpx.Response(204)).thumbnail("x") is None
    picture = httpx.Response(200, content=b"\x89PNG", headers={"content-type": "image/png"})
    found = await source(picture).thumbnail("x")
    assert found is not None
    assert (found.media_type, found.content) == ("image/png", b"\x89PNG")
