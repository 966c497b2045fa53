"""A result in ICAT: a processed dataset and the job that links it to its inputs.

The dataset's name is made of the run id, and ICAT keeps names within an investigation unique.
Dataset, parameters, files and job are written in one transaction: there is never half a result.
What comes before it are the two collections that the job refers to; an attempt that is killed
between the two leaves collections that no job refers to, which nobody sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from nearfield import __version__
from nearfield.catalogue._derive import request_digest
from nearfield.catalogue._inherit import Inherited, inherited
from nearfield.catalogue.icat import _jpql as jpql
from nearfield.catalogue.icat._asking import IcatServer, code_of
from nearfield.catalogue.icat._entities import INCLUDE, IcatDataset
from nearfield.catalogue.icat._records import Pids, read_rows
from nearfield.catalogue.icat._run_record import (
    NAMES,
    dataset_name,
    from_parameters,
    to_parameters,
)
from nearfield.config.sources import IcatSource
from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.errors import (
    BlockedError,
    CatalogueError,
    DatasetNotPermittedError,
    SourceStatusError,
    UsageError,
)

MAX_NAME = 255
MAX_LOCATION = 511
_EXISTS = "OBJECT_ALREADY_EXISTS"


async def register(
    server: IcatServer,
    settings: IcatSource,
    wanted: DerivedDataset,
    get: Callable[[str], Awaitable[Dataset]],
) -> str:
    """The id of the result's dataset, made now or by an earlier attempt.

    Raises:
        CatalogueError, BlockedError, UsageError: as IcatCatalogue.derive says.
    """
    digest = request_digest(wanted)
    inputs = list(dict.fromkeys(wanted.input_datasets))
    seen = [await get(pid) for pid in inputs]
    pids = Pids(settings.facility)
    numbers = [number for pid in inputs if (number := pids.id_of(pid)) is not None]
    rows = await _inputs(server, numbers)
    investigation = _common_investigation(server, rows)
    if (known := await _known(server, wanted, investigation, digest)) is not None:
        return pids.of(known)
    types = await _types(server, settings)
    facts = inherited(wanted, seen)
    entity = _dataset(wanted, investigation, rows) | _parameters(wanted, facts, types)
    names = {name.casefold() for name in facts.techniques}
    techniques = [one.id for one in await server.techniques() if one.name.casefold() in names]
    if techniques:
        entity["datasetTechniques"] = [{"technique": {"id": one}} for one in techniques]
    application = await _application(server, types["facility"])
    collections = await _write(
        server,
        [
            {
                "DataCollection": {
                    "dataCollectionDatasets": [{"dataset": {"id": n}} for n in numbers]
                }
            },
            {"DataCollection": {}},
        ],
    )
    before, after = collections
    entity["dataCollectionDatasets"] = [{"dataCollection": {"id": after}}]
    job = {
        "application": {"id": application},
        "inputDataCollection": {"id": before},
        "outputDataCollection": {"id": after},
    }
    try:
        made, _ = await _write(server, [{"Dataset": entity}, {"Job": job}])
    except SourceStatusError as error:
        await server.remove([{"DataCollection": {"id": one}} for one in collections])
        if code_of(error) != _EXISTS:
            raise
    except DatasetNotPermittedError:
        await server.remove([{"DataCollection": {"id": one}} for one in collections])
        raise
    else:
        return pids.of(made)
    # Another attempt was faster: its result is this one's, if it is the same.
    known = await _known(server, wanted, investigation, digest)
    if known is None:
        raise _taken(server, wanted.run_id)
    return pids.of(known)


async def _inputs(server: IcatServer, numbers: Sequence[int]) -> list[IcatDataset]:
    found = await server.rows(
        f"SELECT d FROM Dataset d WHERE d.id IN {jpql.ids(numbers)} {INCLUDE}"
    )
    return [IcatDataset.model_validate(row) for row in read_rows(found, "Dataset")[0]]


def _common_investigation(server: IcatServer, rows: Sequence[IcatDataset]) -> int:
    found = {row.investigation.id for row in rows if row.investigation is not None}
    if not found:
        raise DatasetNotPermittedError(
            f"{server.name}: you may see the inputs, but not their investigation",
            hint="ask its administrators for the right, or publish to another catalogue",
        )
    if len(found) > 1:
        raise CatalogueError(
            f"{server.name}: the inputs are of {len(found)} investigations, and whoever sees one "
            "of them would see the result",
            hint="publish to another catalogue, or make a result of each investigation",
        )
    return found.pop()


async def _known(
    server: IcatServer, wanted: DerivedDataset, investigation: int, digest: str
) -> int | None:
    rows = await server.rows(
        f"SELECT d FROM Dataset d WHERE d.investigation.id = {investigation} "
        f"AND d.name = {jpql.text(dataset_name(wanted.run_id))} {INCLUDE}"
    )
    for said in read_rows(rows, "Dataset")[0]:
        found = IcatDataset.model_validate(said)
        run = from_parameters(found.parameters)
        if run is None or run.digest != digest or run.run_id != wanted.run_id:
            raise _taken(server, wanted.run_id)
        return found.id
    return None


def _taken(server: IcatServer, run_id: str) -> CatalogueError:
    return CatalogueError(
        f"{server.name}: run id {run_id!r} is taken by another derived dataset",
        hint="publish under a new run id",
    )


async def _types(server: IcatServer, settings: IcatSource) -> dict[str, int]:
    """The facility's ids of all that a result refers to, by name."""
    facility = jpql.text(settings.facility)
    found: dict[str, int] = {}
    for key, query in (
        ("facility", f"SELECT f.id FROM Facility f WHERE f.name = {facility}"),
        (
            "type",
            f"SELECT t.id FROM DatasetType t WHERE t.facility.name = {facility} "
            f"AND t.name = {jpql.text(settings.result_type)}",
        ),
        *(
            (
                name,
                f"SELECT t.id FROM ParameterType t WHERE t.facility.name = {facility} "
                f"AND t.name = {jpql.text(name)} AND t.applicableToDataset = TRUE",
            )
            for name in NAMES
        ),
    ):
        rows = await server.rows(query)
        if not rows or not isinstance(rows[0], int):
            what = {"facility": f"facility {settings.facility!r}", "type": "dataset type "}.get(
                key, f"parameter type {key!r} for datasets"
            )
            what += repr(settings.result_type) if key == "type" else ""
            raise BlockedError(
                f"{server.name}: it has no {what}",
                hint="its administrators make it once: docs/reference/catalogues/icat.md",
            )
        found[key] = rows[0]
    return found


