"""What is sent to SciCat: a dataset as each version of the interface wants it, lists of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from nearfield.catalogue.scicat.mapping import FACTS, OURS
from nearfield.catalogue.scicat.metadata import with_safe_keys
from nearfield.catalogue.scicat.pids import inside
from nearfield.datasets import DataFile, Dataset
from nearfield.techniques import technique_ids

BLOCK_FILES = 1000
BLOCK_BYTES = 2_000_000
"""Of names in one list of files: a document of MongoDB ends at 16 MB."""


def dataset_body(
    made: Dataset,
    *,
    pid: str | None,
    digest: str,
    group: str,
    email: str,
    instruments: dict[str, str],
    version: str,
) -> dict[str, Any]:
    """The body of POST datasets for a derived dataset."""
    inputs = [inside(name) or name for name in made.input_datasets]
    body: dict[str, Any] = {
        "type": "derived",
        "datasetName": made.title or "",
        "owner": made.access.owner or "",
        "ownerGroup": group,
        "accessGroups": [g for g in _groups(made) if g != group],
        "isPublished": made.access.public and made.access.embargo_until is None,
        "contactEmail": email,
        "sourceFolder": made.source_folder,
        "creationTime": said_time(made.created or datetime.now(UTC)),
        "size": made.size,
        "numberOfFiles": len(made.files),
        "techniques": _techniques(made),
        "keywords": list(made.keywords),
        "scientificMetadata": made.scientific,
        "inputDatasets": inputs,
        "usedSoftware": list(made.used_software),
        "jobParameters": {
            **_parameters(made.job_parameters),
            OURS: {
                "run_id": made.run_id,
                "request": digest,
                "by": made.access.owner,
                # For what one version or the other has no word.
                "facts": {name: getattr(made, name) for name in FACTS if getattr(made, name)},
            },
        },
    }
    if pid is not None:
        body["pid"] = pid
    if made.description is not None:
        body["description"] = made.description
    if version == "v3":
        # It has no words for instrument, sample and place of a derived dataset.
        body["investigator"] = made.access.owner or ""
        if made.proposal is not None:
            body["proposalId"] = made.proposal
        return body
    ids = [key for key, name in instruments.items() if name == made.instrument]
    body["instrumentIds"] = ids[:1]
    if made.facility is not None:
        last = f"/{made.instrument}" if made.instrument is not None else ""
        body["creationLocation"] = f"/{made.facility}{last}"
    body["sampleIds"] = [] if made.sample is None else [made.sample]
    body["proposalIds"] = [] if made.proposal is None else [made.proposal]
    return body


def blocks_of(
    files: Sequence[DataFile], folder: str, *, group: str, groups: Sequence[str], version: str
) -> Iterator[dict[str, Any]]:
    """Bodies of POST origdatablocks, each of a bearable length."""
    part: list[DataFile] = []
    length = 0
    for file in files:
        part.append(file)
        length += len(file.path.encode("utf-8", "surrogatepass")) + 150
        if len(part) >= BLOCK_FILES or length >= BLOCK_BYTES:
            yield _block(part, folder, group, groups, version)
            part, length = [], 0
    if part:
        yield _block(part, folder, group, groups, version)


def said_time(time: datetime) -> str:
    """With its zone: the backend takes a time without one for its own local time."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _block(
    files: Sequence[DataFile], folder: str, group: str, groups: Sequence[str], version: str
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "size": sum(file.size for file in files),
        "dataFileList": [_file(file, folder) for file in files],
    }
    if any(file.sha256 for file in files):
        body["chkAlg"] = "sha256"
    if version == "v4":
        body |= {"ownerGroup": group, "accessGroups": list(groups)}
    return body


def _file(file: DataFile, folder: str) -> dict[str, Any]:
    below = folder.rstrip("/") + "/"
    found: dict[str, Any] = {
        "path": file.path.removeprefix(below),
        "size": file.size,
        "time": said_time(file.mtime),
    }
    if file.sha256 is not None:
        found["chk"] = file.sha256
    return found


def _parameters(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = with_safe_keys(said)
    if OURS in found:
        # Somebody else's of the same name, which reads back as it was.
        found[f"%{ord(OURS[0]):02X}{OURS[1:]}"] = found.pop(OURS)
    return found


def _techniques(made: Dataset) -> list[dict[str, str]]:
    """Each with its own identifier where it has one; SciCat wants one of each."""
    found = []
    for name in made.techniques:
        own = [key for key in technique_ids([name]) if key in made.technique_ids]
        found.append({"pid": own[0] if own else name, "name": name})
    return found


def _groups(made: Dataset) -> list[str]:
    first = made.access.owner_group
    return [*([first] if first else []), *made.access.access_groups]
