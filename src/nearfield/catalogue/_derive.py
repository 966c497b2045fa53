"""What a derived dataset becomes, whatever stores it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from nearfield.catalogue._inherit import inherited, inherited_access
from nearfield.catalogue._wire import explain_validation
from nearfield.datasets import Access, Dataset, DerivedDataset, Principal
from nearfield.errors import CatalogueError, DatasetNotPermittedError, UsageError


def request_digest(wanted: DerivedDataset) -> str:
    """One value for one content: the same request sent twice has the same.

    Raises:
        UsageError: not what a derived dataset may be, however the object was made.
    """
    content = wanted.model_dump(mode="json")
    try:
        DerivedDataset.model_validate(content)
    except ValidationError as error:
        raise UsageError(explain_validation(error)) from error
    # Results published before there were these keep their digest.
    for name in ("inputs_elsewhere", "keywords", "instrument", "sample"):
        if not content[name]:
            del content[name]
    for file in content["files"]:
        # Results published before files had an address keep their digest.
        if file["url"] is None:
            del file["url"]
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_same_request(
    run_id: str, digest: str, known: str | None, *, owner: str | None, user: str
) -> None:
    """A run id names one result of one user.

    Raises:
        CatalogueError: the run id is taken by other content or by somebody else.
    """
    if owner != user or digest != known:
        raise CatalogueError(
            f"run id {run_id!r} is taken by another derived dataset",
            hint="publish under a new run id",
        )


def check_may_write(name: str, user: Principal) -> None:
    """Results have an owner.

    Raises:
        DatasetNotPermittedError: somebody without an account asks.
    """
    if not user.name:
        raise DatasetNotPermittedError(
            f"{name}: takes results of people with an account only", hint="log in first"
        )


def _access(wanted: DerivedDataset, inputs: Sequence[Dataset], owner: str) -> Access:
    """Who may see inputs that are elsewhere is not known here: then the owner alone."""
    return Access(owner=owner) if wanted.inputs_elsewhere else inherited_access(inputs, owner)


def derived_dataset(
    pid: str, wanted: DerivedDataset, inputs: Sequence[Dataset], user: Principal, now: datetime
) -> Dataset:
    """The record of a derived dataset; ``inputs`` are what it names, as ``user`` sees them.

    What holds for all inputs holds for it, unless ``wanted`` says otherwise; where some are
    elsewhere nobody can tell.
    """
    facts = inherited(wanted, () if wanted.inputs_elsewhere else inputs)
    return Dataset(
        pid=pid,
        type="derived",
        title=wanted.title,
        description=wanted.description,
        techniques=facts.techniques,
        technique_ids=facts.technique_ids,
        instrument=facts.instrument,
        facility=facts.facility,
        sample=facts.sample,
        proposal=facts.proposal,
        keywords=facts.keywords,
        source_folder=wanted.source_folder,
        size=sum(file.size for file in wanted.files),
        files=wanted.files,
        access=_access(wanted, inputs, user.name),
        scientific=facts.scientific,
        run_id=wanted.run_id,
        input_datasets=tuple(dict.fromkeys(wanted.input_datasets)),
        used_software=wanted.used_software,
        job_parameters=wanted.job_parameters,
        created=now,
    )