async def _application(server: IcatServer, facility: int) -> int:
    """This Nearfield, as an application of the facility; made by whoever publishes first."""
    query = (
        f"SELECT a.id FROM Application a WHERE a.facility.id = {facility} "
        f"AND a.name = 'nearfield' AND a.version = {jpql.text(__version__)}"
    )
    for _ in range(2):
        rows = await server.rows(query)
        if rows and isinstance(rows[0], int):
            return rows[0]
        entity = {"facility": {"id": facility}, "name": "nearfield", "version": __version__}
        try:
            return (await _write(server, [{"Application": entity}]))[0]
        except SourceStatusError as error:
            if code_of(error) != _EXISTS:
                raise
    raise CatalogueError(f"{server.name}: its application 'nearfield' cannot be seen")


async def _write(server: IcatServer, entities: list[dict[str, Any]]) -> list[int]:
    try:
        found = await server.write(entities)
    except SourceStatusError as error:
        if code_of(error) == "INSUFFICIENT_PRIVILEGES":
            kinds = ", ".join(dict.fromkeys(kind for entity in entities for kind in entity))
            raise DatasetNotPermittedError(
                f"{server.name}: you may not create {kinds} there: nothing was registered",
                hint="ask its administrators for the right, or publish to another catalogue",
            ) from error
        raise
    if len(found) != len(entities):
        raise CatalogueError(f"{server.name}: answered {len(found)} ids for {len(entities)}")
    return found


def _dataset(
    wanted: DerivedDataset, investigation: int, inputs: Sequence[IcatDataset]
) -> dict[str, Any]:
    if len(wanted.source_folder) > MAX_LOCATION:
        raise UsageError(f"source_folder: more than the {MAX_LOCATION} characters that ICAT keeps")
    now = _time(datetime.now(UTC))
    entity: dict[str, Any] = {
        "name": dataset_name(wanted.run_id),
        "description": wanted.title[:MAX_NAME],
        "location": wanted.source_folder,
        "complete": True,
        "startDate": now,
        "endDate": now,
        "investigation": {"id": investigation},
        "datafiles": [_datafile(file, wanted.source_folder) for file in wanted.files],
    }
    samples = {row.sample.id if row.sample else None for row in inputs}
    if len(samples) == 1 and (sample := samples.pop()) is not None and wanted.sample is None:
        entity["sample"] = {"id": sample}
    instruments = {tuple(e.instrument.id for e in row.datasetInstruments) for row in inputs}
    if len(instruments) == 1 and (same := instruments.pop()) and wanted.instrument is None:
        entity["datasetInstruments"] = [{"instrument": {"id": number}} for number in same]
    return entity


def _parameters(wanted: DerivedDataset, facts: Inherited, types: dict[str, int]) -> dict[str, Any]:
    return {
        "type": {"id": types["type"]},
        "parameters": [
            {"type": {"id": types[name]}, "stringValue": value}
            for name, value in to_parameters(wanted, facts).items()
        ],
    }


def _datafile(file: DataFile, folder: str) -> dict[str, Any]:
    below = folder.rstrip("/") + "/"
    name = file.path.removeprefix(below) if file.path.startswith(below) else file.path
    for what, value, most in (("name", name, MAX_NAME), ("path", file.path, MAX_LOCATION)):
        if len(value) > most:
            raise UsageError(
                f"{file.path[:200]!r}: a {what} of more than the {most} characters that ICAT keeps"
            )
    entity: dict[str, Any] = {
        "name": name,
        "location": file.path,
        "fileSize": file.size,
        "datafileModTime": _time(file.mtime),
    }
    if file.sha256 is not None:
        entity["checksum"] = f"sha256:{file.sha256}"
    return entity


def _time(time: datetime) -> str:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
