"""The contract suite's records in a fake ICAT, each in an investigation of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

from nearfield.catalogue.icat import IcatCatalogue
from nearfield.catalogue.icat._records import Pids
from nearfield.config.sources import IcatSource
from nearfield.datasets import Access, Dataset, Principal
from nearfield.techniques import technique_ids
from nearfield.testing.catalogue_contract import ADMIN, ALICE, BOB, SEED, STRANGER
from nearfield.testing.fake_icat import FakeIcat
from sourcelab.renamed import Renamed

RELEASED = datetime(2024, 3, 1, tzinfo=UTC)
FACILITY = "ESS"
PIDS = Pids(FACILITY)
USERS = (ALICE, BOB, ADMIN, STRANGER)
BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


class Token:
    """A user's token of the identity provider."""

    def __init__(self, token: str | None) -> None:
        self.given = token
        self.asked: list[bool] = []

    async def token(self, *, fresh: bool = False) -> str | None:
        self.asked.append(fresh)
        return self.given


def settings(**fields: object) -> IcatSource:
    return IcatSource.model_validate(
        {
            "driver": "icat",
            "url": "http://icat.test",
            "facility": FACILITY,
            "authenticator": "oidc",
            "write": True,
            **fields,
        }
    )


def filled(
    datasets: Iterable[Dataset] = SEED, *, prepared: bool = True, zone: tzinfo = UTC
) -> tuple[FakeIcat, dict[str, str]]:
    """A server with ``datasets``, and the suite's names with the ids that they have there."""
    icat = FakeIcat(
        passwords={user.name: f"password-of-{user.name}" for user in USERS},
        tokens={f"token-of-{user.name}": user.name for user in USERS},
        admins={ADMIN.name},
        zone=zone,
    )
    store = icat.store
    home = store.add("Facility", name=FACILITY)
    for name in ("raw", "processed"):
        store.add("DatasetType", name=name, facility=home)
    if prepared:
        for name in ("nearfield_run", "nearfield_job_parameters", "nearfield_scientific"):
            _parameter_type(icat, name, "STRING", "n/a")
    names = {dataset.pid: put(icat, dataset) for dataset in datasets}
    return icat, names


def put(icat: FakeIcat, dataset: Dataset) -> str:
    """One record, with the rights that its ``access`` says; its id."""
    store = icat.store
    facility = _named(icat, "Facility", dataset.facility or FACILITY)
    investigation = store.add(
        "Investigation",
        name=dataset.proposal or f"proposal of {dataset.pid}",
        title="investigation",
        visitId=dataset.pid,
        facility=facility,
        releaseDate=release_of(dataset),
    )
    icat.members[investigation["id"]] = {
        user.name for user in USERS if dataset.access.visible_to(user, BEFORE)
    }
    raw = next(t for t in store.tables["DatasetType"].values() if t["name"] == "raw")
    time = dataset.start_time
    row = store.add(
        "Dataset",
        name=dataset.title or dataset.pid,
        description=dataset.description,
        location=dataset.source_folder,
        type=raw,
        investigation=investigation,
        startDate=time.replace(tzinfo=time.tzinfo or UTC) if time else None,
        sample=store.add("Sample", name=dataset.sample, investigation=investigation)
        if dataset.sample
        else None,
    )
    for keyword in dataset.keywords:
        store.add("Keyword", name=keyword, investigation=investigation)
    for number, name in enumerate(dataset.techniques):
        technique = _named(icat, "Technique", name)
        if number < len(dataset.technique_ids):
            technique["pid"] = dataset.technique_ids[number]
        store.add("DatasetTechnique", dataset=row, technique=technique)
    for name, said in dataset.scientific.items():
        value, unit = (said["value"], said["unit"]) if isinstance(said, dict) else (said, "n/a")
        kind, field = (
            ("STRING", "stringValue") if isinstance(value, str) else ("NUMERIC", "numericValue")
        )
        type_ = _parameter_type(icat, name, kind, unit)
        store.add("DatasetParameter", dataset=row, type=type_, **{field: value})
    if dataset.instrument:
        instrument = _named(icat, "Instrument", dataset.instrument)
        store.add("DatasetInstrument", dataset=row, instrument=instrument)
    for file in dataset.files:
        store.add(
            "Datafile",
            name=file.path.rpartition("/")[2],
            location=file.path,
            fileSize=file.size,
            datafileModTime=file.mtime,
            dataset=row,
        )
    return PIDS.of(int(row["id"]))


def release_of(dataset: Dataset) -> datetime | None:
    """ICAT knows no other way to be public than to be released."""
    if not dataset.access.public:
        return None
    until = dataset.access.embargo_until or RELEASED
    return until.replace(tzinfo=until.tzinfo or UTC)


def held(dataset: Dataset, name: str = "icat") -> Dataset:
    """A record of SEED as ICAT holds it."""
    time = dataset.start_time
    return Dataset(
        pid=dataset.pid,
        title=dataset.title or dataset.pid,
        description=dataset.description or "investigation",
        techniques=dataset.techniques,
        technique_ids=(
            *dataset.technique_ids,
            *technique_ids(dataset.techniques[len(dataset.technique_ids) :]),
        ),
        instrument=dataset.instrument,
        facility=dataset.facility or FACILITY,
        sample=dataset.sample,
        proposal=dataset.proposal or f"proposal of {dataset.pid}",
        keywords=dataset.keywords,
        source=name,
        start_time=time.replace(tzinfo=time.tzinfo or UTC) if time else None,
        source_folder=dataset.source_folder,
        size=dataset.size,
        files=dataset.files,
        access=Access(public=dataset.access.public, embargo_until=release_of(dataset)),
        scientific=dataset.scientific,
    )


def seen_by(user: Principal, icat: FakeIcat, names: dict[str, str], **fields: object) -> Renamed:
    """The server as ``user`` sees it, under the suite's names."""
    return Renamed(driver(user, icat, **fields), names)


def driver(user: Principal, icat: FakeIcat, **fields: object) -> IcatCatalogue:
    if not user.name:
        fields = {"authenticator": "anon", **fields}
    token = Token(f"token-of-{user.name}") if user.name else None
    return IcatCatalogue.from_settings(
        "icat", settings(**fields), token=token, transport=icat.transport
    )


def _named(icat: FakeIcat, kind: str, name: str) -> dict[str, object]:
    for row in icat.store.tables[kind].values():
        if name in (row["name"], row.get("fullName")):
            return row
    home = next(iter(icat.store.tables["Facility"].values()))
    more = {"facility": home} if kind == "Instrument" else {}
    return icat.store.add(kind, name=name, **more)


def _parameter_type(icat: FakeIcat, name: str, kind: str, units: str) -> dict[str, object]:
    for row in icat.store.tables["ParameterType"].values():
        if (row["name"], row["units"]) == (name, units):
            return row
    return icat.store.add(
        "ParameterType",
        name=name,
        units=units,
        valueType=kind,
        applicableToDataset=True,
        facility=next(iter(icat.store.tables["Facility"].values())),
    )
