"""A SciCat that holds what the contract suite seeds, and catalogues that ask it as its people."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.config import SciCatSource
from nearfield.datasets import Dataset, Principal
from nearfield.testing.catalogue_contract import PEOPLE, SEED
from nearfield.testing.fake_scicat import FakeSciCat, FakeUser
from nearfield.testing.openapi_transport import CheckedTransport

DOCUMENT = Path(__file__).parents[4] / "shared/reference/scicat-openapi-5.2.1.json"
URL = "https://scicat.example"
LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
# Where the document says less than the server does.
LOOSE = {
    # It lists ``all`` alone; the counts that were asked for stand beside it under their own names.
    "FullFacetResponse": "the counts themselves are not in the document",
    # ``limits.order`` of v3 is a text for the server, and a list in one place of the document.
    "order": "the document contradicts itself",
}
# Their properties in the document are examples of names: any field may be named.
EXAMPLES = frozenset({"where", "sort"})
# The server answers 200 with nothing for what is not there; the document does not say so.
NOTHING = frozenset(
    {"/api/v4/datasets/public/{pid}", "/api/v3/datasets/{pid}", "/api/v3/auth/whoami"}
)


def checked(fake: FakeSciCat) -> CheckedTransport:
    """A way to the fake on which every request and answer is held to the published document."""
    return _checks().over(fake.transport())


@functools.cache
def _checks() -> CheckedTransport:
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    nowhere = FakeSciCat().transport()
    return CheckedTransport(nowhere, document, loose=LOOSE, examples=EXAMPLES, nothing=NOTHING)


class Given:
    """A token that is simply there."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, *, fresh: bool = False) -> str | None:
        return self._token


def accounts(**fields: Any) -> list[FakeUser]:
    """An account for each of the suite's people, each with a group of its own."""
    return [
        FakeUser(
            user.name,
            groups=(*sorted(user.groups), user.name),
            admin=user.admin,
            **fields,
        )
        for user in PEOPLE.values()
        if user.name
    ]


def filled(datasets: Sequence[Dataset] = SEED, **fields: Any) -> FakeSciCat:
    """A backend that holds ``datasets``."""
    people = {key: fields.pop(key) for key in ("names_pids", "deletes") if key in fields}
    fake = FakeSciCat(accounts(**people), **fields)
    for name in instruments_of(datasets):
        fake.add_instrument(instrument_id(name), name)
    for dataset in datasets:
        fake.add(record_of(dataset))
        fake.add_files(dataset.pid, files_of(dataset))
    return fake


def asking(
    user: Principal, transport: httpx.AsyncBaseTransport, **settings: Any
) -> SciCatCatalogue:
    """The catalogue as ``user`` sees it."""
    source = SciCatSource.model_validate({"driver": "scicat", "url": URL, **settings})
    token = Given(f"token-of-{user.name}") if user.name else None
    return SciCatCatalogue.from_settings("beamline", source, token=token, transport=transport)


def instruments_of(datasets: Iterable[Dataset]) -> list[str]:
    return sorted({one.instrument for one in datasets if one.instrument})


def instrument_id(name: str) -> str:
    return f"id-of-{name.lower()}"


def record_of(dataset: Dataset, **more: Any) -> dict[str, Any]:
    """A dataset as an ingestor sends it to POST datasets."""
    made = dataset.start_time or LONG_AGO
    body: dict[str, Any] = {
        "pid": dataset.pid,
        "type": dataset.type,
        "datasetName": dataset.title or "",
        "owner": dataset.access.owner or "",
        "ownerGroup": dataset.access.owner_group or dataset.access.owner,
        "accessGroups": list(dataset.access.access_groups),
        "isPublished": dataset.access.open_at(datetime.now(UTC)),
        "contactEmail": "contact@facility.example",
        "sourceFolder": dataset.source_folder,
        "creationTime": _with_zone(made).isoformat(),
        "techniques": _techniques(dataset),
        "keywords": list(dataset.keywords),
        "principalInvestigators": list(dataset.creators),
        "scientificMetadata": dataset.scientific,
        "instrumentIds": [instrument_id(dataset.instrument)] if dataset.instrument else [],
        "sampleIds": [dataset.sample] if dataset.sample else [],
        "proposalIds": [dataset.proposal] if dataset.proposal else [],
    }
    if dataset.start_time is not None:
        body["startTime"] = _with_zone(dataset.start_time).isoformat()
    if dataset.description is not None:
        body["description"] = dataset.description
    if dataset.format is not None:
        body["dataFormat"] = dataset.format
    if dataset.facility is not None:
        body["creationLocation"] = f"/{dataset.facility}/{dataset.instrument}"
    return {**body, **more}


def files_of(dataset: Dataset) -> dict[str, Any]:
    """Its files, as POST origdatablocks takes them."""
    folder = f"{dataset.source_folder}/"
    return {
        "size": sum(file.size for file in dataset.files),
        "dataFileList": [
            {
                "path": file.path.removeprefix(folder),
                "size": file.size,
                "time": file.mtime.isoformat(),
            }
            for file in dataset.files
        ],
    }


def held(dataset: Dataset) -> Dataset:
    """What SciCat keeps of it.

    There is no owner but a group, and no embargo; all times are in UTC; a dataset without a start
    was made at some time all the same; where the files are mounted is not told.
    """
    made = dataset.start_time or LONG_AGO
    access = dataset.access.model_copy(
        update={
            "owner_group": dataset.access.owner_group or dataset.access.owner,
            "public": dataset.access.open_at(datetime.now(UTC)),
            "embargo_until": None,
        }
    )
    return dataset.model_copy(
        update={
            "access": access,
            "created": _with_zone(made),
            "start_time": None if dataset.start_time is None else _with_zone(made),
            "storage": None,
            "availability": None,
        }
    )


def listed(dataset: Dataset) -> Dataset:
    """What a page of a search shows of it."""
    return held(dataset).model_copy(update={"files": (), "scientific": {}})


def _with_zone(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _techniques(dataset: Dataset) -> list[dict[str, str]]:
    ids = [*dataset.technique_ids, *dataset.techniques[len(dataset.technique_ids) :]]
    return [{"pid": key, "name": name} for name, key in zip(dataset.techniques, ids, strict=True)]
