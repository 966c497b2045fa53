"""One run of a template: all checked first, then executed, then recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nearfield._version import __version__
from nearfield.config import Config
from nearfield.datasets import Dataset
from nearfield.errors import RunError, UsageError
from nearfield.provenance import surroundings
from nearfield.provenance.files import hash_file, list_files, media_type, write_new
from nearfield.provenance.record import (
    Failure,
    Input,
    NotRecorded,
    Output,
    Record,
    new_run_id,
    write_record,
)
from nearfield.provenance.redaction import kernel_environment
from nearfield.templates.card import Card
from nearfield.templates.check import check_template
from nearfield.templates.destination import check_destination, occupy
from nearfield.templates.execution import OnCell, Outcome, Work, execute, find_kernel
from nearfield.templates.find import Template, find_template
from nearfield.templates.inputs import (
    Given,
    check_number,
    inputs_bytes,
    look_again,
    look_at,
    without_checksum,
)
from nearfield.templates.origin import template_used
from nearfield.templates.parameters import complete
from nearfield.templates.stopping import Stop, Stopped, stop_on_signals

LAYERS = ("declared-inputs", "output-folder")
COMPLETENESS = (
    "Inputs are the datasets that the run was given; files that its code opened besides them are "
    "not seen. Outputs are the files in the run folder at its end; files written elsewhere are "
    "not seen."
)
_SUMMARY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A run that could be started, as far as can be told without the datasets."""

    template: Template
    parameters: dict[str, Any]
    folder: Path
    language: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that can be started."""

    request: Request
    given: tuple[Given, ...]
    notes: tuple[str, ...] = field(default=())
    """What the user should know although it does not stop the run."""


def check_request(
    config: Config,
    template: str,
    pids: Sequence[str],
    parameters: Mapping[str, Any],
    folder: Path,
) -> Request:
    """Check all that needs no catalogue. Raises UsageError or BlockedError; nothing is made."""
    found = find_template(config, template)
    card = found.card
    full = complete(card, parameters)
    check_number(card, pids)
    broken = check_template(found.folder)
    # A site may rename a folder, or leave out a README: that is no reason not to run.
    broken = [problem for problem in broken if problem.startswith(str(found.notebook))]
    if broken:
        raise UsageError(
            f"template {card.name} cannot be run: {broken[0]}",
            hint=f"see: nearfield templates check {found.folder}",
        )
    language = find_kernel(card.environment.kernel)
    return Request(found, full, check_destination(folder), language)


def make_plan(request: Request, datasets: Sequence[Dataset]) -> Plan:
    """Check the datasets and their files.

    Raises:
        UsageError: the template does not fit a dataset, or cannot read it.
        DataFileError: a file is missing, may not be read, or is on tape.
    """
    card = request.template.card
    given = tuple(look_at(card, dataset) for dataset in datasets)
    notes = [
        f"{card.name} is for {', '.join(card.techniques)}; dataset {one.dataset.pid} is "
        f"{', '.join(one.dataset.techniques)}"
        for one in given
        if not card.suits(one.dataset)
    ]
    notes += [
        f"{file.path} has changed since it was catalogued"
        for one in given
        for file in one.record.files
        if file.changed
    ]
    notes += [
        f"dataset {one.dataset.pid}: {warning}" for one in given for warning in one.dataset.warnings
    ]
    return Plan(request, given, tuple(notes))


def carry_out(plan: Plan, on_cell: OnCell, stop: Stop | None = None) -> Record:
    """Execute the plan and return its record, which is then also on disk.

    A cell that fails is no exception here: the record's status is ``failed``. Stopped by a
    signal, or by ``stop``, it is ``aborted``.

    Raises:
        UsageError: the folder was taken since it was checked.
        RunError: the record cannot be written.
    """
    stop = stop or Stop()
    folder = plan.request.folder
    private = occupy(folder)
    try:
        notebook = plan.request.template.notebook.read_bytes()
        record = _first_record(plan, notebook)
        inputs = private / "inputs.json"
        write_new(inputs, inputs_bytes(record.run_id, folder, plan.given))
        write_record(folder, record)
        with stop_on_signals(stop):
            try:
                outcome = execute(
                    _work(plan, record, notebook, inputs, private / "kernel.log"), on_cell, stop
                )
                record = _last_record(record, outcome, plan.request.template.card, stop)
            except Stopped:
                record = record.model_copy(update={"status": "aborted", "ended": _now()})
            record = _inputs_again(record, plan)
            write_record(folder, record)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: {error.strerror}: the run is not recorded",
            hint="is the disk full? free some space and run again into a new folder",
        ) from error
    return record


def _first_record(plan: Plan, notebook: bytes) -> Record:
    request = plan.request
    started = _now()
    inputs = tuple(one.record for one in plan.given)
    return Record(
        run_id=new_run_id(started),
        status="running",
        template=template_used(request.template, notebook),
        inputs=inputs,
        parameters=request.parameters,
        folder=str(request.folder),
        notebook=f"{request.template.card.name}.ipynb",
        started=started,
        agent=surroundings.account(),
        host=surroundings.host(),
        nearfield=__version__,
        environment=surroundings.environment(),
        job=surroundings.job(),
        capture_layers=LAYERS,
        completeness=_completeness(inputs),
        notes=plan.notes,
    )


def _inputs_again(record: Record, plan: Plan) -> Record:
    """The record with what became of the inputs while the run was going on."""
    inputs, notes = [], list(record.notes)
    for one in plan.given:
        given, changes = look_again(one)
        inputs.append(given)
        notes += changes
    return record.model_copy(
        update={
            "inputs": tuple(inputs),
            "notes": tuple(notes),
            "completeness": _completeness(inputs),
        }
    )


def _completeness(inputs: Sequence[Input]) -> str:
    return f"{COMPLETENESS} {without_checksum(inputs)}".rstrip()


def _work(plan: Plan, record: Record, notebook: bytes, inputs: Path, log: Path) -> Work:
    request = plan.request
    return Work(
        notebook=notebook,
        target=request.folder / record.notebook,
        folder=request.folder,
        kernel=request.template.card.environment.kernel,
        language=request.language,
        parameters={
            **request.parameters,
            "dataset_pids": [one.dataset.pid for one in plan.given],
            "data_files": [one.root for one in plan.given],
            "output_dir": str(request.folder),
        },
        environment=kernel_environment() | {"NEARFIELD_RUN": str(inputs)},
        log=log,
    )


def _last_record(record: Record, outcome: Outcome, card: Card, stop: Stop) -> Record:
    folder = Path(record.folder)
    titles = {declared.path: declared.title or None for declared in card.outputs}
    outputs, others = [], []
    for found in list_files(folder):
        if found.problem is None:
            try:
                hashed = hash_file(folder / found.path, sync=True, on_block=stop.check)
            except OSError as error:
                others.append(NotRecorded(path=found.path, reason=str(error.strerror)))
                continue
            outputs.append(
                Output(
                    path=found.path,
                    size=hashed.size,
                    sha256=hashed.sha256,
                    media_type=media_type(found.path),
                    title=titles.get(found.path),
                )
            )
        else:
            others.append(NotRecorded(path=found.path, reason=found.problem))
    failure = outcome.failure
    summary: dict[str, Any] = {}
    if failure is None:
        made = {output.path for output in outputs}
        missing = [out.path for out in card.outputs if out.required and out.path not in made]
        if missing:
            failure = Failure(message=f"it did not make {', '.join(missing)}, as its card says")
        elif card.summary in made:
            summary, failure = _summary(folder / card.summary)
    return record.model_copy(
        update={
            "status": "failed" if failure else "completed",
            "failure": failure,
            "kernel": outcome.kernel,
            "outputs": tuple(outputs),
            "not_recorded": tuple(others),
            "summary": summary,
            "ended": _now(),
        }
    )


def _summary(path: Path) -> tuple[dict[str, Any], Failure | None]:
    data = path.read_bytes()
    if len(data) > _SUMMARY_BYTES:
        return {}, Failure(message=f"{path.name} is larger than {_SUMMARY_BYTES // 1024} KiB")
    try:
        # JSON has no NaN: a figure that is none is null.
        found = json.loads(data, parse_constant=lambda _: None)
    except ValueError as error:
        return {}, Failure(message=f"{path.name} is not JSON: {error}")
    if not isinstance(found, dict):
        return {}, Failure(message=f"{path.name} is not a JSON object")
    return found, None


def _now() -> datetime:
    return datetime.now(UTC)
