"""What a dataset is, and how one asks for it.

The field names follow SciCat's dataset model where it has a word for the thing
(``owner_group``, ``access_groups``, ``start_time``, ``input_datasets``), so that the drivers
translate spelling only.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
import uuid
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import to_json

# Any fixed namespace would do; this one must never change, or every PID would.
PID_NAMESPACE = uuid.UUID("6f1d7f0a-6c0b-5c57-9d2f-0d6f5d1c8a11")

MAX_PID = 400
Pid = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PID, pattern=r"^[\x21-\x7e]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{7,63}$")]

MAX_PATH = 4096
MAX_LINKS = 1000
MAX_ELSEWHERE = 100
Availability = Literal["online", "remote", "tape", "unknown"]
"""On a mounted storage; to be fetched over the network; on tape; nobody can tell."""

# What one user may make everybody else's catalogue hold, per derived dataset.
MAX_FILES = 10_000
MAX_NAMES = 1000
MAX_TITLE = 1000
MAX_DESCRIPTION = 20_000
MAX_JSON = 256 * 1024


def path_problem(path: str) -> str | None:
    """Why ``path`` is not absolute and normal; ``None`` where it is."""
    if not path.startswith("/"):
        return "not an absolute path"
    if "\0" in path:
        return "a path with a NUL"
    if len(path) > MAX_PATH:
        return f"a path of more than {MAX_PATH} characters"
    if path != "/" and any(part in ("", ".", "..") for part in path[1:].split("/")):
        return "a path with '//', '.', '..' or '/' at its end"
    return None


def _normal(path: str) -> str:
    if (problem := path_problem(path)) is not None:
        raise ValueError(problem)
    return path


NormalPath = Annotated[str, AfterValidator(_normal)]
_Name = Annotated[str, StringConstraints(max_length=2000)]
# FailFast: a body of a million faults is not worth a million findings.
_Names = Annotated[tuple[_Name, ...], FailFast(), Field(max_length=MAX_NAMES)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def dataset_pid(catalogue: str, storage: str, relative_path: str) -> str:
    """PID of a scanned dataset: UUIDv5 of catalogue, storage and path relative to the storage.

    The same file scanned twice, or by two people, is the same dataset; the path is
    percent-encoded first so that no choice of names can make two datasets collide.
    """
    key = "/".join((_quoted(catalogue), _quoted(storage), quote(relative_path, safe="")))
    return str(uuid.uuid5(PID_NAMESPACE, key))


@functools.lru_cache(maxsize=100)
def _quoted(name: str) -> str:
    return quote(name, safe="")


def derived_pid(catalogue: str, run_id: str) -> str:
    """PID of a derived dataset, made from its run id: publishing twice names the same dataset."""
    return str(uuid.uuid5(PID_NAMESPACE, f"run/{quote(catalogue, safe='')}/{run_id}"))


class Access(_Model):
    """Who may see a record. The file system stays the only truth for the bytes."""

    owner: str | None = None
    owner_group: str | None = None
    access_groups: tuple[str, ...] = ()
    public: bool = False
    embargo_until: datetime | None = None
    """``public`` counts from this time on; without a zone it is UTC. Owner and groups see it."""

    def open_at(self, now: datetime) -> bool:
        """May everybody see it at this time? ``now`` has a zone."""
        if not self.public or self.embargo_until is None:
            return self.public
        until = self.embargo_until
        return now >= (until if until.tzinfo is not None else until.replace(tzinfo=UTC))

    def visible_to(self, user: Principal, now: datetime | None = None) -> bool:
        # Nobody's name is empty: that is how those without an account ask.
        if user.admin or (self.owner and self.owner == user.name):
            return True
        if self.open_at(now or datetime.now(UTC)):
            return True
        groups = {self.owner_group, *self.access_groups} - {None}
        return not groups.isdisjoint(user.groups)


class Principal(_Model):
    """Who is asking: a name and its groups, as the authenticator or the host knows them."""

    name: str
    groups: frozenset[str] = frozenset()
    admin: bool = False


class DataFile(_Model):
    """One file of a dataset. ``path`` is absolute.

    Normal, too, in all that is derived or linked (:func:`path_problem`); not checked here, so
    that one bad old record does not keep a catalogue from answering.
    """

    path: str
    size: int = Field(ge=0)
    mtime: datetime
    sha256: Sha256 | None = None
    role: Literal["root", "linked", "result"] = "root"
    url: str | None = None
    """Where it can be fetched from, where the catalogue says so (HTTPS, WebDAV, a dCache door)."""


class Axis(_Model):
    """What one dimension of an array runs over."""

    name: str
    units: str | None = None
    path: str | None = None
    """Where its values are; ``None`` where the file only names it or tells a regular grid."""


class ArrayInfo(_Model):
    """One array in a dataset's root file: HDF5 path, shape, dtype, units as the file says."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    units: str | None = None
    signal: bool = False
    """True for the array that a plot of this dataset shows first (NXdata's signal)."""
    axes: tuple[Axis | None, ...] = ()
    """Of the signal, one for each dimension, ``None`` for one that the file does not name."""


