"""What ICAT answers: its entities, as far as a dataset is made of them.

Fields that are not needed are not looked at; a server of another version may have others.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class _Entity(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Named(_Entity):
    """An instrument, a sample, a technique, a facility, a keyword, a type."""

    id: int
    name: str
    fullName: str | None = None
    pid: str | None = None


class ParameterType(_Entity):
    id: int
    name: str
    units: str | None = None
    valueType: str | None = None


class Parameter(_Entity):
    type: ParameterType
    stringValue: str | None = None
    numericValue: float | None = None
    dateTimeValue: datetime | None = None


class Investigation(_Entity):
    id: int
    name: str
    title: str | None = None
    visitId: str | None = None
    doi: str | None = None
    releaseDate: datetime | None = None
    facility: Named | None = None
    keywords: tuple[Named, ...] = ()


class _Technique(_Entity):
    technique: Named


class _Instrument(_Entity):
    instrument: Named


class IcatDataset(_Entity):
    """A row of a search."""

    id: int = Field(gt=0)
    name: str
    createId: str | None = None
    createTime: datetime | None = None
    description: str | None = None
    doi: str | None = None
    location: str | None = None
    complete: bool = False
    startDate: datetime | None = None
    endDate: datetime | None = None
    fileSize: int | None = Field(default=None, ge=0)
    fileCount: int | None = Field(default=None, ge=0)
    type: Named | None = None
    investigation: Investigation | None = None
    sample: Named | None = None
    parameters: tuple[Parameter, ...] = ()
    datasetTechniques: tuple[_Technique, ...] = ()
    datasetInstruments: tuple[_Instrument, ...] = ()


class IcatDatafile(_Entity):
    id: int
    name: str
    location: str | None = None
    fileSize: int | None = Field(default=None, ge=0)
    checksum: str | None = None
    createTime: datetime | None = None
    datafileCreateTime: datetime | None = None
    datafileModTime: datetime | None = None


INCLUDE = (
    "INCLUDE d.type, d.sample, d.investigation i, i.facility, i.keywords, d.parameters p, p.type, "
    "d.datasetTechniques dt, dt.technique, d.datasetInstruments di, di.instrument"
)
"""What an :class:`IcatDataset` is asked with; ``d`` is the dataset."""

__all__ = [
    "INCLUDE",
    "IcatDatafile",
    "IcatDataset",
    "Investigation",
    "Named",
    "Parameter",
    "ParameterType",
]
