"""What a repository has no field for of a result, in a file beside its own: ``nearfield.json``.

It names files as the repository does; no path of the machine that they came from is published.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearfield.catalogue._derive import request_digest
from nearfield.catalogue._inherit import Inherited
from nearfield.datasets import MAX_FILES, DataFile, DerivedDataset, Pid, RunId, Sha256

KEY = "nearfield.json"
FORMAT = 1
MAX_MANIFEST = 8_000_000
_UNSAFE = re.compile(r"[^0-9A-Za-z._ +=@,~()-]")
_RUN = "urn:x-nearfield:run:"
_NAME = re.compile(
    re.escape(_RUN) + r"([0-9A-Za-z][0-9A-Za-z._-]{7,63}):([0-9a-f]{64})", re.IGNORECASE
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ManifestFile(_Model):
    key: str
    size: int = Field(ge=0)
    sha256: Sha256 | None = None


class Manifest(_Model):
    """The content of ``nearfield.json``."""

    format: int
    run_id: RunId
    digest: Sha256
    inputs: tuple[Pid, ...] = ()
    description: str | None = None
    techniques: tuple[str, ...] = ()
    technique_ids: tuple[str, ...] = ()
    instrument: str | None = None
    facility: str | None = None
    sample: str | None = None
    proposal: str | None = None
    used_software: tuple[str, ...] = ()
    job_parameters: dict[str, Any] = {}
    scientific: dict[str, Any] = {}
    files: tuple[ManifestFile, ...] = Field(default=(), max_length=MAX_FILES)


def keys_of(files: tuple[DataFile, ...], folder: str) -> dict[str, DataFile]:
    """Each file by its name in the repository, which knows no folders; always the same ones."""
    below = folder.rstrip("/") + "/"
    found: dict[str, DataFile] = {}
    for file in files:
        path = file.path.removeprefix(below) if file.path.startswith(below) else file.path
        plain = _UNSAFE.sub("_", path.strip("/").replace("/", "__")).lstrip(".") or "file"
        name = PurePosixPath(plain[-200:])
        key, number = str(name), 2
        while key in found or key == KEY:
            key, number = f"{name.stem}-{number}{name.suffix}", number + 1
        found[key] = file
    return found


def manifest_of(wanted: DerivedDataset, facts: Inherited, keys: dict[str, DataFile]) -> bytes:
    """The file's bytes; the same for the same request and inputs."""
    said = Manifest(
        format=FORMAT,
        run_id=wanted.run_id,
        digest=request_digest(wanted),
        inputs=tuple(dict.fromkeys(wanted.input_datasets)),
        description=wanted.description,
        techniques=facts.techniques,
        technique_ids=facts.technique_ids,
        instrument=facts.instrument,
        facility=facts.facility,
        sample=facts.sample,
        proposal=facts.proposal,
        used_software=wanted.used_software,
        job_parameters=wanted.job_parameters,
        scientific=facts.scientific,
        files=tuple(
            ManifestFile(key=key, size=file.size, sha256=file.sha256) for key, file in keys.items()
        ),
    )
    text = json.dumps(said.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    return (text + "\n").encode()


def read_manifest(content: bytes) -> Manifest | None:
    """``None`` where it is none, or of a later Nearfield."""
    try:
        found = Manifest.model_validate_json(content)
    except ValidationError:
        return None
    return found if found.format == FORMAT else None


def name_of_run(wanted: DerivedDataset) -> str:
    """The record's identifier: which run it is, and which content it was given.

    One for both: older repositories take one identifier of a kind.
    """
    return f"{_RUN}{wanted.run_id}:{request_digest(wanted)}"


def run_in(identifiers: list[str]) -> tuple[str, str] | None:
    """Run id and digest that a record's identifiers name."""
    for one in identifiers:
        if (found := _NAME.fullmatch(one)) is not None:
            return found[1], found[2].lower()
    return None
