"""ICAT's entities as datasets. What ICAT does not say stays ``None``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from nearfield.catalogue.icat._entities import IcatDatafile, IcatDataset, Named, Parameter
from nearfield.catalogue.icat._run_record import NAMES, RunRecord, from_parameters
from nearfield.datasets import MAX_TITLE, Access, DataFile, Dataset
from nearfield.techniques import technique_ids

_ID = re.compile(r"[1-9][0-9]{0,17}")
_SHA256 = re.compile(r"(?:sha-?256:)?([0-9a-f]{64})", re.IGNORECASE)
DERIVED_TYPES = frozenset(
    {"processed", "derived", "analyzed", "analysed", "reduced", "simulated", "simulation"}
)
"""Names of dataset types that are results; every other type is raw."""
_PANET = re.compile(r"https?://purl\.org/pan-science/PaNET/PaNET[0-9]+$")
_DOI = re.compile(r"^(?:doi:\s*|https?://(?:dx\.)?doi\.org/)", re.IGNORECASE)
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Pids:
    """``icat:FACILITY:ID``: the ids of two ICATs are the same small numbers."""

    def __init__(self, facility: str) -> None:
        self._head = f"icat:{quote(facility, safe='')}:"

    def of(self, number: int) -> str:
        return f"{self._head}{number}"

    def id_of(self, pid: str) -> int | None:
        """The id that a PID stands for; ``None`` where it is not one of this ICAT's."""
        number = pid.removeprefix(self._head)
        return int(number) if number != pid and _ID.fullmatch(number) else None


def read_rows(rows: Any, entity: str) -> tuple[list[Mapping[str, Any]], int]:
    """The entities of one kind in an answer, and how many rows are something else."""
    found = [row[entity] for row in rows if isinstance(row, Mapping) and entity in row]
    return found, len(rows) - len(found)


def dataset_of(
    said: Mapping[str, Any] | IcatDataset,
    *,
    source: str,
    pids: Pids,
    result_type: str,
    page: str | None = None,
    inputs: Sequence[int] = (),
    files: Sequence[Mapping[str, Any]] = (),
) -> Dataset | None:
    """One dataset; ``None`` where the record is not one that ICAT could have made.

    ``page`` is the address of a dataset's page for people, with ``{id}`` in it.
    """
    try:
        found = said if isinstance(said, IcatDataset) else IcatDataset.model_validate(said)
        run = from_parameters(found.parameters)
        return _dataset(
            found,
            run,
            source=source,
            pids=pids,
            result_type=result_type,
            page=page,
            inputs=inputs,
            rows=files,
        )
    except ValidationError:
        return None


def _dataset(
    found: IcatDataset,
    run: RunRecord | None,
    *,
    source: str,
    pids: Pids,
    result_type: str,
    page: str | None,
    inputs: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
) -> Dataset:
    investigation = found.investigation
    techniques = [entry.technique for entry in found.datasetTechniques]
    instruments = [entry.instrument.name for entry in found.datasetInstruments]
    # A result may have techniques that this ICAT has no entity of.
    names = (run.techniques if run else ()) or tuple(one.name for one in techniques)
    title, warnings = clipped(run.title if run else found.name)
    derived = run is not None or _is_result(found, result_type)
    read, bad = _files(rows, found.location, "result" if derived else "root")
    if bad:
        warnings.append(f"{bad} of its files have records that cannot be read")
    if found.fileCount is not None and len(rows) < found.fileCount and rows:
        warnings.append(f"has {found.fileCount} files; {len(read)} are listed")
    if run is not None and run.left_out:
        warnings.append(f"too long for ICAT, and left out: {', '.join(run.left_out)}")
    said = [pids.of(number) for number in sorted(inputs)]
    ordered = [pid for pid in (run.inputs if run else ()) if pid in said]
    return Dataset(
        pid=pids.of(found.id),
        type="derived" if derived else "raw",
        title=title,
        description=run.description
        if run
        else found.description or (investigation.title if investigation else None),
        techniques=names,
        technique_ids=_identifiers(techniques, names),
        instrument=(run.instrument if run else None) or (instruments[0] if instruments else None),
        facility=_facility(found),
        sample=(run.sample if run else None) or (found.sample.name if found.sample else None),
        proposal=investigation.name if investigation else None,
        keywords=(run.keywords if run else ())
        or (tuple(word.name for word in investigation.keywords) if investigation else ()),
        doi=_DOI.sub("", found.doi) if found.doi else None,
        landing_page=page.format(id=found.id) if page else None,
        source=source,
        # A result's times in ICAT are those of its registration.
        start_time=None if run else found.startDate,
        end_time=None if run else found.endDate,
        source_folder=found.location,
        size=found.fileSize or sum(file.size for file in read),
        files=read,
        access=_access(found, derived),
        warnings=tuple(warnings),
        scientific={**(run.scientific if run else {}), **_scientific(found.parameters)},
        run_id=run.run_id if run else None,
        input_datasets=tuple(dict.fromkeys([*ordered, *said])),
        used_software=run.used_software if run else (),
        job_parameters=run.job_parameters if run else {},
        created=(found.startDate or found.createTime) if run else None,
    )


