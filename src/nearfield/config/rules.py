"""Facility rules: what the fields of a facility's files, and its lab book's records, mean.

A rule only names places; nothing in it is ever run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from nearfield.config._base import ConfigModel
from nearfield.config.loading import parse_yaml
from nearfield.errors import ConfigError

TEXT_FIELDS = (
    "title", "description", "instrument", "facility", "sample", "proposal", "license",
)  # fmt: skip
LIST_FIELDS = ("techniques", "keywords", "creators")
TIME_FIELDS = ("start_time", "end_time")
FIELDS = (*TEXT_FIELDS, *LIST_FIELDS, *TIME_FIELDS)


def _some(value: object) -> object:
    """One place is a list of one."""
    return [value] if isinstance(value, str) else value


_Place = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f]{0,499}$")]
_Places = Annotated[tuple[_Place, ...], BeforeValidator(_some), Field(min_length=1, max_length=20)]
_Mapping = Annotated[dict[str, _Places], Field(max_length=100)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Values = Annotated[tuple[_Text, ...], BeforeValidator(_some), Field(max_length=50)]
_Glob = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Match(ConfigModel):
    """Which datasets a rule is for: all that is said must hold; ``*`` and ``?`` stand for any."""

    path: Annotated[tuple[_Glob, ...], BeforeValidator(_some)] = ("*",)
    """Of the root file, absolute; one of several must hold."""
    instrument: _Values = ()
    """As the file says it; case does not count."""
    format: _Values = ()


class RecordRule(ConfigModel):
    """A file beside the data with what the electronic lab notebook knows."""

    file: Annotated[str, StringConstraints(pattern=r"^[^/\x00]{1,255}\.(json|yaml|yml)$")]
    """Its name, in the root file's folder; ``{stem}`` is the root file's without its suffix."""
    fields: _Mapping
    """Catalogue field → JSON pointers, the first that is there."""


class FileRule(ConfigModel):
    """One rule."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    match: Match = Match()
    file: _Mapping = Field(default_factory=dict)
    """Catalogue field → HDF5 paths (``PATH@ATTRIBUTE``), the first that is there."""
    record: RecordRule | None = None
    set: dict[str, _Values] = Field(default_factory=dict)
    """Catalogue field → what it is where nobody else says it."""

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        named = {"file": self.file, "set": self.set}
        if self.record is not None:
            named["record.fields"] = self.record.fields
        for where, fields in named.items():
            for field in fields:
                scientific = field.startswith("scientific.") and len(field) > len("scientific.")
                if field not in FIELDS and not (scientific and where != "set"):
                    raise ValueError(
                        f"{where}: no catalogue field {field!r}; there are: "
                        f"{', '.join(FIELDS)}, and scientific.NAME (not in set)"
                    )
        if "start_time" in self.set or "end_time" in self.set:
            raise ValueError("set: one time for all datasets says nothing")
        return self


class Rules(ConfigModel):
    """The whole file."""

    rules: Annotated[tuple[FileRule, ...], Field(max_length=500)]


def load_rules(path: Path | None) -> Rules:
    """Read and check a file of rules; none for ``None``.

    Raises:
        ConfigError: it is missing, or does not fit; the message names file, line and key.
    """
    if path is None:
        return Rules(rules=())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"{path}: cannot be read: {why}", hint="catalogue.rules in nearfield.yaml names it"
        ) from error
    return parse_yaml(Rules, text, str(path))
