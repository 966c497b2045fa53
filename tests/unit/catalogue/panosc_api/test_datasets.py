"""Datasets through the PaNOSC search API: what filters find, and what is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nearfield.testing.catalogue_contract import ALICES, BOBS, CHEMISTS, GUESTS, PUBLIC

Get = Callable[..., Awaitable[Any]]
SAXS = "http://purl.org/pan-science/PaNET/PaNET01188"


def scoped(relation: str, **where: Any) -> list[dict[str, Any]]:
    return [{"relation": relation, "scope": {"where": where}}]


def both(**where: Any) -> dict[str, Any]:
    return {"and": [{name: value} for name, value in where.items()]}


async def test_newest_first_and_only_what_is_public(get: Get) -> None:
    found = await get("Datasets")
    assert [one["pid"] for one in found] == ["cold", "20.500/copper", PUBLIC.pid]
    assert found[2] == {
        "pid": PUBLIC.pid,
        "title": PUBLIC.title,
        "isPublic": True,
        "size": 1000,
        "creationDate": "2024-01-02T12:00:00+00:00",
        "score": 0,
    }


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"where": {"title": "Ice at 80 K"}}, ["cold"]),
        ({"where": {"title": "ice at 80 k"}}, []),
        ({"where": {"title": {"ilike": "%ICE%"}}}, ["cold"]),
        ({"where": {"title": {"like": "%ICE%"}}}, []),
        ({"where": {"title": {"nilike": "%e%"}}}, []),
        ({"where": {"title": {"ilike": "copper%scan"}}}, ["20.500/copper"]),
        ({"where": {"pid": "cold"}}, ["cold"]),
        ({"where": {"pid": "alice-2"}}, []),
        (
            {"where": {"pid": {"inq": ["20.500/copper", "cold", "alice-2"]}}},
            ["20.500/copper", "cold"],
        ),
        ({"where": {"pid": {"inq": ["20.500/copper", "cold"]}, "text": "ice"}}, ["cold"]),
        ({"where": {"pid": {"nin": ["cold"]}}}, ["20.500/copper", PUBLIC.pid]),
        ({"where": {"pid": {"neq": "cold"}, "size": 1000}}, ["20.500/copper", PUBLIC.pid]),
        ({"where": {"text": "copper"}}, ["20.500/copper"]),
        ({"where": {"and": [{"text": "copper"}, {"text": "edge"}]}}, ["20.500/copper"]),
        (
            {"where": {"or": [{"text": "copper"}, {"text": "behenate"}]}},
            ["20.500/copper", "public-1"],
        ),
        ({"query": "copper foil"}, ["20.500/copper"]),
        ({"where": {"creationDate": {"gte": "2024-01-12T00:00:00Z"}}}, ["cold"]),
        ({"where": {"creationDate": {"lt": "2024-01-02T12:00:00Z"}}}, []),
        ({"where": {"creationDate": {"lte": "2024-01-02T13:00:00+01:00"}}}, [PUBLIC.pid]),
        (
            {"where": {"creationDate": {"between": ["2024-01-10", "2024-01-12"]}}},
            ["20.500/copper"],
        ),
        ({"where": {"isPublic": True}}, ["cold", "20.500/copper", PUBLIC.pid]),
        ({"where": {"isPublic": False}}, []),
        ({"where": {"nor": [{"pid": "cold"}, {"pid": PUBLIC.pid}]}}, ["20.500/copper"]),
        ({"limit": 1}, ["cold"]),
        ({"limit": 1, "skip": 2}, [PUBLIC.pid]),
        ({"limit": 1, "skip": 1, "where": {"title": {"ilike": "%e%"}}}, ["20.500/copper"]),
        # As the catalogue's own search has it: NXsas is probably SAXS.
        ({"include": scoped("techniques", pid=SAXS)}, ["20.500/copper", PUBLIC.pid]),
        ({"include": scoped("techniques", name={"ilike": "%angle x%"})}, ["20.500/copper"]),
        ({"include": scoped("techniques", name="NXtomo")}, ["cold"]),
        ({"include": scoped("instrument", name="id10")}, ["20.500/copper"]),
        ({"include": scoped("instrument", facility="Example Source")}, ["20.500/copper"]),
        ({"include": scoped("samples", name={"inq": ["Ice", "x"]})}, ["cold"]),
        ({"include": scoped("samples", text="foil")}, ["20.500/copper"]),
        ({"include": scoped("files", name="frames_1.h5")}, ["20.500/copper"]),
        ({"include": scoped("files", size={"gt": 1000})}, []),
        ({"include": scoped("document", title="P-77")}, ["20.500/copper"]),
        (
            {"include": scoped("parameters", **both(name="sample_state", value="solid"))},
            ["20.500/copper"],
        ),
        (
            {
                "include": scoped(
                    "parameters", **both(name="energy", value={"between": [8900, 9000]}, unit="eV")
                )
            },
            ["20.500/copper"],
        ),
        (
            {
                "include": scoped(
                    "parameters", **both(name="temperature", value={"lt": 0}, unit="degC")
                )
            },
            ["cold"],
        ),
        # A value without a unit, or of another kind, is not compared in one.
        (
            {"include": scoped("parameters", **both(name="wavelength", value={"gt": 0}, unit="m"))},
            [],
        ),
        ({"include": scoped("parameters", **both(name="energy", value={"gt": 0}, unit="m"))}, []),
        ({"include": scoped("parameters", name="wavelength", value={"gt": 1})}, ["20.500/copper"]),
        # Two conditions on two parameters hold at once.
        (
            {
                "include": [
                    *scoped("parameters", **both(name="temperature", value={"gt": 100}, unit="K")),
                    *scoped("parameters", **both(name="energy", value={"gt": 10}, unit="keV")),
                ]
            },
            [],
        ),
    ],
)
async def test_filters(get: Get, said: dict[str, Any], found: list[str]) -> None:
    assert [one["pid"] for one in await get("Datasets", **said)] == found


async def test_a_wider_technique_finds_the_narrower(get: Get) -> None:
    scattering = await get("Datasets", include=scoped("techniques", name="small angle scattering"))
    assert "20.500/copper" in [one["pid"] for one in scattering]


async def test_relations_are_shown_when_they_are_asked_for(get: Get) -> None:
    names = ("techniques", "instrument", "parameters", "samples", "files", "document")
    one = await get("Datasets/20.500%2Fcopper", include=[{"relation": name} for name in names])
    assert one["techniques"] == [{"pid": SAXS, "name": "small angle x-ray scattering"}]
    assert (one["instrument"]["name"], one["instrument"]["facility"]) == ("ID10", "Example Source")
    assert {"name": "sample_state", "value": "solid"} in one["parameters"]
    assert one["samples"] == [{"name": "Copper foil"}]
    assert [file["name"] for file in one["files"]] == ["scan.h5", "frames_1.h5"]
    assert one["document"]["title"] == "P-77"


async def test_parameters_come_back_in_the_unit_that_was_asked_in(get: Get) -> None:
    scope = scoped("parameters", **both(name="energy", value={"between": [8900, 9900]}, unit="eV"))
    (one,) = await get("Datasets", include=scope)
    (parameter,) = one["parameters"]
    assert parameter["unit"] == "eV"
    assert parameter["value"] == pytest.approx(8980)


async def test_one_and_its_files(get: Get) -> None:
    assert (await get("Datasets/cold"))["title"] == "Ice at 80 K"
    # The slash as it is, or encoded.
    for pid in ("20.500/copper", "20.500%2Fcopper"):
        assert (await get(f"Datasets/{pid}"))["pid"] == "20.500/copper"
        assert len(await get(f"Datasets/{pid}/files")) == 2
        assert (await get(f"Datasets/{pid}/files/count")) == {"count": 2}
    where = {"name": {"like": "frames%"}}
    assert len(await get("Datasets/20.500%2Fcopper/files", where=where)) == 1
    assert await get("Datasets/20.500%2Fcopper/files/count", where=where) == {"count": 1}


async def test_counts(get: Get) -> None:
    assert await get("Datasets/count") == {"count": 3}
    assert await get("Datasets/count", where={"text": "ice"}) == {"count": 1}
    assert await get("Datasets/count", where={"title": {"ilike": "%e%"}}) == {"count": 3}
    assert await get("Datasets/count", where={"pid": {"inq": ["cold", "bob-5/files"]}}) == {
        "count": 1
    }


@pytest.mark.parametrize(
    "pid", [ALICES.pid, CHEMISTS.pid, GUESTS.pid, BOBS.pid, "nope", "count/x", "%20"]
)
async def test_what_is_not_public_is_not_there(get: Get, pid: str) -> None:
    for path in (pid, f"{pid}/files", f"{pid}/files/count"):
        error = (await get(f"Datasets/{path.replace('/', '%2F', pid.count('/'))}", 404))["error"]
        assert (error["statusCode"], error["code"]) == (404, "MODEL_NOT_FOUND")
