"""Publishing a run, killed and repeated as often as it may be.

Hash → claim the intent → derive in the catalogue with the run id as idempotency key → mark done.
The intent is final: every attempt after the first sends the same bytes, and the catalogue
answers the same PID. Only an intent that the catalogue refused outright, at its first attempt, is
decided anew: after an attempt without an answer nobody knows whether the catalogue has it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from nearfield.catalogue._protocol import Catalogue
from nearfield.catalogue.federated import FederatedCatalogue
from nearfield.datasets import DerivedDataset
from nearfield.errors import (
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    PublishError,
)
from nearfield.provenance.record import Record, read_record
from nearfield.publishing.derivation import describe, verify_outputs
from nearfield.publishing.outbox import OnStep, Outbox, ignore_step


@dataclass(frozen=True, slots=True)
class Publication:
    """The outcome. ``already`` is True where an earlier attempt had finished."""

    pid: str
    run_id: str
    title: str
    already: bool
    notes: tuple[str, ...] = ()


async def publish_run(
    folder: Path,
    catalogue: Catalogue,
    *,
    target: str,
    title: str | None = None,
    on_step: OnStep = ignore_step,
) -> Publication:
    """Publish the run in ``folder``.

    Args:
        folder: The run folder.
        catalogue: Where to; it must be able to derive.
        target: Which catalogue that is, in words that stay the same (its URL, its file).
        title: Title of the derived dataset; made from template and input where None.
        on_step: Told each step that has been taken.

    Raises:
        PublishError: the run is not complete, a file has changed, or the catalogue cannot derive.
        CatalogueError: the catalogue refused; a repetition is safe.
    """
    folder, record = _run_in(folder)
    if record.status != "completed":
        raise PublishError(
            f"{folder}: run {record.run_id} is {record.status}: only a completed run is published",
            hint=_what_to_do(record),
        )
    outbox = Outbox(folder, target, on_step)
    try:
        return await _publish(record, outbox, catalogue, title, folder=folder, on_step=on_step)
    except OSError as error:
        raise PublishError(
            f"{error.filename or folder}: {error.strerror}: not published",
            hint="publishing keeps its outbox in the run folder: make it writable, then repeat",
        ) from error


async def _publish(
    record: Record,
    outbox: Outbox,
    catalogue: Catalogue,
    title: str | None,
    *,
    folder: Path,
    on_step: OnStep,
) -> Publication:
    intent = outbox.intent()
    if intent is not None and (pid := outbox.published_pid()) and await _knows(catalogue, pid):
        notes = _title_note(intent, title)
        notes += await asyncio.to_thread(_since, folder, record, intent)
        return Publication(pid, record.run_id, intent.title, already=True, notes=notes)
    if not catalogue.capabilities.derive:
        if isinstance(catalogue, FederatedCatalogue) and (problem := catalogue.home_problem):
            raise problem
        raise PublishError(
            f"the catalogue {catalogue.name!r} cannot create derived datasets",
            hint="publish to another catalogue: --catalogue FILE",
        )
    files, added = await asyncio.to_thread(verify_outputs, folder, record)
    on_step("verified")
    if intent is not None and outbox.withdraw_refused():
        intent = outbox.intent()
    first = intent is None
    if intent is None:
        wanted = describe(folder, record, files, title)
        intent = outbox.claim(wanted)
        first = intent == wanted
    _still_ours(folder, record, intent)
    try:
        pid = await catalogue.derive(intent)
    except (DatasetNotFoundError, DatasetNotPermittedError) as error:
        if first:
            outbox.mark_refused(error.message)
        raise
    on_step("derived")
    outbox.mark_done(pid)
    on_step("done")
    notes = _title_note(intent, title)
    if added:
        shown = ", ".join(added[:5]) + (" …" if len(added) > 5 else "")
        notes += (f"not published, as it is not of the run: {shown}",)
    return Publication(pid, record.run_id, intent.title, already=False, notes=notes)


def _run_in(folder: Path) -> tuple[Path, Record]:
    folder = folder.resolve()
    return folder, read_record(folder)


async def _knows(catalogue: Catalogue, pid: str) -> bool:
    """False only where the catalogue says that it has lost the dataset."""
    try:
        await catalogue.get(pid)
    except DatasetNotFoundError:
        return False
    except (DatasetNotPermittedError, CatalogueUnavailableError):
        return True
    return True


def _still_ours(folder: Path, record: Record, intent: DerivedDataset) -> None:
    if intent.run_id != record.run_id:
        raise PublishError(f"{folder}: the outbox is of run {intent.run_id}, not {record.run_id}")
    if intent.source_folder != str(folder):
        raise PublishError(
            f"{folder}: run {record.run_id} is being published from {intent.source_folder}",
            hint="publish it from there, or move the folder back",
        )


def _since(folder: Path, record: Record, intent: DerivedDataset) -> tuple[str, ...]:
    """What is no longer as it was published."""
    notes = []
    if intent.source_folder != str(folder):
        notes.append(
            f"the catalogue has it in {intent.source_folder}: this folder was moved or copied since"
        )
    try:
        files, _ = verify_outputs(folder, record)
    except PublishError as error:
        notes.append(f"what was published has changed since: {error.message}")
    except OSError as error:
        notes.append(f"{error.filename or folder}: {error.strerror}: not verified")
    else:
        published = {Path(file.path).name: file.sha256 for file in intent.files[-1:]}
        if published != {Path(file.path).name: file.sha256 for file in files[-1:]}:
            notes.append("the run's record has changed since it was published")
    return tuple(notes)


def _title_note(intent: DerivedDataset, title: str | None) -> tuple[str, ...]:
    if title is None or title == intent.title:
        return ()
    return (f"the title stays {intent.title!r}, as an earlier attempt said",)


def _what_to_do(record: Record) -> str:
    if record.status == "running":
        began = f"it began {record.started:%Y-%m-%d %H:%M} UTC on {record.host}"
        return f"{began}: wait for its end; if it was cut off, run it again into a new folder"
    return "run the template again into a new folder"
