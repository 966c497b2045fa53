"""SciCat's records as datasets. Whatever a record does not say stays ``None``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from nearfield.catalogue.scicat.metadata import flattened, with_own_keys
from nearfield.catalogue.scicat.pids import outside
from nearfield.datasets import MAX_TITLE, Access, DataFile, Dataset

OURS = "nearfield"
"""The key in ``jobParameters`` that holds what Nearfield has no other place for."""
FACTS = ("instrument", "facility", "sample")
MAX_TEXT = 20_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IDENTIFIER = re.compile(r"(?:^|[/:])(PaNET\d{5})$", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Record = Mapping[str, Any]


def dataset_of(
    record: Record,
    *,
    source: str,
    instruments: Mapping[str, str],
    frontend: str | None = None,
    files: tuple[DataFile, ...] = (),
) -> Dataset:
    """A record of either version of the interface.

    Raises:
        ValueError: it has no PID, or none that fits; pydantic's is one too.
    """
    pid = record.get("pid")
    if not isinstance(pid, str) or not pid:
        raise ValueError("a record without a PID")
    notes: list[str] = []
    names = _names(record.get("techniques"))
    facility, place = location_of(text_of(record, "creationLocation"))
    ours, parameters = job_parameters_of(record)
    derived = record.get("type") == "derived"
    facts = ours.get("facts")
    known: Record = facts if derived and isinstance(facts, dict) else {}
    return Dataset(
        pid=outside(pid),
        type="derived" if derived else "raw",
        title=_title(text_of(record, "datasetName"), notes),
        description=_clipped(text_of(record, "description")),
        techniques=tuple(name for name, _ in names),
        technique_ids=tuple(key for _, key in names if _IDENTIFIER.search(key)),
        format=text_of(record, "dataFormat"),
        instrument=_instrument(record, instruments) or place or text_of(known, "instrument"),
        facility=facility or text_of(known, "facility"),
        sample=_joined(record, "sampleIds", "sampleId") or text_of(known, "sample"),
        proposal=_joined(record, "proposalIds", "proposalId"),
        creators=_people(record),
        license=text_of(record, "license"),
        landing_page=None if frontend is None else f"{frontend}/datasets/{quote(pid, safe='')}",
        source=source,
        start_time=time_of(record, "startTime", notes),
        end_time=time_of(record, "endTime", notes),
        keywords=_texts(record.get("keywords")),
        availability=_availability(record),
        source_folder=text_of(record, "sourceFolder"),
        size=_number(record.get("size")),
        files=files,
        access=Access(
            owner=text_of(record, "owner"),
            owner_group=text_of(record, "ownerGroup"),
            access_groups=_texts(record.get("accessGroups")),
            public=record.get("isPublished") is True,
        ),
        warnings=tuple(notes),
        scientific=flattened(record.get("scientificMetadata")),
        run_id=ours.get("run_id"),
        input_datasets=tuple(dict.fromkeys(map(outside, _inputs(record)))),
        used_software=_texts(record.get("usedSoftware")),
        job_parameters=parameters,
        created=time_of(record, "creationTime", notes),
    )


def job_parameters_of(record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Nearfield wrote for itself, and the parameters of the work."""
    said = record.get("jobParameters")
    if not isinstance(said, dict):
        return {}, {}
    ours = said.get(OURS)
    if not isinstance(ours, dict) or not isinstance(ours.get("run_id"), str):
        return {}, dict(said)
    return ours, with_own_keys({key: value for key, value in said.items() if key != OURS})


