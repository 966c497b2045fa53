"""Zenodo's legacy interface: metadata are everybody's, files are not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nearfield.errors import CatalogueError
from nearfield.querying import Query
from sourcelab.repositories import Repository, a_result, legacy

RIGHTS: dict[str, dict[str, Any]] = {
    "open": {"access_right": "open"},
    "embargoed": {"access_right": "embargoed", "embargo_date": "2999-01-01"},
    "restricted": {"access_right": "restricted"},
    "closed": {"access_right": "closed"},
}
PEOPLE = ("alice", "bob", "")


def with_right(right: str) -> Repository:
    """Its input has this right, and is bob's."""
    repository = legacy()
    one = repository.record
    one.metadata.update(RIGHTS[right])
    one.owner = "bob"
    return repository


@pytest.mark.parametrize("right", sorted(RIGHTS))
@pytest.mark.parametrize("who", PEOPLE)
async def test_who_sees_a_record(right: str, who: str) -> None:
    repository = with_right(right)
    catalogue = repository.driver(who)
    page = await catalogue.search(Query())
    assert [one.pid for one in page.datasets] == [repository.input]
    found = await catalogue.get(repository.input)
    now = datetime.now(UTC)
    assert found.access.open_at(now) == (right == "open")
    assert found.access.public == (right in ("open", "embargoed"))
    assert (found.access.embargo_until is not None) == (right == "embargoed")
    assert ("its files are restricted" in found.warnings) == (right != "open")


@pytest.mark.parametrize("right", sorted(RIGHTS))
async def test_a_result_is_as_closed_as_its_input(right: str, tmp_path: Path) -> None:
    repository = with_right(right)
    pid = await repository.driver().derive(a_result(tmp_path, repository))
    said = repository.metadata(pid)
    wanted = {"open": "open", "embargoed": "embargoed"}.get(right, "closed")
    assert said["access_right"] == wanted
    assert said.get("embargo_date") == ("2999-01-01" if right == "embargoed" else None)
    assert said["keywords"] == ["SAXS"]
    assert "&lt;i&gt;" in said["description"]


async def test_a_draft_as_input_is_not_told_to_everybody(tmp_path: Path) -> None:
    repository = legacy()
    draft = await repository.driver(publish="draft").derive(a_result(tmp_path, repository))
    wanted = a_result(tmp_path, repository, run_id="run-00000002", input_datasets=(draft,))
    with pytest.raises(CatalogueError, match="rodare: an input is not published yet"):
        await repository.driver().derive(wanted)
    assert repository.made == [draft]
    assert await repository.driver(publish="draft").derive(wanted)


async def test_nobody_derives_from_what_is_not_theirs(tmp_path: Path) -> None:
    repository = legacy()
    draft = await repository.driver(publish="draft").derive(a_result(tmp_path, repository))
    wanted = a_result(tmp_path, repository, run_id="run-00000002", input_datasets=(draft,))
    with pytest.raises(CatalogueError, match="no dataset"):
        await repository.driver("bob", publish="draft").derive(wanted)
    assert repository.made == [draft]
