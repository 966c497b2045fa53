"""What a SciCat backend makes of the records that it is sent, for :mod:`.fake_scicat`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from nearfield.querying.units import base_value

Record = dict[str, Any]
TIMES = ("creationTime", "startTime", "endTime")
# What the database fills in.
_DEFAULTS: Record = {
    "accessGroups": [],
    "size": 0,
    "packedSize": 0,
    "numberOfFiles": 0,
    "numberOfFilesArchived": 0,
    "isPublished": False,
    "techniques": [],
    "sharedWith": [],
    "relationships": [],
    "scientificMetadata": {},
}
_ONE_TO_MANY = {
    "instrumentId": "instrumentIds",
    "sampleId": "sampleIds",
    "proposalId": "proposalIds",
    "principalInvestigator": "principalInvestigators",
}


def stored(body: Record, *, user: str, version: str, pid_prefix: str, now: datetime) -> Record:
    """A new dataset as the database keeps it: defaults, times as times, values also in SI."""
    said = dict(body)
    for one, many in _ONE_TO_MANY.items():
        if one in said:
            said[many] = [said.pop(one)]
    if "investigator" in said:
        said["principalInvestigators"] = [said.pop("investigator")]
    said["scientificMetadata"] = _encoded(_with_si(said.get("scientificMetadata") or {}))
    for name in TIMES:
        if isinstance(said.get(name), str):
            said[name] = in_utc(said[name])
    folder = said.get("sourceFolder", "")
    said["sourceFolder"] = folder if folder == "/" else folder.removesuffix("/")
    found = {**_DEFAULTS, **said}
    found.setdefault("pid", f"{pid_prefix}/{uuid.uuid4()}")
    if not found["pid"]:
        found["pid"] = f"{pid_prefix}/{uuid.uuid4()}"
    found["datasetlifecycle"] = {"archivable": True, "retrievable": False, "isOnCentralDisk": True}
    return {**found, **stamps(user, now), "version": version}


def stamps(user: str, now: datetime) -> Record:
    """Who wrote it, and when."""
    return {"createdBy": user, "updatedBy": user, "createdAt": now, "updatedAt": now}


def in_utc(text: str) -> datetime:
    """A time as the backend keeps it: without a zone it is the server's own, here UTC."""
    time = datetime.fromisoformat(text)
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    found = aware.astimezone(UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def shown(record: Any) -> Any:
    """As JSON has it: times as texts, keys of scientific values as they were written."""
    if isinstance(record, datetime):
        return record.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(record, list):
        return [shown(one) for one in record]
    if isinstance(record, dict):
        return {
            key: _decoded(shown(value)) if key == "scientificMetadata" else shown(value)
            for key, value in record.items()
        }
    return record


def obsolete(record: Record) -> Record:
    """A record as v3 shows it."""
    found = dict(record)
    for one, many in _ONE_TO_MANY.items():
        values = found.pop(many, None)
        if values:
            found[one] = "; ".join(values) if one == "principalInvestigator" else values[0]
    if found.get("type") == "derived":
        found["investigator"] = found.pop("principalInvestigator", found.get("owner", ""))
        for name in ("instrumentId", "sampleId", "creationLocation", "dataFormat"):
            found.pop(name, None)
    return found


def projected(record: Record, fields: list[str]) -> Record:
    """Only these fields of it; ``a.b`` leaves of ``a`` only ``b``."""
    if not fields:
        return record
    found: Record = {}
    for path in fields:
        head, _, rest = path.partition(".")
        value = record.get(head)
        if not rest:
            if head in record:
                found[head] = value
        elif isinstance(value, dict) and rest in value:
            found.setdefault(head, {})[rest] = value[rest]
    return found


def metadata_keys(said: Record, above: str = "") -> Iterator[str]:
    """``a.b`` for each value, groups opened, keys decoded."""
    for key, value in said.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, dict) and not value.get("unit") and not value.get("u"):
            yield from metadata_keys(value, name)
        else:
            yield unquote(name)


def _with_si(said: Record) -> Record:
    found: Record = {}
    for key, value in said.items():
        if not isinstance(value, dict):
            found[key] = value
            continue
        number, unit = value.get("value", value.get("v")), value.get("unit", value.get("u"))
        if isinstance(number, int | float) and isinstance(unit, str) and unit:
            si = base_value(number, unit)
            known = si is not None
            found[key] = {
                **value,
                "valueSI": si[0] if si is not None else number,
                "unitSI": si[1] if known and si is not None else unit,
            }
        else:
            found[key] = _with_si(value)
    return found


def _encoded(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    return {
        quote(key, safe="!~*'()").replace(".", "%2E"): _encoded(value)
        for key, value in said.items()
    }


def _decoded(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    return {unquote(key): _decoded(value) for key, value in said.items()}