def files_of(record: Record, blocks: Iterable[Record]) -> tuple[DataFile, ...]:
    """All files, each once: two writers may both have listed the same."""
    folder = (text_of(record, "sourceFolder") or "").rstrip("/")
    host = text_of(record, "sourceFolderHost") or ""
    base = host.rstrip("/") if host.startswith(("https://", "http://")) else None
    derived = record.get("type") == "derived"
    known = time_of(record, "creationTime", []) or _EPOCH
    found: dict[str, DataFile] = {}
    for block in blocks:
        checksums = str(block.get("chkAlg", "")).lower().replace("-", "") == "sha256"
        said = block.get("dataFileList")
        for one in said if isinstance(said, list) else ():
            name = text_of(one, "path") if isinstance(one, dict) else None
            if name is None:
                continue
            path = name if name.startswith("/") else f"{folder}/{name}"
            check = text_of(one, "chk") or ""
            role = "result" if derived else "linked" if found else "root"
            found.setdefault(
                path,
                DataFile(
                    path=path,
                    size=_number(one.get("size")),
                    mtime=time_of(one, "time", []) or known,
                    sha256=check.lower()
                    if checksums and _SHA256.fullmatch(check.lower())
                    else None,
                    role=role,
                    url=None if base is None else base + quote(path),
                ),
            )
    return tuple(found.values())


def text_of(record: Record, key: str) -> str | None:
    value = record.get(key)
    return value if isinstance(value, str) and value.strip() else None


def time_of(record: Record, key: str, notes: list[str]) -> datetime | None:
    """A time as it is said: with its zone, or without one."""
    said = text_of(record, key)
    if said is None:
        return None
    try:
        return datetime.fromisoformat(said.strip())
    except ValueError:
        notes.append(f"{key} is no time: {said[:40]!r}")
        return None


def _title(said: str | None, notes: list[str]) -> str | None:
    if said is not None and len(said) > MAX_TITLE:
        notes.append(f"the title has {len(said)} characters; shown are {MAX_TITLE}")
        return said[:MAX_TITLE]
    return said


def _clipped(said: str | None) -> str | None:
    return None if said is None else said[:MAX_TEXT]


def _texts(said: Any) -> tuple[str, ...]:
    return tuple(v for v in said if isinstance(v, str) and v) if isinstance(said, list) else ()


def _number(said: Any) -> int:
    good = isinstance(said, int | float) and math.isfinite(said) and said > 0
    return int(said) if good else 0


def _names(said: Any) -> list[tuple[str, str]]:
    """Names of techniques with their identifiers."""
    found = []
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict):
            key = text_of(one, "pid") or ""
            if name := text_of(one, "name") or key:
                found.append((name, key))
    return found


def _inputs(record: Record) -> list[str]:
    """What it says that it was made from, in either of two places."""
    found = list(_texts(record.get("inputDatasets")))
    said = record.get("relationships")
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict) and isinstance(one.get("identifier"), str) and one["identifier"]:
            kinds = (str(one.get(key)).casefold() for key in ("relationship", "entityType"))
            if tuple(kinds) == ("isderivedfrom", "dataset"):
                found.append(one["identifier"])
    return found


def location_of(said: str | None) -> tuple[str | None, str | None]:
    """Facility and instrument of ``/Site/Facility/Instrument``."""
    parts = [part for part in (said or "").split("/") if part.strip()]
    if len(parts) < 2:
        return (parts[0] if parts else None), None
    return "/".join(parts[:-1]), parts[-1]


def _instrument(record: Record, instruments: Mapping[str, str]) -> str | None:
    ids = _texts(record.get("instrumentIds")) or _texts([record.get("instrumentId")])
    return "; ".join(instruments.get(one) or one for one in ids) or None


def _joined(record: Record, many: str, one: str) -> str | None:
    return "; ".join(_texts(record.get(many)) or _texts([record.get(one)])) or None


def _people(record: Record) -> tuple[str, ...]:
    several = _texts(record.get("principalInvestigators"))
    if several:
        return several
    one = text_of(record, "principalInvestigator") or text_of(record, "investigator")
    return tuple(name.strip() for name in (one or "").split(";") if name.strip())


def _availability(record: Record) -> Any:
    """SciCat tells what is in the archive alone; where files are mounted is the site's to say."""
    said = record.get("datasetlifecycle")
    if isinstance(said, dict) and said.get("isOnCentralDisk") is False and said.get("retrievable"):
        return "tape"
    return None
