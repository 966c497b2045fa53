"""What the readers find in one file, as data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nearfield.datasets import ArrayInfo


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileLink(_Model):
    """A reference from one HDF5 file into another, as the file spells it."""

    at: str
    """Where in the referring file."""
    file: str
    """The other file, relative to the referring file's folder or absolute."""
    object: str | None = None
    """HDF5 path inside the other file; ``None`` for raw bytes (external storage)."""
    kind: str = "external link"

    @property
    def pattern(self) -> str:
        """The file as H5Pset_virtual spells it: ``%b`` a block's number, ``%%`` one ``%``.

        Only virtual sources are patterns; in any other link ``%`` is a letter like others.
        """
        return self.file if self.kind == "virtual source" else self.file.replace("%", "%%")


class Series(_Model):
    """An openPMD file-based series: one file per iteration, named by a pattern with ``%T``."""

    pattern: str


class FileMetadata(_Model):
    """Everything that one file says. Whatever it does not say is ``None`` or empty."""

    format: str
    title: str | None = None
    description: str | None = None
    techniques: tuple[str, ...] = ()
    technique_ids: tuple[str, ...] = ()
    instrument: str | None = None
    facility: str | None = None
    sample: str | None = None
    proposal: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    keywords: tuple[str, ...] = ()
    arrays: tuple[ArrayInfo, ...] = ()
    scientific: dict[str, Any] = Field(default_factory=dict)
    fields: dict[str, Any] = Field(default_factory=dict)
    """What facility rules asked for, by place in the file."""
    links: tuple[FileLink, ...] = ()
    series: Series | None = None
    signal_link: str | None = None
    """Where in this file the plot's signal, or its NXdata, is linked from another file."""
    warnings: tuple[str, ...] = ()
    """Limits that were reached and values that make no sense: the dataset is fine."""
    problems: tuple[str, ...] = ()
    """Parts that could not be read: reported as failures of the scan."""
