"""The write API: facility programs register raw records, replace them and take them back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field, StringConstraints, model_validator
from pydantic_core import to_json

from nearfield.catalogue._store import CatalogueStore, fetch, is_input, put, remove
from nearfield.catalogue.sqlite import not_found
from nearfield.datasets import (
    MAX_DESCRIPTION,
    MAX_FILES,
    MAX_JSON,
    MAX_NAMES,
    MAX_TITLE,
    Access,
    ArrayInfo,
    Availability,
    DataFile,
    Dataset,
    NormalPath,
    Pid,
    Principal,
    path_problem,
)
from nearfield.errors import CatalogueError, DatasetNotPermittedError

_Name = Annotated[str, StringConstraints(max_length=2000)]
_Names = Annotated[tuple[_Name, ...], FailFast(), Field(max_length=MAX_NAMES)]
# A record that was taken back, for those who ask what became of it.
_TABLE = """
CREATE TABLE IF NOT EXISTS deletion (
    pid TEXT PRIMARY KEY, at INTEGER NOT NULL, by TEXT NOT NULL
) WITHOUT ROWID
"""


class RawRecord(BaseModel):
    """What a program may say of a raw dataset: a :class:`Dataset`'s fields, with bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: Pid | None = None
    """As the address has it, if at all."""
    type: Literal["raw"] = "raw"
    title: str | None = Field(default=None, max_length=MAX_TITLE)
    description: str | None = Field(default=None, max_length=MAX_DESCRIPTION)
    techniques: _Names = ()
    technique_ids: _Names = ()
    format: _Name | None = None
    instrument: _Name | None = None
    facility: _Name | None = None
    sample: _Name | None = None
    proposal: _Name | None = None
    creators: _Names = ()
    license: _Name | None = None
    doi: _Name | None = None
    landing_page: (
        Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://")] | None
    ) = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    keywords: _Names = ()
    storage: _Name | None = None
    availability: Availability | None = None
    source_folder: NormalPath | None = None
    files: Annotated[tuple[DataFile, ...], FailFast()] = Field(default=(), max_length=MAX_FILES)
    arrays: Annotated[tuple[ArrayInfo, ...], FailFast()] = Field(default=(), max_length=MAX_NAMES)
    access: Access = Access()
    scientific: dict[str, Any] = Field(default_factory=dict)
    created: datetime | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for number, file in enumerate(self.files):
            problem = "not a file" if file.path == "/" else path_problem(file.path)
            if problem is not None:
                raise ValueError(f"files.{number}.path: {problem}")
        if len(to_json(self.scientific)) > MAX_JSON:
            raise ValueError(f"scientific: more than {MAX_JSON} bytes of JSON")
        if self.access.owner is None and not self.access.public:
            groups = {self.access.owner_group, *self.access.access_groups} - {None}
            if not groups:
                raise ValueError("access: nobody could see it: name an owner or a group, or public")
        return self

    def dataset(self, pid: str) -> Dataset:
        """The record of that PID."""
        said = self.model_dump(exclude={"pid"})
        return Dataset(**said, size=sum(file.size for file in self.files), pid=pid)


class Writing:
    """Writes with one user's rights; all methods block."""

    def __init__(self, store: CatalogueStore, user: Principal, writers: Iterable[str]) -> None:
        self._store, self._user = store, user
        self._writes = user.admin or not user.groups.isdisjoint(writers)

    def register(self, pid: str, record: RawRecord, *, only_new: bool = False) -> bool | None:
        """Write a raw record, replacing one of that PID; True where it is new.

        ``None``: there is one, and ``only_new`` was asked for.

        Raises:
            DatasetNotPermittedError: the user is no writer.
            CatalogueError: the PID is a result's.
        """
        self._check()
        dataset = record.dataset(pid)
        with self._store.writing() as connection:
            known = fetch(connection, pid)
            if known is not None and only_new:
                return None
            if known is not None and known.type == "derived":
                raise CatalogueError(
                    f"{pid!r} is a result, which is not replaced", hint="choose another PID"
                )
            put(connection, dataset)
            connection.execute(_TABLE)
            connection.execute("DELETE FROM deletion WHERE pid = ?", (pid,))
        return known is None

    def delete(self, pid: str) -> None:
        """Take a record out and remember that it was there.

        Writers may delete what they see or not; users their own results.

        Raises:
            DatasetNotFoundError: no such record that the user may see.
            DatasetNotPermittedError: it is not the user's to delete.
            CatalogueError: results were derived from it.
        """
        with self._store.writing() as connection:
            known = fetch(connection, pid)
            visible = known is not None and (self._writes or known.access.visible_to(self._user))
            if known is None or not visible:
                raise not_found(pid)
            own = known.type == "derived" and known.access.owner == self._user.name
            if not own:
                self._check()
            if is_input(connection, pid):
                raise CatalogueError(
                    f"{pid!r}: results were derived from it, and refer to it",
                    hint="delete the results first",
                )
            remove(connection, pid)
            connection.execute(_TABLE)
            connection.execute(
                "INSERT OR REPLACE INTO deletion (pid, at, by) VALUES (?, ?, ?)",
                (pid, int(time.time()), self._user.name),
            )

    def _check(self) -> None:
        if not self._writes:
            raise DatasetNotPermittedError(
                f"{self._user.name!r} may not write raw records",
                hint="only members of the groups in catalogue.serve.writers may",
            )
