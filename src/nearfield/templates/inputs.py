"""What a run reads: datasets by PID, their files looked at before anything starts."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from nearfield.catalogue import Catalogue, FederatedCatalogue, only
from nearfield.datasets import DataFile, Dataset
from nearfield.errors import DataFileError, DatasetNotFoundError, RunError, UsageError
from nearfield.provenance.record import Input, InputFile
from nearfield.templates.card import Card

INPUTS_FORMAT = "nearfield-inputs/1"

HDF5_SUFFIXES = frozenset((".h5", ".hdf5", ".hdf", ".he5", ".nx", ".nx5", ".nxs"))

# A file system may keep the bytes of a small file in its inode, without any block.
_INODE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Given:
    """A dataset that a run was given, and its files as they are now."""

    dataset: Dataset
    root: str
    record: Input
    seen: tuple[tuple[int, ...], ...]
    """What told each file, as it was, from every other: a rewritten one differs in something."""


async def resolve(catalogue: Catalogue, pids: Sequence[str]) -> list[Dataset]:
    """The datasets of these PIDs, each with all its files.

    Raises:
        DatasetNotFoundError, DatasetNotPermittedError: as the catalogue says.
    """
    found = []
    for pid in pids:
        dataset = await catalogue.get(pid)
        # Of the source that gave it: a PID may be another dataset's in the next one.
        holder = catalogue
        if isinstance(catalogue, FederatedCatalogue):
            holder = only(catalogue, dataset.source)
        files = await holder.files(dataset.pid)
        found.append(dataset.model_copy(update={"files": files}))
    return found


def check_number(card: Card, pids: Sequence[str]) -> None:
    """Raises UsageError where a run takes another number of datasets."""
    need = card.datasets
    twice = sorted({pid for pid in pids if pids.count(pid) > 1})
    if twice:
        raise UsageError(f"dataset {twice[0]} is given twice")
    if len(pids) >= need.min and (need.max is None or len(pids) <= need.max):
        return
    if need.max == need.min:
        wanted = f"{need.min} dataset{'s' * (need.min > 1)}"
    elif need.max is None:
        wanted = f"{need.min} datasets or more"
    else:
        wanted = f"{need.min} to {need.max} datasets"
    raise UsageError(
        f"{card.name} takes {wanted}, {len(pids)} given", hint="name each with --dataset PID"
    )


def look_at(card: Card, dataset: Dataset) -> Given:
    """Check that ``card`` fits ``dataset`` and that this account can read its files.

    Raises:
        UsageError: the dataset is not of the kind that the template needs, or is derived and
            has no HDF5 file.
        DataFileError: a file is missing, may not be read, or is on tape.
    """
    misfits = card.misfits(dataset)
    if misfits:
        raise UsageError(
            f"{card.name} does not fit dataset {dataset.pid} ({dataset.name}): "
            + "; ".join(misfits)
        )
    root = _root(dataset)
    looked = [_look_at_file(file) for file in dataset.files]
    return Given(
        dataset=dataset,
        root=root.path,
        record=Input(
            pid=dataset.pid,
            title=dataset.title,
            techniques=dataset.techniques,
            files=tuple(file for file, _ in looked),
        ),
        seen=tuple(seen for _, seen in looked),
    )


def look_again(given: Given) -> tuple[Input, list[str]]:
    """The input as it has to be recorded after the run, and what became of its files."""
    files, notes = [], []
    for file, seen in zip(given.record.files, given.seen, strict=True):
        try:
            same = _identity(Path(file.path).stat()) == seen
            what = "was changed or replaced"
        except OSError as error:
            same, what = False, f"could not be looked at again ({error.strerror})"
        if not same:
            notes.append(f"{file.path} {what} while the run was going on: what was read is unknown")
        files.append(file if same else file.model_copy(update={"changed": True, "sha256": None}))
    return given.record.model_copy(update={"files": tuple(files)}), notes


def without_checksum(inputs: Sequence[Input]) -> str:
    """Says how many input files are only known by size and time; empty where none is."""
    files = [file for given in inputs for file in given.files]
    bare = sum(file.sha256 is None for file in files)
    if not bare:
        return ""
    return (
        f"Of the {len(files)} input file{'s' * (len(files) != 1)}, {bare} "
        f"{'have' if bare > 1 else 'has'} no checksum: size and time are all that tells whether "
        "the bytes are still those that were read."
    )


def _root(dataset: Dataset) -> DataFile:
    """The file that a notebook opens; of a run's results, the first in HDF5."""
    if dataset.type == "derived":
        for file in dataset.files:
            if PurePath(file.path).suffix.lower() in HDF5_SUFFIXES:
                return file
        raise UsageError(
            f"dataset {dataset.pid} ({dataset.name}) is derived and has no HDF5 "
            "file: a template has nothing to read in it",
            hint="use the datasets that it was made from: "
            + (", ".join(dataset.input_datasets) or "the catalogue names none"),
        )
    if dataset.root_file is None:
        raise UsageError(f"dataset {dataset.pid} has no files in the catalogue: nothing to read")
    return dataset.root_file


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def _look_at_file(file: DataFile) -> tuple[InputFile, tuple[int, ...]]:
    try:
        found = Path(file.path).stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataFileError(file.path, "is not a regular file")
        if found.st_size > _INODE_BYTES and found.st_blocks == 0:
            # Reading it would silently wait for a tape robot, maybe for hours.
            raise DataFileError(
                file.path,
                "has no blocks on disk: it is on tape",
                hint="ask for its recall first, then run again",
            )
        # To open is the only sure question: ACLs and root-squashing servers are not in the mode.
        os.close(os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError as error:
        raise DataFileError(
            file.path, "is not there", hint="the catalogue knows it: has it moved? scan again"
        ) from error
    except OSError as error:
        raise DataFileError(
            file.path,
            f"this account cannot read it: {error.strerror}",
            hint="the file system decides: ask the owner of the data for access",
        ) from error
    mtime = datetime.fromtimestamp(found.st_mtime, UTC)
    known = file.mtime if file.mtime.tzinfo else file.mtime.replace(tzinfo=UTC)
    # Some catalogues keep times to the second only. A file may be rewritten within one: its
    # checksum is believed where the times agree as exactly as they are kept here.
    same = found.st_size == file.size and abs(mtime - known) < timedelta(seconds=1)
    looked = InputFile(
        path=file.path,
        role=file.role,
        size=found.st_size,
        mtime=mtime,
        sha256=file.sha256 if same and mtime == known else None,
        changed=not same,
    )
    return looked, _identity(found)


def inputs_bytes(run_id: str, folder: Path, given: Sequence[Given]) -> bytes:
    """``inputs.json``: what ``nearfield.dataset(pid)`` answers from inside the run's kernel."""
    data = {
        "format": INPUTS_FORMAT,
        "run_id": run_id,
        "folder": str(folder),
        "datasets": [one.dataset.model_dump(mode="json") for one in given],
    }
    return (json.dumps(data, indent=2) + "\n").encode()


def dataset_of_run(path: Path, pid: str) -> Dataset:
    """The dataset of that PID from a run's ``inputs.json``.

    Raises:
        DatasetNotFoundError: the run was not given it.
        RunError: the file cannot be used.
    """
    try:
        data: Any = json.loads(path.read_bytes())
        known = {entry["pid"]: entry for entry in data["datasets"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"NEARFIELD_RUN={path}: cannot be used: {error}") from error
    if pid not in known:
        raise DatasetNotFoundError(
            f"dataset {pid} is not an input of this run",
            hint=f"start the run with --dataset {pid}, or use one of: {', '.join(known)}",
        )
    try:
        return Dataset.model_validate(known[pid])
    except ValidationError as error:
        raise RunError(f"NEARFIELD_RUN={path}: cannot be used: {error}") from error
