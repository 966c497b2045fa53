"""The session folder: everything that a job needs, written as its user before it is queued.

::

    ~/.local/share/nearfield/sessions/<job name>/   0700
        session.json        what to run, without secrets; stays
        environment.json    0600, tokens included; the job removes it as soon as it has read it
        log                 output of the job
        data/               links to the chosen datasets
        submit.lock         held while the job is being submitted
        result.json         exit code, written at the end
        failure.json        only if the session could not start: {"reason", "message", …}

Everything below ``sessions`` is opened without following links, and folders of other accounts are
refused: a path prepared by somebody else must not catch a token.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nearfield.config import user_data_dir
from nearfield.errors import SubmitError
from nearfield.scheduler.jobspec import JobSpec, SessionTask

KEEP_DAYS = 14
"""How long the folder of a finished job stays."""
KEEP_UNFINISHED_DAYS = 60
"""The same for one that left no result: killed with its node, or still in a long queue."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def sessions_dir() -> Path:
    """Where this account's session folders are."""
    return user_data_dir() / "sessions"


def stage(spec: JobSpec, sessions: Path, *, bind_address: str | None = None) -> Path:
    """Make the session folder of ``spec`` below ``sessions`` and return it.

    Raises:
        SubmitError: names the path and why it cannot be written.
    """
    path = sessions / spec.name
    try:
        top = _open_sessions(sessions)
        try:
            os.mkdir(spec.name, 0o700, dir_fd=top)
            folder = os.open(spec.name, _FOLDER, dir_fd=top)
        finally:
            os.close(top)
        try:
            os.mkdir("data", 0o700, dir_fd=folder)
            session, environment = _contents(spec, bind_address)
            _write(folder, "session.json", session)
            _write(folder, "environment.json", environment)
            os.close(os.open("log", _NEW_FILE | os.O_APPEND, 0o600, dir_fd=folder))
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise
        finally:
            os.close(folder)
    except OSError as error:
        raise refusal(path, error) from error
    return path


