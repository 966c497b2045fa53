"""Datasets as the PaNOSC search API shows them: Dataset, Document, Instrument, and theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from nearfield.catalogue.serving.loopback import Model, View, pattern
from nearfield.datasets import Dataset
from nearfield.querying.matching import quantities
from nearfield.querying.words import matches, text_of_dataset, words_of
from nearfield.techniques import label_of, technique_ids

MAX_FILES = 10_000
MAX_PARAMETERS = 1000
RELATIONS = ("document", "files", "instrument", "parameters", "samples", "techniques")


def dataset_view(dataset: Dataset) -> dict[str, Any]:
    """A dataset without its relations. What the record does not say is left out."""
    time = dataset.start_time or dataset.created
    return _known(
        pid=dataset.pid,
        title=dataset.name,
        isPublic=True,
        size=dataset.size,
        creationDate=None if time is None else time.isoformat(),
        score=0,
    )


def relations_of(dataset: Dataset, relation: str) -> list[dict[str, Any]]:
    """All that a dataset has of one relation."""
    if relation == "files":
        return [
            _known(
                id=f"{dataset.pid}/{number}",
                name=PurePosixPath(file.path).name,
                path=file.path,
                size=file.size,
                time=file.mtime.isoformat(),
                url=file.url,
            )
            for number, file in enumerate(dataset.files[:MAX_FILES])
        ]
    if relation == "parameters":
        return list(_parameters(dataset))
    if relation == "techniques":
        return list(_techniques(dataset))
    if relation == "instrument":
        name = dataset.instrument
        return [] if name is None else [instrument_view(name, dataset.facility)]
    if relation == "samples":
        return [] if dataset.sample is None else [{"name": dataset.sample}]
    return [] if dataset.proposal is None else [document_view(dataset.proposal)]


def instrument_view(name: str, facility: str | None) -> dict[str, Any]:
    return _known(pid=pid_of("instrument", name), name=name, facility=facility, score=0)


def document_view(proposal: str) -> dict[str, Any]:
    """A proposal is what holds datasets together here."""
    return {
        "pid": pid_of("proposal", proposal),
        "isPublic": True,
        "type": "proposal",
        "title": proposal,
        "score": 0,
    }


def pid_of(kind: str, name: str) -> str:
    """A name as an identifier of one segment."""
    return f"{kind}:{quote(name, safe='')}"


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _parameters(dataset: Dataset) -> Iterator[dict[str, Any]]:
    spelled = {name.casefold(): name for name in dataset.scientific}
    for number, (name, value, unit) in enumerate(quantities(dataset.scientific)):
        if number >= MAX_PARAMETERS:
            return
        yield _known(name=spelled[name], value=value, unit=unit)


def _techniques(dataset: Dataset) -> Iterator[dict[str, Any]]:
    left = dict.fromkeys(dataset.technique_ids)
    for name in dataset.techniques:
        found = next((one for one in technique_ids((name,)) if one in left), None)
        left.pop(found or "", None)
        yield _known(pid=found, name=name)
    for one in left:
        yield {"pid": one, "name": label_of(one) or one}


def _dataset_text(view: View, text: str) -> bool:
    # As the catalogue's own search has it: words, each as the beginning of one.
    return matches(words_of(text), *view.get("_text", ()))


def searchable(dataset: Dataset) -> dict[str, Any]:
    """A dataset's own properties and its words."""
    return {**dataset_view(dataset), "_text": text_of_dataset(dataset)}


def _contains(*names: str) -> Any:
    def holds(view: View, text: str) -> bool:
        like = pattern(f"%{text}%", fold=True)
        return any(like(view.get(name)) for name in names)

    return holds


DATASET = Model(
    "Dataset",
    {
        "pid": "text",
        "title": "text",
        "isPublic": "flag",
        "size": "number",
        "creationDate": "date",
    },
    _dataset_text,
)
DOCUMENT = Model(
    "Document",
    {
        "pid": "text",
        "title": "text",
        "type": "text",
        "isPublic": "flag",
        "summary": "text",
        "doi": "text",
        "keywords": "text",
        "license": "text",
        "startDate": "date",
        "endDate": "date",
        "releaseDate": "date",
    },
    _contains("title", "summary"),
)
INSTRUMENT = Model(
    "Instrument",
    {"pid": "text", "name": "name", "facility": "name"},
    _contains("name", "facility"),
)
FILE = Model(
    "File",
    {"id": "text", "name": "text", "path": "text", "size": "number"},
    _contains("name"),
)
PARAMETER = Model(
    "Parameter", {"name": "name", "value": "any", "unit": "text"}, _contains("name", "value")
)
SAMPLE = Model("Sample", {"pid": "text", "name": "name", "description": "text"}, _contains("name"))
TECHNIQUE = Model("Technique", {"pid": "text", "name": "name"}, _contains("name"))
MODELS = {
    "document": DOCUMENT,
    "files": FILE,
    "instrument": INSTRUMENT,
    "parameters": PARAMETER,
    "samples": SAMPLE,
    "techniques": TECHNIQUE,
}