def _identifiers(techniques: Sequence[Named], names: Sequence[str]) -> tuple[str, ...]:
    """PaNET identifiers as ICAT has them; what a name stands for only where it has none."""
    said = {one.name: one.pid for one in techniques if one.pid and _PANET.match(one.pid)}
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys([said[name]] if name in said else technique_ids([name])))
    return tuple(found)


def clipped(title: str) -> tuple[str, list[str]]:
    """A title of a length that can be shown, and what there is to say about it."""
    if len(title) <= MAX_TITLE:
        return title, []
    return title[:MAX_TITLE], [f"its title has {len(title)} characters; {MAX_TITLE} are shown"]


def _is_result(found: IcatDataset, result_type: str) -> bool:
    name = found.type.name.lower() if found.type else ""
    return name == result_type.lower() or name in DERIVED_TYPES


def _facility(found: IcatDataset) -> str | None:
    facility = found.investigation.facility if found.investigation else None
    return (facility.fullName or facility.name) if facility else None


def _access(found: IcatDataset, derived: bool) -> Access:
    """Rules decide in ICAT, not records; what it says is when an investigation becomes free."""
    release = found.investigation.releaseDate if found.investigation else None
    return Access(
        owner=found.createId if derived else None,
        public=release is not None,
        embargo_until=release,
    )


def _scientific(parameters: Sequence[Parameter]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parameter in parameters:
        value: Any = parameter.numericValue
        if value is None:
            value = parameter.stringValue
        if value is None and parameter.dateTimeValue is not None:
            value = parameter.dateTimeValue.isoformat()
        if value is None or parameter.type.name in NAMES:
            continue
        units = parameter.type.units
        known = units and units.strip().lower() not in ("n/a", "none", "-", "unitless")
        found[parameter.type.name] = {"value": value, "unit": units} if known else value
    return found


def _files(
    rows: Sequence[Mapping[str, Any]], folder: str | None, role: Any
) -> tuple[tuple[DataFile, ...], int]:
    found: list[DataFile] = []
    for row in rows:
        try:
            file = IcatDatafile.model_validate(row)
            place = file.location or file.name
            if not place.startswith("/") and folder is not None and folder.startswith("/"):
                place = f"{folder.rstrip('/')}/{place}"
            checksum = _SHA256.fullmatch(file.checksum or "")
            found.append(
                DataFile(
                    path=place,
                    size=file.fileSize or 0,
                    mtime=file.datafileModTime
                    or file.datafileCreateTime
                    or file.createTime
                    or _NO_TIME,
                    sha256=checksum[1].lower() if checksum else None,
                    role=role if role == "result" or not found else "linked",
                )
            )
        except ValidationError:
            continue
    return tuple(found), len(rows) - len(found)