class Dataset(_Model):
    """A catalogue record. Whatever the source does not say is ``None``, never a guess."""

    pid: Pid
    type: Literal["raw", "derived"] = "raw"
    title: str | None = None
    description: str | None = None
    techniques: tuple[str, ...] = ()
    """Technique names as the file says them (NeXus definition, openPMD, NXdata titles)."""
    technique_ids: tuple[str, ...] = ()
    """Their PaNET identifiers (``http://purl.org/pan-science/PaNET/PaNET01189``), where known."""
    format: str | None = None
    """NeXus, openPMD, HDF5."""
    instrument: str | None = None
    facility: str | None = None
    sample: str | None = None
    proposal: str | None = None
    creators: tuple[str, ...] = ()
    """The people who made it, as the source writes their names."""
    license: str | None = None
    doi: str | None = None
    """Without a resolver: ``10.5281/zenodo.6497438``."""
    landing_page: str | None = None
    """The page of the source for people (https)."""
    source: str | None = None
    """The catalogue that answered, as the configuration names it."""
    also_in: tuple[str, ...] = ()
    """Further catalogues that have it, where several were searched at once."""
    start_time: datetime | None = None
    end_time: datetime | None = None
    keywords: tuple[str, ...] = ()
    storage: str | None = None
    availability: Availability | None = None
    """Where its bytes are; ``None``: nobody has looked."""
    thumbnail: bool = False
    """Does the source have a picture of it? See ``Catalogue.thumbnail``."""
    source_folder: str | None = None
    size: int = Field(default=0, ge=0)
    files: tuple[DataFile, ...] = ()
    arrays: tuple[ArrayInfo, ...] = ()
    access: Access = Access()
    warnings: tuple[str, ...] = ()
    """What is wrong with it although it is registered: a dangling link, a partial read."""
    scientific: dict[str, Any] = Field(default_factory=dict)
    # derived datasets only
    run_id: RunId | None = None
    input_datasets: tuple[Pid, ...] = ()
    used_software: tuple[str, ...] = ()
    job_parameters: dict[str, Any] = Field(default_factory=dict)
    created: datetime | None = None

    @property
    def root_file(self) -> DataFile | None:
        return next(
            (f for f in self.files if f.role == "root"), self.files[0] if self.files else None
        )

    @property
    def name(self) -> str:
        """What people are shown: the title; without one the root file's name, or the PID."""
        root = self.root_file
        return self.title or (PurePosixPath(root.path).name if root else "") or self.pid

    @property
    def slug(self) -> str:
        """A short, safe, unique name: what ``/data/<slug>`` is called in a session."""
        root = self.root_file
        stem = PurePosixPath(root.path).stem if root else (self.title or "dataset")
        word = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "dataset"
        return f"{word}-{hashlib.sha256(self.pid.encode()).hexdigest()[:8]}"


def links_of(dataset: Dataset) -> DatasetFiles:
    """What of a dataset is linked into a session.

    Files elsewhere than at the root file or below its folder are not linked: they are found at
    their own path. A path that is not normal is left out, whoever registered it.
    """
    root = dataset.root_file
    paths: dict[str, None] = {}
    elsewhere: dict[str, None] = {}
    if root is not None and _is_file_path(root.path):
        below = root.path.rpartition("/")[0] + "/"
        paths[root.path] = None
        for file in dataset.files:
            inside = file.path.startswith(below)
            found, room = (paths, MAX_LINKS) if inside else (elsewhere, MAX_ELSEWHERE)
            if len(found) < room and _is_file_path(file.path):
                found[file.path] = None
    return DatasetFiles(
        pid=dataset.pid,
        slug=dataset.slug,
        title=None if dataset.title is None else dataset.title[:MAX_TITLE],
        paths=tuple(paths),
        elsewhere=tuple(elsewhere),
        size=dataset.size,
    )


