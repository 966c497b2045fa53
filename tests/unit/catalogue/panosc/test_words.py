"""Words, asked of servers that understand them in different ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from nearfield.catalogue.panosc import PanoscCatalogue
from nearfield.config.sources import PanoscSource
from nearfield.querying import Query

TITLES = ("Silver behenate in water", "Gold on silicon", "silver (thick) layer")
Holds = Callable[[dict[str, Any], str], bool]


def full(where: dict[str, Any], title: str) -> bool:
    """Understands all."""
    if "and" in where:
        return all(full(one, title) for one in where["and"])
    if "text" in where:
        return where["text"].lower() in title.lower()
    return "title" not in where or _like(where["title"], title)


def reference(where: dict[str, Any], title: str) -> bool:
    """Knows ``text`` at the top; below ``and`` it is a property that no dataset has."""
    if "and" in where:
        return all("text" not in one and full(one, title) for one in where["and"])
    return full(where, title)


def scicat(where: dict[str, Any], title: str) -> bool:
    """Knows properties alone, and reads ``ilike`` as a regular expression."""
    for one in where.get("and", [where]):
        if "text" in one:
            return False
        if "title" in one and not re.search(one["title"]["ilike"], title, re.IGNORECASE):
            return False
    return True


def _like(said: dict[str, str], title: str) -> bool:
    pattern = re.escape(said["ilike"]).replace("%", ".*")
    return re.fullmatch(pattern, title, re.IGNORECASE) is not None


def server(holds: Holds) -> tuple[PanoscCatalogue, list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        said = json.loads(request.url.params["filter"])
        asked.append(said.get("where", {}))
        found = [
            {"pid": f"p{number}", "title": title}
            for number, title in enumerate(TITLES)
            if holds(said.get("where", {}), title)
        ]
        return httpx.Response(200, json=found[said["skip"] :][: said["limit"]])

    settings = PanoscSource(driver="panosc", url="https://pan.test/api", timeout=1)
    made = PanoscCatalogue.from_settings("pan", settings, transport=httpx.MockTransport(handle))
    return made, asked


async def titles(catalogue: PanoscCatalogue, text: str, **more: Any) -> list[str | None]:
    page = await catalogue.search(Query(text=text, **more))
    assert page.total == len(page.datasets)
    return [one.title for one in page.datasets]


@pytest.mark.parametrize("holds", [full, reference, scicat])
async def test_words_find_their_datasets_on_every_server(holds: Holds) -> None:
    catalogue, _ = server(holds)
    assert await titles(catalogue, "silver behenate") == [TITLES[0]]
    assert await titles(catalogue, "silver") == [TITLES[0], TITLES[2]]
    assert await titles(catalogue, "gold", since=datetime(2000, 1, 1, tzinfo=UTC)) == [TITLES[1]]
    assert await titles(catalogue, "platinum wire") == []
    assert sum((await catalogue.facets(Query(text="silver layer"))).counts["type"].values()) == 1


async def test_a_server_that_knows_words_is_asked_twice_at_most() -> None:
    catalogue, asked = server(full)
    assert await titles(catalogue, "platinum wire") == []
    assert await titles(catalogue, "platinum foil") == []
    # The search, a title, a word of it; then the other search alone.
    assert len(asked) == 4
    assert not any("title" in json.dumps(where) for where in asked)


async def test_signs_of_a_regular_expression_are_signs() -> None:
    catalogue, _ = server(scicat)
    assert await titles(catalogue, "silver (thick)") == [TITLES[2]]
    assert await titles(catalogue, "silver wat.r") == []


async def test_an_empty_server_is_simply_empty() -> None:
    catalogue, asked = server(lambda where, title: False)
    assert await titles(catalogue, "silver behenate") == []
    assert len(asked) == 2