def _contents(spec: JobSpec, bind_address: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    task = spec.task.model_dump(mode="json", exclude={"environment"})
    if bind_address is not None and isinstance(spec.task, SessionTask):
        task["bind_address"] = bind_address
    session = {
        "version": 1,
        "name": spec.name,
        "cluster": spec.cluster,
        "user": spec.user,
        "profile": spec.profile,
        "gpus": spec.hardware.gpus,
        "minutes": spec.hardware.minutes,
        "hardware": spec.hardware.model_dump(),
        "task": task,
    }
    return session, {k: v.get_secret_value() for k, v in spec.task.environment.items()}


def _open_sessions(sessions: Path) -> int:
    # Parents may be links: a user whose home is small keeps ~/.local elsewhere. What they lead to
    # must still be this account's own.
    sessions.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = os.open(sessions.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _own(base, sessions.parent)
        with suppress(FileExistsError):
            os.mkdir(sessions.name, 0o700, dir_fd=base)
        top = os.open(sessions.name, _FOLDER, dir_fd=base)
    finally:
        os.close(base)
    try:
        _own(top, sessions)
    except SubmitError:
        os.close(top)
        raise
    return top


def _own(folder: int, path: Path) -> None:
    found = os.fstat(folder)
    if found.st_uid != os.geteuid():
        raise SubmitError(f"{path}: belongs to another account (uid {found.st_uid}); not used")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SubmitError(
            f"{path}: other accounts may write there; not used", hint=f"chmod go-w {path}"
        )


def _write(folder: int, name: str, content: object) -> None:
    with os.fdopen(os.open(name, _NEW_FILE, 0o600, dir_fd=folder), "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        # The job may run on another host within 0.1 s, and a full file system says so only here.
        os.fsync(file.fileno())


def refusal(path: Path, error: OSError) -> SubmitError:
    """Why a session folder cannot be made, and what its owner can do about it."""
    hints = {
        errno.EDQUOT: "free some space: the quota of this file system is used up",
        errno.ENOSPC: "free some space: this file system is full",
        errno.EROFS: "the file system is read-only here",
        errno.EACCES: "make the folder writable for its owner",
        errno.ELOOP: "remove the symbolic link",
        errno.ENOTDIR: "it, or one of its parents, is no folder, or is a symbolic link",
        errno.EEXIST: "a job of this name was submitted before",
    }
    return SubmitError(
        f"the session folder {path} cannot be made: {error.strerror}",
        hint=hints.get(error.errno or 0),
    )


def withdraw(sessions: Path, name: str) -> bool:
    """Take the name, so that no later submit can stage a job of that name.

    False if a submit has taken it before: its job may be queued, or on the way there.
    """
    try:
        top = _open_sessions(sessions)
        try:
            os.mkdir(name, 0o700, dir_fd=top)
        finally:
            os.close(top)
    except (OSError, SubmitError):
        return False
    give_up(sessions, name)
    return True


def give_up(sessions: Path, name: str) -> None:
    """No job will use this folder: its tokens go, and it is pruned as one that ended."""
    forget_secrets(sessions, name)
    with suppress(OSError):
        (sessions / name / "result.json").write_text('{"withdrawn": true}')


def forget_secrets(sessions: Path, name: str) -> None:
    """Remove the tokens of a job that will not read them any more. No such folder is no error."""
    if "/" in name or name in {"", ".", ".."}:
        return
    with suppress(OSError, SubmitError):
        top = _open_sessions(sessions)
        try:
            folder = os.open(name, _FOLDER, dir_fd=top)
        finally:
            os.close(top)
        try:
            os.unlink("environment.json", dir_fd=folder)
        finally:
            os.close(folder)


def unstage(path: Path) -> None:
    """Remove the folder of a job that was not queued."""
    shutil.rmtree(path, ignore_errors=True)


def prune(sessions: Path, *, now: float | None = None, at_most: int = 20) -> int:
    """Remove folders of jobs that ended long ago; never more than ``at_most`` in one call."""
    now = time.time() if now is None else now
    removed = 0
    try:
        entries = [e for e in os.scandir(sessions) if e.is_dir(follow_symlinks=False)]
    except OSError:
        return 0
    for entry in entries[:2000]:
        if removed == at_most:
            break
        try:
            if _age_days(Path(entry.path), now) > 0:
                shutil.rmtree(entry.path)
                removed += 1
        except OSError:
            continue  # somebody else's turn, or a busy NFS file: the next submit tries again
    return removed


def _age_days(folder: Path, now: float) -> float:
    """Days past the time that a folder is kept; negative while it is."""
    result = folder / "result.json"
    if result.exists():
        return (now - result.stat().st_mtime) / 86400 - KEEP_DAYS
    newest = max(p.lstat().st_mtime for p in (folder, folder / "log") if p.exists())
    return (now - newest) / 86400 - KEEP_UNFINISHED_DAYS


def log_tail(sessions: Path, name: str, lines: int) -> str:
    """The last lines of a job's log; empty if there is none. Links are not followed."""
    try:
        folder = os.open(sessions / name, _FOLDER)
    except OSError:
        return ""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        log = os.open("log", flags, dir_fd=folder)
    except OSError:
        return ""
    finally:
        os.close(folder)
    with os.fdopen(log, "rb") as file:
        if not stat.S_ISREG(os.fstat(log).st_mode):
            return ""
        file.seek(max(0, os.fstat(log).st_size - 64 * 1024))
        text = file.read(64 * 1024).decode("utf-8", "replace")
    return last_lines(text, lines)


def last_lines(text: str, lines: int) -> str:
    """Of a log, what is shown on pages and terminals: no control character but the tab survives."""
    last = text.splitlines()[-lines:] if lines > 0 else []
    return "\n".join("".join(c for c in s if c.isprintable() or c == "\t")[:500] for s in last)
