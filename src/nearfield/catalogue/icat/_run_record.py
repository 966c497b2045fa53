"""What ICAT has no field for of a result, as parameters of its dataset.

The facility defines three parameter types for datasets (STRING, no units) once; the documentation
of the driver says how. A value of more characters than ICAT keeps is left out, and said to be.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nearfield.catalogue._derive import request_digest
from nearfield.catalogue._inherit import Inherited
from nearfield.catalogue.icat._entities import Parameter
from nearfield.datasets import DerivedDataset, RunId

RUN = "nearfield_run"
JOB_PARAMETERS = "nearfield_job_parameters"
SCIENTIFIC = "nearfield_scientific"
NAMES = (RUN, JOB_PARAMETERS, SCIENTIFIC)
MAX_STRING = 4000


class RunRecord(BaseModel):
    """The value of ``nearfield_run``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: RunId
    digest: str
    title: str
    inputs: tuple[str, ...] = ()
    description: str | None = None
    techniques: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    instrument: str | None = None
    sample: str | None = None
    used_software: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    job_parameters: dict[str, Any] = {}
    scientific: dict[str, Any] = {}


def dataset_name(run_id: str) -> str:
    """The dataset's name: ICAT keeps names within an investigation unique."""
    return f"nearfield-{run_id}"


def to_parameters(wanted: DerivedDataset, facts: Inherited) -> dict[str, str]:
    """Values by the name of their parameter type; ``facts`` are what the inputs pass on."""
    found: dict[str, str] = {}
    left_out: list[str] = []
    for name, value in (
        (JOB_PARAMETERS, wanted.job_parameters),
        (SCIENTIFIC, facts.scientific),
    ):
        said = _json(value)
        if not value:
            continue
        if len(said) <= MAX_STRING:
            found[name] = said
        else:
            left_out.append(name.removeprefix("nearfield_"))
    run: dict[str, Any] = {
        "run_id": wanted.run_id,
        "digest": request_digest(wanted),
        "title": wanted.title,
        "inputs": list(dict.fromkeys(wanted.input_datasets)),
        "techniques": list(facts.techniques),
        "used_software": list(wanted.used_software),
        "description": wanted.description,
        "left_out": left_out,
    }
    # What the inputs pass on has entities of its own in ICAT.
    for name in ("keywords", "instrument", "sample"):
        if said_itself := getattr(wanted, name):
            run[name] = said_itself
    # The most dispensable first; run id, digest and title always have room.
    for name in (
        *("description", "used_software", "inputs", "keywords", "techniques"),
        *("instrument", "sample"),
    ):
        if name in run and len(_json(run)) > MAX_STRING:
            del run[name]
            left_out.append(name)
    found[RUN] = _json(run)
    return found


def from_parameters(parameters: tuple[Parameter, ...]) -> RunRecord | None:
    """What was written; ``None`` where Nearfield did not write it, or it is no longer whole."""
    said = {p.type.name: p.stringValue for p in parameters if p.type.name in NAMES}
    try:
        run = json.loads(said.get(RUN) or "null")
        if not isinstance(run, dict):
            return None
        for name in (JOB_PARAMETERS, SCIENTIFIC):
            if said.get(name):
                run[name.removeprefix("nearfield_")] = json.loads(said[name] or "")
        return RunRecord.model_validate(run)
    except (ValueError, ValidationError, RecursionError):
        return None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
