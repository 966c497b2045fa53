"""A dataset of the PaNOSC search API as ours. What it does not say stays ``None``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nearfield.catalogue._pids import fitted
from nearfield.datasets import MAX_TITLE, Access, DataFile, Dataset
from nearfield.techniques import technique_ids

MAX_PARAMETERS = 5000
MAX_FILES = 10_000
# What a file's time is where neither it nor its dataset says one.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _text(value: Any) -> Any:
    """Numbers for names are taken as text; what is no text at all is not said."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: Any) -> Any:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _list(value: Any) -> Any:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


def _size(value: Any) -> Any:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    # Also what is no number (1e400).
    return int(number) if 0 <= number < 2**63 else 0


_Text = Annotated[str | None, BeforeValidator(_text)]
_Time = Annotated[datetime | None, BeforeValidator(_time)]
_Size = Annotated[int, BeforeValidator(_size)]


class _Said(BaseModel):
    """Servers say more than the API has: what is not known is left aside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SaidFile(_Said):
    name: _Text = None
    path: _Text = None
    size: _Size = 0
    time: _Time = None
    url: _Text = None


SAMPLES = "; "
"""Between the names of several samples."""


class _Named(_Said):
    pid: _Text = None
    name: _Text = None
    title: _Text = None
    facility: _Text = None
    doi: _Text = None
    license: _Text = None


class _Parameter(_Said):
    name: _Text = None
    value: Any = None
    unit: _Text = None


_Files = Annotated[tuple[SaidFile, ...], BeforeValidator(_list)]
_Names = Annotated[tuple[_Named, ...], BeforeValidator(_list)]
_Parameters = Annotated[tuple[_Parameter, ...], BeforeValidator(_list)]


class SaidDataset(_Said):
    pid: str = Field(min_length=1, max_length=400)
    title: _Text = None
    size: _Size = 0
    creationDate: _Time = None
    techniques: _Names = ()
    instrument: _Names = ()
    samples: _Names = ()
    document: _Names = ()
    parameters: _Parameters = ()
    files: _Files = ()
    score: float | None = None


def dataset_of(said: object, source: str) -> Dataset:
    """One dataset.

    Raises:
        ValidationError: not a dataset: no PID, or one that is too long.
    """
    found = SaidDataset.model_validate(said)
    title, warnings = found.title, []
    if title is not None and len(title) > MAX_TITLE:
        title = title[:MAX_TITLE]
        warnings.append(f"the title is longer than {MAX_TITLE} characters: cut")
    instrument = found.instrument[0] if found.instrument else _Named()
    document = found.document[0] if found.document else _Named()
    files = files_of(found.files, found.creationDate)
    return Dataset(
        pid=fitted(found.pid),
        title=title,
        techniques=tuple(dict.fromkeys(_technique_names(found))),
        technique_ids=technique_ids_of(found),
        instrument=instrument.name,
        facility=instrument.facility,
        sample=SAMPLES.join(one.name for one in found.samples if one.name) or None,
        proposal=document.title or document.pid,
        doi=document.doi,
        license=document.license,
        source=source,
        start_time=found.creationDate,
        size=found.size,
        files=files,
        access=Access(public=True),
        scientific=dict(_scientific(found)),
        warnings=tuple(warnings),
    )


def _technique_names(found: SaidDataset) -> Iterator[str]:
    for one in found.techniques:
        if one.name and one.name != one.pid:
            yield one.name


def technique_ids_of(found: SaidDataset) -> tuple[str, ...]:
    """Identifiers as PaNET writes them; others as they are."""
    ids: dict[str, None] = {}
    for one in found.techniques:
        if one.pid:
            known = technique_ids((one.pid,))
            ids.update(dict.fromkeys(known or ((one.pid,) if "PaNET" in one.pid else ())))
    return tuple(ids)


def _scientific(found: SaidDataset) -> Iterator[tuple[str, Any]]:
    for one in found.parameters[:MAX_PARAMETERS]:
        if one.name and isinstance(one.value, str | int | float | bool):
            yield (
                one.name,
                one.value if one.unit is None else {"value": one.value, "unit": one.unit},
            )


def files_of(said: tuple[SaidFile, ...], time: datetime | None) -> tuple[DataFile, ...]:
    """The files, the first of which stands for the dataset; those without a name are left out."""
    named = [file for file in said[:MAX_FILES] if file.path or file.name]
    return tuple(
        DataFile(
            path=file.path or file.name or "",
            size=file.size,
            mtime=file.time or time or _NO_TIME,
            role="root" if number == 0 else "linked",
            url=file.url if (file.url or "").startswith(("https://", "http://")) else None,
        )
        for number, file in enumerate(named)
    )


def datasets_of(said: list[object], source: str) -> tuple[tuple[Dataset, ...], int]:
    """Those of a page that are datasets, and how many are not."""
    found = []
    for one in said:
        try:
            found.append(dataset_of(one, source))
        except ValidationError:
            continue
    return tuple(found), len(said) - len(found)
