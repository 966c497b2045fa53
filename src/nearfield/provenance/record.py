"""The provenance record: one JSON file per run, ``DIR/.nearfield/record.json``.

Everything that is told about a run elsewhere (the catalogue's derived dataset, a crate) is made
from this record. Its JSON Schema is docs/reference/provenance-record.schema.json, written by
``python -m nearfield.provenance.record``.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearfield.datasets import Pid, RunId, Sha256
from nearfield.errors import RunError
from nearfield.provenance.files import PRIVATE_FOLDER, write_atomic

FORMAT: Literal["nearfield-record/1"] = "nearfield-record/1"
RECORD_NAME = "record.json"

Status = Literal["running", "completed", "failed", "aborted"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputFile(_Model):
    """A file of an input dataset, as it was when the run began."""

    path: str
    role: Literal["root", "linked", "result"]
    size: int = Field(ge=0)
    mtime: datetime
    sha256: Sha256 | None = None
    """The catalogue's checksum, kept where size and time are exactly the catalogue's."""
    changed: bool = False
    """The file is not as the catalogue has it, or was changed or replaced during the run."""


class Input(_Model):
    """A dataset that was given to the run."""

    pid: Pid
    title: str | None = None
    techniques: tuple[str, ...] = ()
    files: tuple[InputFile, ...] = ()

    @property
    def name(self) -> str:
        """As :attr:`nearfield.datasets.Dataset.name`."""
        root = next((f for f in self.files if f.role == "root"), next(iter(self.files), None))
        return self.title or (PurePosixPath(root.path).name if root else "") or self.pid


class Output(_Model):
    """A file that the run left; ``path`` is relative to the run folder."""

    path: str
    size: int = Field(ge=0)
    sha256: Sha256
    media_type: str
    title: str | None = None
    """What the template's card calls it."""


class NotRecorded(_Model):
    """Something in the run folder that is no output, and why."""

    path: str
    reason: str


class TemplateUsed(_Model):
    """Which template, exactly."""

    name: str
    version: str
    title: str
    notebook_sha256: Sha256
    card_sha256: Sha256
    commit: str | None = None
    """The Git commit of the checkout that the template was taken from, if it was."""
    modified: bool = False
    """The template differed from that commit."""


class LayerUsed(_Model):
    """The user's own folder for ``pip install``, on top of an image, that the kernel ran in."""

    folder: str
    packages: dict[str, str] = Field(default_factory=dict)
    """What was installed there, in front of what the image has."""


class KernelUsed(_Model):
    """The interpreter that executed the cells, by its own account."""

    name: str
    language: str
    version: str
    implementation: str | None = None
    executable: str | None = None
    packages: dict[str, str] = Field(default_factory=dict)
    """Every installed distribution and its version; empty where the kernel is not Python."""
    layer: LayerUsed | None = None
    """None where the kernel ran without one."""


class Failure(_Model):
    """Why a run failed. ``cell`` counts the cells of the executed notebook from 1."""

    message: str
    error: str | None = None
    cell: int | None = None


class Record(_Model):
    """One run."""

    format: Literal["nearfield-record/1"] = FORMAT
    run_id: RunId
    status: Status
    """``running`` in a folder where nothing runs is a run that was cut off: incomplete."""
    failure: Failure | None = None
    template: TemplateUsed
    inputs: tuple[Input, ...]
    parameters: dict[str, Any]
    """Every parameter, defaults included."""
    outputs: tuple[Output, ...] = ()
    not_recorded: tuple[NotRecorded, ...] = ()
    summary: dict[str, Any] = Field(default_factory=dict)
    """The figures that the template's summary file gives."""
    folder: str
    notebook: str
    """The executed notebook, relative to the folder."""
    started: datetime
    ended: datetime | None = None
    agent: str
    """The account that ran it."""
    host: str
    nearfield: str
    kernel: KernelUsed | None = None
    """None where the kernel never came up."""
    environment: dict[str, str] = Field(default_factory=dict)
    """NEARFIELD_ENVIRONMENT, NEARFIELD_IMAGE and its _DIGEST, _VERDICT and _SIGNER, LOADEDMODULES:
    those that were set."""
    job: dict[str, str] = Field(default_factory=dict)
    """SLURM_JOB_ID, SLURM_CLUSTER_NAME, SLURM_JOB_PARTITION, SLURM_JOB_NODELIST, as above."""
    capture_layers: tuple[str, ...]
    """The means by which inputs and outputs were observed."""
    completeness: str
    """What those means cannot see, in words."""
    notes: tuple[str, ...] = ()
    """What a reader of the result should know: the catalogue's warnings, inputs that changed."""


def new_run_id(now: datetime | None = None) -> str:
    """A run id: unique, and in order of time when sorted as text."""
    at = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond:06d}Z-{secrets.token_hex(5)}"


def record_path(folder: Path) -> Path:
    """Where the record of a run folder is."""
    return folder / PRIVATE_FOLDER / RECORD_NAME


def record_bytes(record: Record) -> bytes:
    """The record as it is written."""
    return (record.model_dump_json(indent=2) + "\n").encode()


def write_record(folder: Path, record: Record) -> None:
    """Put the record in place; a crash leaves the one before or this one."""
    write_atomic(record_path(folder), record_bytes(record))


def read_record(folder: Path) -> Record:
    """The record of a run folder.

    Raises:
        RunError: the folder has none, it cannot be read, or another version wrote it.
    """
    path = record_path(folder)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(
            f"{folder}: not a run folder: it has no {PRIVATE_FOLDER}/{RECORD_NAME}",
            hint="name the folder that was given to 'nearfield run --out'",
        ) from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        found = json.loads(data)
    except ValueError as error:
        raise RunError(f"{path}: not JSON: {error}") from error
    known = found.get("format") if isinstance(found, dict) else None
    if known != FORMAT:
        raise RunError(
            f"{path}: its format is {known!r}, this Nearfield reads {FORMAT!r}",
            hint="use the Nearfield release that wrote it, or a later one",
        )
    try:
        return Record.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{path}: {key}: {first['msg']}") from error


def record_schema() -> dict[str, Any]:
    """The JSON Schema of the record."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://nearfield.example/schemas/nearfield-record-1.json",
        **Record.model_json_schema(mode="serialization"),
    }


if __name__ == "__main__":
    print(json.dumps(record_schema(), indent=2))
