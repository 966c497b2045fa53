"""The datasets of the session that this process runs in: which there are, and one more.

A session knows itself by ``$NEARFIELD_SESSION_DIR``. What is added is linked as the job itself
links what was chosen at the start, by the same code, and is remembered in the session folder::

    session.json        what the session was started with
    added/<slug>.json   a dataset that was added later
    data/<slug>/        links, at $NEARFIELD_DATA
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nearfield.datasets import DatasetFiles
from nearfield.errors import BlockedError, DatasetNotPermittedError, UsageError
from nearfield.scheduler.jobspec import DatasetLink
from nearfield.scheduler.node.links import link_files
from nearfield.scheduler.node.readable import first_unreadable
from nearfield.scheduler.sessions import linked

MOST = 200
"""So many datasets may be added in one call."""
_ADDED = "added"


class SessionDataset(BaseModel):
    """A dataset of a session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: str
    slug: str
    path: str
    """Its folder of links, as programs of the session see it."""
    root: str
    """The first file, where it really is."""
    added: bool
    """After the start."""
    problem: str = ""
    """Why it cannot be read here; "" if it can."""
    not_linked: tuple[str, ...] = ()
    """Files that got no link, each with the reason: told when it is added."""


@dataclass(frozen=True)
class Session:
    """The session folder, and what it says."""

    folder: Path
    data: str
    """``$NEARFIELD_DATA``."""
    task: dict[str, Any]

    @classmethod
    def current(cls) -> Session:
        """The session that this process runs in.

        Raises:
            BlockedError: it runs in none, or the folder cannot be read.
        """
        named = os.environ.get("NEARFIELD_SESSION_DIR")
        if not named:
            raise BlockedError(
                "this is no Nearfield session",
                hint="run it in a terminal or notebook of a session that the hub started",
            )
        folder = Path(named)
        try:
            said = json.loads((folder / "session.json").read_text(encoding="utf-8"))
            task = dict(said["task"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BlockedError(f"the session folder {folder} cannot be read: {error}") from error
        return cls(folder, os.environ.get("NEARFIELD_DATA") or str(folder / "data"), task)

    def links(self) -> list[tuple[DatasetLink, bool]]:
        """Every dataset, and whether it was added after the start."""
        found = [(link, False) for link in map(_read_link, self.task.get("datasets", ())) if link]
        known = {link.pid for link, _ in found}
        for path in sorted((self.folder / _ADDED).glob("*.json")):
            try:
                link = _read_link(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue
            if link is not None and link.pid not in known:
                found.append((link, True))
        return found

    def shows(self, path: str) -> bool:
        """Do programs of this session see that path, if the node has it?"""
        if not self.task.get("image"):
            return True
        here = PurePosixPath(path)
        return any(here.is_relative_to(mount["target"]) for mount in self.task.get("mounts", ()))

    def entry(
        self, link: DatasetLink, *, added: bool, not_linked: Sequence[str] = ()
    ) -> SessionDataset:
        unreadable = first_unreadable(link.files)
        problem = ""
        if not self.shows(link.files[0]):
            problem = f"{link.files[0]} is not in this session's image"
        elif unreadable is not None:
            problem = f"{unreadable[0]}: {unreadable[1]}"
        return SessionDataset(
            pid=link.pid,
            slug=link.slug,
            path=f"{self.data}/{link.slug}",
            root=link.files[0],
            added=added,
            problem=problem,
            not_linked=tuple(not_linked),
        )


def _read_link(said: object) -> DatasetLink | None:
    try:
        return DatasetLink.model_validate(said)
    except ValidationError:
        return None


def show(session: Session) -> list[SessionDataset]:
    """The session's datasets: those of the start, then those added."""
    return [session.entry(link, added=added) for link, added in session.links()]


def check_request(pids: Sequence[str]) -> tuple[str, ...]:
    """Each PID once. Raises UsageError for none, or too many."""
    wanted = tuple(dict.fromkeys(pids))
    if not 0 < len(wanted) <= MOST:
        raise UsageError(f"name one to {MOST} datasets by their PID")
    return wanted


def add(session: Session, datasets: Sequence[DatasetFiles]) -> list[SessionDataset]:
    """Link datasets into the session. Nothing is done unless all of them can be read here.

    One that is there already stays as it is.

    Raises:
        UsageError: a record has no files, or paths that no link can be made for.
        DatasetNotPermittedError: this account may not read one.
        BlockedError: this session does not have the storage, or its folder cannot be written.
    """
    links = [linked(dataset) for dataset in datasets]
    for link in links:
        _must_be_readable(session, link)
    there = {link.pid: added for link, added in session.links()}
    done = []
    for link in links:
        try:
            left = link_files(str(session.folder / "data"), [link.model_dump(mode="json")])
            if link.pid not in there:
                _remember(session.folder, link)
        except OSError as error:
            raise BlockedError(
                f"dataset {link.pid} cannot be linked in {session.folder}: {error.strerror}"
            ) from error
        told = [f"{path}: {why}" for _, path, why in left]
        done.append(session.entry(link, added=there.get(link.pid, True), not_linked=told))
    return done


def _must_be_readable(session: Session, link: DatasetLink) -> None:
    root = link.files[0]
    elsewhere = "start a session with it: that is placed where its storage is"
    if not session.shows(root):
        raise BlockedError(
            f"dataset {link.pid}: {root} is in no folder that this session's image has",
            hint=elsewhere,
        )
    found = first_unreadable(link.files)
    if found is None:
        return
    path, why = found
    try:
        os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        raise BlockedError(
            f"dataset {link.pid}: {path} is not on this node", hint=elsewhere
        ) from None
    except OSError:
        pass
    raise DatasetNotPermittedError(
        f"dataset {link.pid}: this account may not read {path}: {why}",
        hint="ask the dataset's owner for access on the file system",
    )


def _remember(folder: Path, link: DatasetLink) -> None:
    kept = folder / _ADDED
    kept.mkdir(mode=0o700, exist_ok=True)
    new = kept / f".{link.slug}.{os.getpid()}"
    new.write_text(link.model_dump_json(), encoding="utf-8")
    new.replace(kept / f"{link.slug}.json")