def _is_file_path(path: str) -> bool:
    return path != "/" and path_problem(path) is None


class DatasetFiles(_Model):
    """What a session needs of a chosen dataset; small, whatever the record holds."""

    pid: Pid
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    title: str | None = Field(default=None, max_length=MAX_TITLE)
    paths: tuple[NormalPath, ...] = Field(default=(), max_length=MAX_LINKS)
    """The root first, then others at or below its folder; empty where there is none to open."""
    elsewhere: tuple[NormalPath, ...] = Field(default=(), max_length=MAX_ELSEWHERE)
    """Some of the linked files that lie elsewhere."""
    size: int = Field(default=0, ge=0)

    @property
    def root(self) -> str | None:
        return self.paths[0] if self.paths else None

    @model_validator(mode="after")
    def _in_one_folder(self) -> Self:
        if self.paths:
            below = self.paths[0].rpartition("/")[0] + "/"
            if not all(path.startswith(below) and path != "/" for path in self.paths):
                raise ValueError("paths: not all in the folder of the first")
        return self


class DerivedDataset(_Model):
    """What publishing asks a catalogue to create. ``run_id`` is the idempotency key."""

    run_id: RunId
    title: str = Field(max_length=MAX_TITLE)
    input_datasets: Annotated[tuple[Pid, ...], FailFast()] = Field(
        min_length=1, max_length=MAX_NAMES
    )
    inputs_elsewhere: Annotated[tuple[Pid, ...], FailFast()] = Field(
        default=(), max_length=MAX_NAMES
    )
    """Those of the inputs that other catalogues hold, where the asking side has seen them. The
    catalogue does not look for them, and shows the result to its owner alone."""
    source_folder: NormalPath
    files: Annotated[tuple[DataFile, ...], FailFast()] = Field(min_length=1, max_length=MAX_FILES)
    techniques: _Names = ()
    keywords: _Names = ()
    instrument: _Name | None = None
    sample: _Name | None = None
    """These four win over what the inputs pass on; quantities in ``scientific`` do so too."""
    used_software: _Names = ()
    job_parameters: dict[str, Any] = Field(default_factory=dict)
    scientific: dict[str, Any] = Field(default_factory=dict)
    description: str | None = Field(default=None, max_length=MAX_DESCRIPTION)

    @model_validator(mode="after")
    def _files_are_files(self) -> Self:
        """Every path normal, none twice, none the folder of another."""
        for number, file in enumerate(self.files):
            problem = "not a file" if file.path == "/" else path_problem(file.path)
            if problem is not None:
                raise ValueError(f"files.{number}.path: {problem}")
        # By components a folder sorts right before what is in it.
        parts = sorted(tuple(file.path.split("/")) for file in self.files)
        for one, other in itertools.pairwise(parts):
            if one == other:
                raise ValueError(f"files: {'/'.join(one)!r} is there twice")
            if other[: len(one)] == one:
                raise ValueError(f"files: {'/'.join(one)!r} is the folder of another file")
        return self

    @model_validator(mode="after")
    def _elsewhere_are_inputs(self) -> Self:
        if others := sorted(set(self.inputs_elsewhere) - set(self.input_datasets)):
            raise ValueError(f"inputs_elsewhere: {others[0]!r} is no input")
        return self

    @property
    def inputs_here(self) -> tuple[str, ...]:
        """The inputs that the catalogue itself must know, each once."""
        others = set(self.inputs_elsewhere)
        return tuple(pid for pid in dict.fromkeys(self.input_datasets) if pid not in others)

    @model_validator(mode="after")
    def _small(self) -> Self:
        size = sum(len(to_json(values)) for values in (self.job_parameters, self.scientific))
        if size > MAX_JSON:
            raise ValueError(
                f"job_parameters, scientific: more than {MAX_JSON} bytes of JSON together"
            )
        return self
