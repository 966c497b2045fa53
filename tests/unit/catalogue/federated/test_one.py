"""One dataset, facets and results in several sources."""

from __future__ import annotations

import pytest

from nearfield.catalogue import find
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    UnknownNameError,
)
from nearfield.querying import Query
from nearfield.querying.language import parse
from nearfield.testing.catalogue_contract import a_result

from .conftest import Source, federation, made

DOI = "10.5281/zenodo.7"


async def test_a_dataset_is_found_wherever_it_is() -> None:
    catalogue = federation(
        Source("home", [made("42", 1)]), Source("far", [made("42", 2), made("x", 1)])
    )
    assert (await catalogue.get("x")).source == "far"
    # A name that both use is the home's; the other's by its source.
    assert (await catalogue.get("42")).source == "home"
    assert (await catalogue.get("42", source="far")).source == "far"
    assert await catalogue.files("x") == (await catalogue.get("x")).files
    with pytest.raises(UnknownNameError):
        await catalogue.get("42", source="nowhere")
    with pytest.raises(DatasetNotFoundError, match="home, far"):
        await catalogue.get("y")


async def test_a_hung_source_keeps_nobody_from_what_another_has() -> None:
    hung = Source("hung", hangs=True)
    catalogue = federation(hung, Source("far", [made(DOI, 1)]))
    assert (await catalogue.get(f"https://doi.org/{DOI}")).pid == DOI
    assert hung.given_up == 1


async def test_not_found_is_not_said_while_a_source_is_silent() -> None:
    catalogue = federation(Source("home"), Source("hung", hangs=True), timeout=0.01)
    with pytest.raises(CatalogueUnavailableError, match=r"hung: no answer in 0\.01 s"):
        await catalogue.get("x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DOI, [DOI]),
        (f"https://doi.org/{DOI}", [DOI]),
        ("pid:42", ["42", "42"]),
        ("pid:nothing", []),
        (f"{DOI} type:derived", []),
        ("10.5281/zenodo.8", ["about"]),
    ],
)
async def test_a_pid_alone_finds_its_dataset(text: str, found: list[str]) -> None:
    about = made("about", 3, title="a comment on 10.5281/zenodo.8")
    home = Source("home", [made("42", 1), about])
    catalogue = federation(home, Source("far", [made("42", 2), made(DOI, 1)]))
    page = await catalogue.search(parse(text))
    assert [dataset.pid for dataset in page.datasets] == found
    assert page.total == len(found)
    page = await find(Source("alone", [made(DOI, 1), made("42", 1), about]), parse(text))
    assert [dataset.pid for dataset in page.datasets] == found[:1]


async def test_facets_add_up() -> None:
    home = Source("home", [made("a", 1, instrument="P08"), made("b", 1, instrument="P10")])
    far = Source("far", [made("c", 1, instrument="P10")])
    facets = await federation(home, far).facets(Query())
    assert facets["instrument"] == {"P10": 2, "P08": 1}
    assert facets.exact
    far.store.down = True
    facets = await federation(home, far).facets(Query())
    assert facets["instrument"] == {"P08": 1, "P10": 1}
    assert not facets.exact
    assert [state.state for state in facets.sources] == ["answered", "failed"]


async def test_a_result_goes_where_its_inputs_are() -> None:
    home, far = Source("home", [made("h", 1)]), Source("far", [made("f", 1)])
    catalogue = federation(home, far)
    pid = await catalogue.derive(a_result(input_datasets=("f",)))
    assert far.store.datasets[pid].input_datasets == ("f",)
    assert pid not in home.store.datasets
    pid = await catalogue.derive(a_result("run-00000002", input_datasets=("h",)))
    assert pid in home.store.datasets


async def test_a_result_of_inputs_in_two_places_goes_home_and_is_its_owners() -> None:
    home = Source("home", [made("h", 1)])
    far = Source("far", [made("f", 1)], filters=frozenset())
    wanted = a_result(input_datasets=("h", "f"))
    pid = await federation(home, far).derive(wanted)
    result = home.store.datasets[pid]
    assert result.input_datasets == ("h", "f")
    assert (result.access.owner, result.access.public) == ("alice", False)
    assert await federation(home, far).derive(wanted) == pid


async def test_where_it_cannot_be_known_where_a_result_belongs_nothing_is_made() -> None:
    home, far = Source("home", [made("h", 1)]), Source("far", [made("f", 1)])
    catalogue = federation(home, far)
    far.store.down = True
    for inputs in (("f",), ("h", "f")):
        with pytest.raises(CatalogueUnavailableError):
            await catalogue.derive(a_result(input_datasets=inputs))
    far.store.down = False
    with pytest.raises(DatasetNotFoundError):
        await catalogue.derive(a_result(input_datasets=("h", "nowhere")))
    assert set(home.store.datasets) == {"h"}
    assert set(far.store.datasets) == {"f"}
    # What is all at home does not wait for the others.
    far.store.down = True
    assert await catalogue.derive(a_result(input_datasets=("h",)))


async def test_all_sources_are_closed_whatever_one_says() -> None:
    sources = [Source("a", fault=CatalogueError("a: no")), Source("b")]
    await federation(*sources).aclose()
    assert [source.closed for source in sources] == [True, True]
