"""From a run folder to the derived dataset: files checked against the record, then described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearfield.datasets import MAX_TITLE, DataFile, DerivedDataset
from nearfield.errors import PublishError
from nearfield.provenance.files import hash_file, list_files
from nearfield.provenance.record import Record, record_path


def verify_outputs(folder: Path, record: Record) -> tuple[tuple[DataFile, ...], tuple[str, ...]]:
    """The files of the derived dataset, the record among them, and paths that are not of the run.

    Every output is read again and made durable.

    Raises:
        PublishError: an output is missing, or is not what the run left; the message names all.
    """
    files, problems = [], []
    for output in record.outputs:
        path = folder / output.path
        try:
            found = hash_file(path, sync=True)
        except FileNotFoundError:
            problems.append(f"{output.path}: is missing")
            continue
        except OSError as error:
            problems.append(f"{output.path}: {error.strerror}")
            continue
        if found.sha256 != output.sha256:
            problems.append(f"{output.path}: has changed since the run")
        files.append(
            DataFile(
                path=str(path),
                size=found.size,
                mtime=found.mtime,
                sha256=found.sha256,
                role="result",
            )
        )
    if problems:
        raise PublishError(
            f"{folder}: not as run {record.run_id} left it:\n  " + "\n  ".join(problems),
            hint="restore the files, or run the template again into a new folder",
        )
    own = record_path(folder)
    found = hash_file(own, sync=True)
    files.append(
        DataFile(
            path=str(own), size=found.size, mtime=found.mtime, sha256=found.sha256, role="result"
        )
    )
    known = {output.path for output in record.outputs} | {
        entry.path for entry in record.not_recorded
    }
    added = tuple(entry.path for entry in list_files(folder) if entry.path not in known)
    return tuple(files), added


def describe(
    folder: Path, record: Record, files: tuple[DataFile, ...], title: str | None
) -> DerivedDataset:
    """What the catalogue is asked to create."""
    template = record.template
    code = f"{template.name}@{template.version}"
    if template.commit:
        code += f"+git.{template.commit}" + (".modified" if template.modified else "")
    software = [f"nearfield@{record.nearfield}", code]
    if record.kernel:
        software.append(f"{record.kernel.language}@{record.kernel.version}")
    if image := record.environment.get("NEARFIELD_IMAGE_DIGEST"):
        software.append(f"image@{image}")
    provenance: dict[str, Any] = {
        "template": template.title,
        "notebook": record.notebook,
        "notebook_sha256": template.notebook_sha256,
        "record_sha256": files[-1].sha256,
        "started": record.started.isoformat(),
        "ended": record.ended.isoformat() if record.ended else None,
        "host": record.host,
        "agent": record.agent,
        "capture_layers": list(record.capture_layers),
        **({"job": record.job} if record.job else {}),
        **({"notes": list(record.notes)} if record.notes else {}),
    }
    inputs = record.inputs
    of = inputs[0].name
    if len(inputs) > 1:
        of += f" and {len(inputs) - 1} more"
    try:
        return DerivedDataset(
            run_id=record.run_id,
            title=title or f"{template.title}: {of}"[:MAX_TITLE],
            input_datasets=tuple(given.pid for given in inputs),
            source_folder=str(folder),
            files=files,
            techniques=tuple(dict.fromkeys(name for given in inputs for name in given.techniques)),
            used_software=tuple(software),
            job_parameters=record.parameters,
            scientific={"summary": record.summary, "provenance": provenance},
            description=f"Made by the template {template.name} {template.version} from {of}.",
        )
    except ValidationError as error:
        why = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}".removeprefix(": ")
            for e in error.errors(include_input=False)[:5]
        )
        raise PublishError(
            f"{folder}: no catalogue record can be made of this run: {why}",
            hint="the files stay where they are; publish again with what fits",
        ) from error
