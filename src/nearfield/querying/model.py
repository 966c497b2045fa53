"""A search, as data. What people type becomes one of these (:mod:`nearfield.querying.language`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from nearfield.datasets import Availability, Pid

MAX_VALUES = 50
MAX_CONDITIONS = 20


def _one_or_more(value: Any) -> Any:
    """A single value is a choice of one."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


_Word = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Choice = Annotated[tuple[_Word, ...], BeforeValidator(_one_or_more), Field(max_length=MAX_VALUES)]
"""Values of which one must hold; empty: no condition. Case does not count."""
Words = Choice
"""The same, found by its words: ``pinsaxs`` finds "USAXS pinSAXS"; ``=ID10`` just "ID10"."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Model):
    """A condition on a scientific value: ``energy > 8 keV``.

    ``name`` is compared with the whole name of a value and with the last part of its path, so that
    ``energy`` finds ``entry/instrument/monochromator/energy``. A number with a unit is compared
    in that unit whatever the file's is; a value of another dimension does not match.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    op: Literal["=", "<", "<=", ">", ">="] = "="
    value: float | Annotated[str, StringConstraints(max_length=500)]
    """A text is compared with ``=`` only."""
    unit: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None


class Query(_Model):
    """A search. All conditions hold at once; of the values of one field any may hold."""

    text: str = ""
    """Words, each of which must be found as the beginning of a word."""
    phrases: Annotated[tuple[_Word, ...], Field(max_length=MAX_VALUES)] = ()
    """Each must be found as it stands, word after word."""
    type: Literal["raw", "derived"] | None = None
    technique: Choice = ()
    """As a file says it (``NXsas``), a PaNET name, synonym (``saxs``) or identifier; a wider
    technique finds the narrower ones."""
    instrument: Words = ()
    facility: Words = ()
    sample: Words = ()
    proposal: Words = ()
    owner: Words = ()
    keyword: Words = ()
    format: Words = ()
    storage: Choice = ()
    availability: Annotated[tuple[Availability, ...], BeforeValidator(_one_or_more)] = ()
    source: Choice = ()
    """Catalogues by their configured names; the others are not asked."""
    input_dataset: Pid | None = None
    """Datasets derived from this one."""
    since: datetime | None = None
    until: datetime | None = None
    conditions: Annotated[tuple[Condition, ...], Field(max_length=MAX_CONDITIONS)] = ()
    order: Literal["newest", "relevance"] = "newest"
    limit: int = Field(default=50, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)
    cursor: Annotated[str, StringConstraints(max_length=8000)] | None = None
    """``Page.next`` of the page before: stable while others write. Not together with offset."""
