"""The client: every answer of a service as a result or as an error of ours."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from nearfield.catalogue import ServiceCatalogue
from nearfield.catalogue import service as service_module
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotPermittedError,
    UsageError,
)
from nearfield.querying import Query


class TestClient:
    def make(self, handler: Callable[[httpx.Request], httpx.Response]) -> ServiceCatalogue:
        return ServiceCatalogue(
            "http://c.test/x/", "sekrit", transport=httpx.MockTransport(handler)
        )

    async def test_the_token_is_in_no_text(self) -> None:
        catalogue = self.make(lambda request: httpx.Response(500))
        with pytest.raises(CatalogueError) as failed:
            await catalogue.search(Query())
        assert "sekrit" not in repr(catalogue) + str(failed.value) + str(vars(catalogue))

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, UsageError),
            (401, CatalogueError),
            (403, DatasetNotPermittedError),
            (409, CatalogueError),
            (500, CatalogueError),
            (502, CatalogueUnavailableError),
            (503, CatalogueUnavailableError),
        ],
    )
    async def test_errors_come_back_as_they_were(self, status: int, kind: type[Exception]) -> None:
        catalogue = self.make(
            lambda request: httpx.Response(status, json={"error": "what", "hint": "why"})
        )
        with pytest.raises(kind, match="what") as failed:
            await catalogue.get("x")
        assert getattr(failed.value, "hint", None) == "why"

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, text="<html>login</html>"),
            httpx.Response(200, json={"datasets": 1}),
            httpx.Response(404, text="not found"),
            httpx.Response(302, headers={"location": "/hub/login"}),
        ],
    )
    async def test_something_else_at_that_url(self, answer: httpx.Response) -> None:
        catalogue = self.make(lambda request: answer)
        with pytest.raises(CatalogueError) as failed:
            await catalogue.get("x")
        assert type(failed.value) is CatalogueError
        assert "catalogue.url" in (failed.value.hint or "")

    @pytest.mark.parametrize(
        "change",
        (
            {"files": ["/d/a.h5"] * 1001},
            {"files": ["/d/a.h5", "/d/../etc/passwd"]},
            {"files": ["/d/a.h5", "/e/b.h5"]},
            {"files": ["/d/b.h5", "/d/a.h5"]},
            {"files": ["a.h5"], "root": "a.h5"},
            {"files": []},
            {"slug": "../x"},
            {"size": -1},
            {"paths": []},
            {"access": {}},
        ),
    )
    async def test_links_are_not_taken_on_trust(self, change: dict[str, object]) -> None:
        good: dict[str, object] = {
            "pid": "x",
            "slug": "a-01234567",
            "title": None,
            "size": 1,
            "root": "/d/a.h5",
            "files": ["/d/a.h5", "/d/b/c.h5"],
        }
        found = await self.make(lambda request: httpx.Response(200, json=good)).links("x")
        assert found.root == "/d/a.h5"
        assert found.paths == ("/d/a.h5", "/d/b/c.h5")
        with pytest.raises(CatalogueError, match="not a catalogue's"):
            await self.make(lambda request: httpx.Response(200, json=good | change)).links("x")

    async def test_no_answer(self) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectTimeout("")

        with pytest.raises(CatalogueUnavailableError, match="ConnectTimeout"):
            await self.make(refuse).files("x")


def test_addresses() -> None:
    assert service_module._address("http://127.0.0.1:10202") == ("127.0.0.1", 10202)
    assert service_module._address("localhost:1") == ("localhost", 1)
    assert service_module._address("http://[::1]:80") == ("::1", 80)
    for wrong in ("", "localhost", "x:y", "http://127.0.0.1", ":80", "1.2.3.4:99999"):
        with pytest.raises(UsageError):
            service_module._address(wrong)
