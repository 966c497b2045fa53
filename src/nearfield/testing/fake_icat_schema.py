"""The part of ICAT's schema that the fake knows (icat.server 6: ``org.icatproject.core.entity``).

Lengths, what may be missing and which fields identify an entity are the server's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["String", "Long", "Double", "boolean", "Date", "ParameterValueType"]
Row = dict[str, object]


@dataclass(frozen=True)
class Entity:
    """Attributes by name; relations to one and to many others, the latter with the way back."""

    attributes: dict[str, Kind]
    one: dict[str, str] = field(default_factory=dict)
    many: dict[str, tuple[str, str]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    lengths: dict[str, int] = field(default_factory=dict)
    public: bool = False
    """One of ``publicTables``: everybody may read it."""


_NAMED: dict[str, Kind] = {"name": "String", "description": "String", "pid": "String"}
_FACILITY = {"facility": "Facility"}

SCHEMA: dict[str, Entity] = {
    "Facility": Entity(
        {"name": "String", "fullName": "String"}, required=("name",), key=("name",), public=True
    ),
    "Investigation": Entity(
        {
            **{"name": "String", "title": "String", "visitId": "String", "doi": "String"},
            **{"summary": "String", "releaseDate": "Date", "startDate": "Date", "endDate": "Date"},
        },
        one=_FACILITY,
        many={"keywords": ("Keyword", "investigation"), "datasets": ("Dataset", "investigation")},
        required=("name", "title", "visitId", "facility"),
        key=("facility", "name", "visitId"),
        lengths={"summary": 4000},
    ),
    "Keyword": Entity(
        {"name": "String"},
        one={"investigation": "Investigation"},
        required=("name", "investigation"),
        key=("name", "investigation"),
    ),
    "DatasetType": Entity(
        {"name": "String", "description": "String"},
        one=_FACILITY,
        required=("name", "facility"),
        key=("facility", "name"),
        public=True,
    ),
    "Sample": Entity(
        {"name": "String", "pid": "String"},
        one={"investigation": "Investigation"},
        required=("name", "investigation"),
        key=("investigation", "name"),
        public=True,
    ),
    "Technique": Entity(_NAMED, required=("name",), key=("name",), public=True),
    "Instrument": Entity(
        {**_NAMED, "fullName": "String"},
        one=_FACILITY,
        required=("name", "facility"),
        key=("facility", "name"),
        public=True,
    ),
    "Application": Entity(
        {"name": "String", "version": "String"},
        one=_FACILITY,
        required=("name", "version", "facility"),
        key=("facility", "name", "version"),
        public=True,
    ),
    "ParameterType": Entity(
        {
            **{"name": "String", "units": "String", "valueType": "ParameterValueType"},
            **{"applicableToDataset": "boolean", "enforced": "boolean"},
        },
        one=_FACILITY,
        required=("name", "units", "valueType", "facility"),
        key=("facility", "name", "units"),
        public=True,
    ),
    "Dataset": Entity(
        {
            **{"name": "String", "description": "String", "location": "String", "doi": "String"},
            **{"startDate": "Date", "endDate": "Date", "complete": "boolean"},
            **{"fileSize": "Long", "fileCount": "Long"},
        },
        one={"investigation": "Investigation", "sample": "Sample", "type": "DatasetType"},
        many={
            "datafiles": ("Datafile", "dataset"),
            "parameters": ("DatasetParameter", "dataset"),
            "datasetTechniques": ("DatasetTechnique", "dataset"),
            "datasetInstruments": ("DatasetInstrument", "dataset"),
            "dataCollectionDatasets": ("DataCollectionDataset", "dataset"),
        },
        required=("name", "investigation", "type"),
        key=("investigation", "name"),
        lengths={"location": 511},
    ),
    "Datafile": Entity(
        {
            **{"name": "String", "location": "String", "checksum": "String", "doi": "String"},
            **{"description": "String", "fileSize": "Long"},
            **{"datafileCreateTime": "Date", "datafileModTime": "Date"},
        },
        one={"dataset": "Dataset"},
        required=("name", "dataset"),
        key=("dataset", "name"),
        lengths={"location": 511},
    ),
    "DatasetParameter": Entity(
        {"stringValue": "String", "numericValue": "Double", "dateTimeValue": "Date"},
        one={"dataset": "Dataset", "type": "ParameterType"},
        required=("dataset", "type"),
        key=("dataset", "type"),
        lengths={"stringValue": 4000},
    ),
    "DatasetTechnique": Entity(
        {},
        one={"dataset": "Dataset", "technique": "Technique"},
        required=("dataset", "technique"),
        key=("dataset", "technique"),
    ),
    "DatasetInstrument": Entity(
        {},
        one={"dataset": "Dataset", "instrument": "Instrument"},
        required=("dataset", "instrument"),
        key=("dataset", "instrument"),
    ),
    "DataCollection": Entity(
        {"doi": "String"},
        many={
            "dataCollectionDatasets": ("DataCollectionDataset", "dataCollection"),
            "jobsAsInput": ("Job", "inputDataCollection"),
            "jobsAsOutput": ("Job", "outputDataCollection"),
        },
    ),
    "DataCollectionDataset": Entity(
        {},
        one={"dataCollection": "DataCollection", "dataset": "Dataset"},
        required=("dataCollection", "dataset"),
        key=("dataCollection", "dataset"),
    ),
    "Job": Entity(
        {"arguments": "String"},
        one={
            "application": "Application",
            "inputDataCollection": "DataCollection",
            "outputDataCollection": "DataCollection",
        },
        required=("application",),
    ),
}
BASE: dict[str, Kind] = {
    "id": "Long",
    "createId": "String",
    "createTime": "Date",
    "modId": "String",
    "modTime": "Date",
}
