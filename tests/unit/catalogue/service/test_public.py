"""What the service opens to everybody, and that it opens nothing else."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.service import make_app
from nearfield.catalogue.serving.turns import BusyError, Turns
from nearfield.config.serving import ServeConfig
from nearfield.testing.catalogue_contract import SEED

OPEN = ServeConfig(public=("oai",), url="https://data.test/x/", admin_email="data@data.test")
LISTING = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"}


@pytest.fixture
async def public(store: CatalogueStore) -> AsyncIterator[httpx.AsyncClient]:
    store.register(SEED)
    transport = httpx.ASGITransport(make_app(store, None, "/x/", serve=OPEN))
    async with httpx.AsyncClient(transport=transport, base_url="http://c.test/x") as made:
        yield made


async def test_nothing_is_public_unless_it_is_named(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    assert (await client.get("/oai?verb=Identify")).status_code == 404


async def test_without_a_hub_nothing_else_answers(public: httpx.AsyncClient) -> None:
    for path in ("/datasets", "/datasets/public-1", "/facets", "/summaries"):
        answer = await public.get(path, headers={"authorization": "Bearer alice-token"})
        assert answer.status_code == 404
        assert "public" in answer.json()["hint"]
    assert (await public.get("/health")).status_code == 200


async def test_oai_answers_get_and_post_alike(public: httpx.AsyncClient) -> None:
    got = await public.get("/oai", params=LISTING)
    posted = await public.post("/oai", data=LISTING)
    for answer in (got, posted):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert "oai:data.test:public-1<" in answer.text
    assert (await public.post("/oai", content=b"x=" + b"a" * 20_000)).status_code == 413
    assert (await public.post("/oai", content=b"&".join([b"a=1"] * 50))).status_code == 413


async def test_a_crowd_waits_and_then_is_sent_away() -> None:
    turns = Turns(at_once=1, waiting=2)
    release, inside, entered = asyncio.Event(), asyncio.Event(), 0

    async def ask() -> None:
        nonlocal entered
        async with turns.taken():
            entered += 1
            inside.set()
            await release.wait()

    tasks = [asyncio.create_task(ask()) for _ in range(3)]
    await inside.wait()
    with pytest.raises(BusyError):
        await ask()
    release.set()
    await asyncio.gather(*tasks)
    await ask()
    assert entered == 4


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"public": ["oai"]}, "'oai' needs url and admin_email"),
        ({"public": ["oai"], "url": "https://x.test"}, "admin_email"),
        ({"public": ["everything"]}, "public"),
        ({"url": "ftp://x.test"}, "url"),
        ({"admin_email": "a@b <c>"}, "admin_email"),
    ],
)
def test_a_configuration_that_does_not_do_is_explained(said: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        ServeConfig.model_validate(said)


def test_public_only_with_nothing_public_is_explained(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = run("catalogue", "serve", "--public-only", "--catalogue", tmp_path / "c.sqlite")
    assert done.returncode == 3
    assert "catalogue.serve.public" in done.stderr
