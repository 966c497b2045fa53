"""The contract suite's records in a fake InvenioRDM."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from nearfield.catalogue.invenio import InvenioCatalogue
from nearfield.catalogue.invenio._rdm_records import Pids
from nearfield.config.sources import InvenioSource
from nearfield.datasets import Access, DataFile, Dataset, Principal
from nearfield.testing.catalogue_contract import ADMIN, ALICE, BOB, SEED, STRANGER
from nearfield.testing.fake_invenio import FakeInvenio
from nearfield.testing.synthetic import DAY_ONE
from sourcelab.icat import Token
from sourcelab.renamed import Renamed

USERS = (ALICE, BOB, ADMIN, STRANGER)
URL = "http://invenio.test"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
DAY = "2024-05-01"
PIDS = Pids(URL, "records")


def settings(**fields: object) -> InvenioSource:
    return InvenioSource.model_validate(
        {
            "driver": "invenio",
            "url": URL,
            "publish": "published",
            "creator": "Example, Erika",
            **fields,
        }
    )


def filled(
    datasets: Iterable[Dataset] = SEED, url: str = URL
) -> tuple[FakeInvenio, dict[str, str]]:
    """A repository with ``datasets``, and the suite's names with the ids that they have there."""
    invenio = FakeInvenio(
        url=url,
        tokens={f"token-of-{user.name}": user.name for user in USERS},
        admins={ADMIN.name},
    )
    return invenio, {dataset.pid: put(invenio, dataset) for dataset in datasets}


def put(invenio: FakeInvenio, dataset: Dataset) -> str:
    """One record; its id. Groups become the grants of their members."""
    metadata: dict[str, Any] = {
        "title": dataset.title or dataset.pid,
        "publication_date": DAY,
        "resource_type": {"id": "dataset"},
        "creators": [{"person_or_org": {"type": "organizational", "name": _creator(dataset)}}],
        "subjects": [{"subject": word} for word in dataset.keywords],
    }
    if dataset.description:
        metadata["description"] = dataset.description
    open_now = dataset.access.open_at(datetime.now(UTC))
    access: dict[str, Any] = dict.fromkeys(
        ("record", "files"), "public" if open_now else "restricted"
    )
    if dataset.access.public and not open_now and dataset.access.embargo_until:
        until = dataset.access.embargo_until.date().isoformat()
        access["embargo"] = {"active": True, "until": until, "reason": None}
    record = invenio.put(
        dataset.access.owner or "nobody",
        metadata,
        access=access,
        created=created(dataset),
        readers={user.name for user in USERS if dataset.access.visible_to(user, LONG_AGO)},
        files={
            file.path.rpartition("/")[2]: {
                "content": b"x" * file.size,
                "status": "completed",
                "updated": file.mtime,
            }
            for file in dataset.files
        },
    )
    return Pids(invenio.url, "records").of(record.id)


def created(dataset: Dataset) -> datetime:
    """Every record has a time: the one without comes last as in the suite."""
    time = dataset.start_time or DAY_ONE - timedelta(days=100)
    return time.replace(tzinfo=time.tzinfo or UTC)


def held(dataset: Dataset, names: dict[str, str], name: str = "invenio") -> Dataset:
    """A record of SEED as Invenio holds it."""
    number = PIDS.id_of(names[dataset.pid])
    open_now = dataset.access.open_at(datetime.now(UTC))
    files = tuple(
        DataFile(
            path=f"/{key}",
            size=file.size,
            mtime=file.mtime,
            role="root",
            url=f"{URL}/api/records/{number}/files/{key}/content",
        )
        for file in dataset.files
        if (key := file.path.rpartition("/")[2])
    )
    sizes = {file.path.rpartition("/")[2]: file.size for file in dataset.files}
    return Dataset(
        pid=dataset.pid,
        title=dataset.title or dataset.pid,
        description=dataset.description,
        keywords=dataset.keywords,
        creators=(_creator(dataset),),
        doi=f"10.5072/{number}",
        landing_page=f"{URL}/records/{number}",
        source=name,
        size=dataset.size,
        files=files,
        access=Access(
            owner=dataset.access.owner,
            public=dataset.access.public,
            embargo_until=None if open_now else dataset.access.embargo_until,
        ),
        created=created(dataset),
        scientific={
            "publication_date": DAY,
            "checksums": {key: f"md5:{_md5(b'x' * size)}" for key, size in sizes.items()},
        },
    )


def driver(user: Principal, invenio: FakeInvenio, **fields: object) -> InvenioCatalogue:
    """The repository as ``user`` sees it; without a name, as nobody does."""
    token = Token(f"token-of-{user.name}") if user.name else None
    return InvenioCatalogue.from_settings(
        "invenio", settings(**fields), token=token, transport=invenio.transport
    )


def seen_by(
    user: Principal, invenio: FakeInvenio, names: dict[str, str], **fields: object
) -> Renamed:
    """The same under the suite's names."""
    return Renamed(driver(user, invenio, **fields), names)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _creator(dataset: Dataset) -> str:
    return dataset.creators[0] if dataset.creators else "Example Institute"
