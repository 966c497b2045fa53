"""What a real InvenioRDM refuses or changes of a result's metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearfield.catalogue.invenio._html import html_of, text_of
from nearfield.errors import CatalogueError, DatasetNotFoundError
from nearfield.querying import Query
from sourcelab.repositories import KINDS, a_result, legacy, rdm

STRANGE = "I(q) for a<b and c>d, q<0.1 & x\n\nof <script>alert(1)</script> &amp;"


async def test_doi_registration_wants_a_publisher(tmp_path: Path) -> None:
    """DataCite registers none without: publishing failed after all files had been sent."""
    repository = rdm()
    pid = await repository.driver(publish="published").derive(a_result(tmp_path, repository))
    assert repository.published == [pid]
    assert repository.metadata(pid)["publisher"] == repository.pids.of("").partition("/")[0]

    repository = rdm()
    named = repository.driver(publish="published", publisher="Rossendorf Data Repository")
    pid = await named.derive(a_result(tmp_path, repository))
    assert repository.metadata(pid)["publisher"] == "Rossendorf Data Repository"


async def test_metadata_that_it_does_not_take_are_told_before_files_are_sent(
    tmp_path: Path,
) -> None:
    repository = rdm()
    with pytest.raises(CatalogueError, match=r"metadata\.title: Shorter than minimum length 3"):
        await repository.driver(publish="draft").derive(a_result(tmp_path, repository, title="S1"))
    assert repository.made == []
    assert not [one for one in repository.fake.requests if one.method == "PUT"]


async def test_a_refusal_names_the_fields(tmp_path: Path) -> None:
    repository = rdm()
    driver = repository.driver(publish="draft")
    pid = await driver.derive(a_result(tmp_path, repository))
    del repository.metadata(pid)["publisher"]
    with pytest.raises(CatalogueError, match=r"metadata\.publisher: Missing publisher"):
        await repository.driver(publish="published").derive(a_result(tmp_path, repository))


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_description_arrives_as_it_was_written(kind: str, tmp_path: Path) -> None:
    repository = KINDS[kind]()
    driver = repository.driver(publish="draft")
    pid = await driver.derive(a_result(tmp_path, repository, description=STRANGE))
    sent = repository.metadata(pid)["description"]
    # The server drops what looks like a tag that it does not know.
    assert "<b" not in sent.replace("<br>", "")
    assert "<script" not in sent
    assert (await driver.get(pid)).description == STRANGE


async def test_nobody_reads_tags() -> None:
    driver = legacy().driver()
    assert (await driver.search(Query())).datasets[0].description == "calibration"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (None, None),
        ("<p> </p>", None),
        ("<p>We <b>measured</b>&nbsp;x&sup2;.</p><p>Twice</p>", "We measured x².\n\nTwice"),
        ('a<script>alert("<p>")</script>b<style>c</style><!-- d -->e', "abe"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("q < 0.1, q<0.1 and 3>2", "q < 0.1, q<0.1 and 3>2"),
        ("<p>open <b", "open <b"),
        ("&lt;i&gt; stays", "<i> stays"),
    ],
)
def test_html_as_text(html: str | None, text: str | None) -> None:
    assert text_of(html) == text


def test_text_as_html_and_back() -> None:
    assert text_of(html_of(STRANGE)) == STRANGE


@pytest.mark.parametrize(("kind", "end"), [("rdm", "-p"), ("legacy", "-all")])
async def test_the_doi_of_all_versions_leads_to_the_newest(kind: str, end: str) -> None:
    """It is the one that people cite, and that the repository's page offers first."""
    repository = KINDS[kind]()
    driver = repository.driver()
    found = await driver.get(repository.input)
    assert (await driver.get(f"{found.doi}{end}")).pid == found.pid
    assert (await driver.get(f"https://doi.org/{found.doi}{end}")).pid == found.pid
    with pytest.raises(DatasetNotFoundError):
        await driver.get(f"{found.doi}{end}1")
