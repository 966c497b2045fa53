"""What a run reads: datasets by PID, their files looked at before anything starts."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearfield.catalogue._protocol import Catalogue
from nearfield.datasets import DataFile, Dataset
from nearfield.errors import DataFileError, DatasetNotFoundError, RunError, UsageError
from nearfield.provenance.record import Input, InputFile
from nearfield.templates.card import Card

INPUTS_FORMAT = "nearfield-inputs/1"

# A file system may keep the bytes of a small file in its inode, without any block.
_INODE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Given:
    """A dataset that a run was given, and its files as they are now."""

    dataset: Dataset
    root: str
    record: Input


async def resolve(catalogue: Catalogue, pids: Sequence[str]) -> list[Dataset]:
    """The datasets of these PIDs, each with all its files.

    Raises:
        DatasetNotFoundError, DatasetNotPermittedError: as the catalogue says.
    """
    found = []
    for pid in pids:
        dataset = await catalogue.get(pid)
        files = await catalogue.files(pid)
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
        UsageError: the dataset is not of the kind that the template needs.
        DataFileError: a file is missing, may not be read, or is on tape.
    """
    misfits = card.misfits(dataset)
    if misfits:
        raise UsageError(
            f"{card.name} does not fit dataset {dataset.pid} ({dataset.title or 'no title'}): "
            + "; ".join(misfits)
        )
    root = dataset.root_file
    if root is None:
        raise UsageError(f"dataset {dataset.pid} has no files in the catalogue: nothing to read")
    return Given(
        dataset=dataset,
        root=root.path,
        record=Input(
            pid=dataset.pid,
            title=dataset.title,
            techniques=dataset.techniques,
            files=tuple(_look_at_file(file) for file in dataset.files),
        ),
    )


def _look_at_file(file: DataFile) -> InputFile:
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
    # Catalogues keep times to the second.
    same = found.st_size == file.size and abs(mtime - known) < timedelta(seconds=1)
    return InputFile(
        path=file.path,
        role=file.role,
        size=found.st_size,
        mtime=mtime,
        sha256=file.sha256 if same else None,
        changed=not same,
    )


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
