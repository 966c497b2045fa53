"""What an account finds on this host: its home, its last sessions, storages and images.

The launcher's verb ``examine`` answers this as the user; ``nearfield doctor`` judges the answer.
Paths come from the configuration of whoever runs this, never from the one who asks. Each look is
bounded in time: a hung mount costs one answer, not the whole.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from nearfield.config import Config
from nearfield.scheduler import staging, wire

T = TypeVar("T")
SECONDS = 5.0
"""For one look at one file system."""
_LAST = 3
_QUOTA = Path("/usr/bin/quota")


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True)


class FolderFacts(_Facts):
    """A folder that the account should be able to write in."""

    path: str
    why: str = ""
    """Why nothing could be written there; empty if a file of 64 KiB could."""
    mode: int | None = None
    uid: int | None = None
    free_mb: int | None = None
    clock_ahead: float | None = None
    """Seconds by which the file server's clock is ahead of this host's."""


class PathFacts(_Facts):
    """May a path be read?"""

    answer: Literal["yes", "no", "absent", "hangs"]
    why: str = ""


class LastSession(_Facts):
    """What a session folder tells."""

    name: str
    made: float
    profile: str = ""
    exit_code: int | None = None
    """None: no result was written, so it runs, or was killed with its node."""
    ended: float | None = None
    failure: str = ""
    """The message of failure.json."""


class Examination(_Facts):
    """Everything that was found."""

    host: str
    user: str
    uid: int
    groups: tuple[str, ...]
    home: FolderFacts
    sessions: FolderFacts
    readable: dict[str, PathFacts]
    """Images and storages of the configuration."""
    quota: str = ""
    """What ``quota`` says where a limit is passed."""
    last: tuple[LastSession, ...] = ()
    log: str = ""
    """The end of the log of the last session."""


def examine(config: Config, sessions: Path | None = None) -> Examination:
    """Look as the account of this process."""
    account = pwd.getpwuid(os.geteuid())
    place = staging.sessions_dir() if sessions is None else sessions
    home = Path(account.pw_dir)
    nothing: tuple[LastSession, ...] = ()
    found = _bounded(lambda: last_sessions(place), nothing)
    name = found[0].name if found else ""
    return Examination(
        host=socket.gethostname(),
        user=account.pw_name,
        uid=account.pw_uid,
        groups=_group_names(account),
        home=_folder(home, home),
        # Where the folder is not made yet, its file system is that of the home.
        sessions=_folder(place, home),
        readable={path: readable(path) for path in _paths(config)},
        quota=_quota(),
        last=found,
        log=_bounded(lambda: staging.log_tail(place, name, 20), "") if name else "",
    )


def _paths(config: Config) -> list[str]:
    images = [str(e.image) for e in config.environments.values() if e.image is not None]
    return list(dict.fromkeys([*(str(s.prefix) for s in config.storages.values()), *images]))


def _bounded(look: Callable[[], T], otherwise: T, seconds: float | None = None) -> T:
    """What ``look`` answers in time. A hung mount blocks in the kernel: leave the thread behind."""
    answer = [otherwise]

    def work() -> None:
        answer[0] = look()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS if seconds is None else seconds)
    return answer[0]


def readable(path: str) -> PathFacts:
    """One answer, bounded. Images are opened, for a file system may refuse only then."""
    hangs = PathFacts(answer="hangs", why=f"no answer from the file system within {SECONDS:g} s")
    return _bounded(lambda: _look(Path(path)), hangs)


def _look(path: Path) -> PathFacts:
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            with os.scandir(path) as entries:
                next(iter(entries), None)
        else:
            with path.open("rb") as file:
                if not file.read(1):
                    return PathFacts(answer="no", why="the file is empty")
    except FileNotFoundError:
        return PathFacts(answer="absent")
    except OSError as error:
        return PathFacts(answer="no", why=_explain(path, error))
    return PathFacts(answer="yes")


def _explain(path: Path, error: OSError) -> str:
    """The system's word, and where on the way the account is stopped."""
    said = error.strerror or str(error)
    if error.errno not in {errno.EACCES, errno.EPERM}:
        return said
    for part in (*reversed(path.parents), path):
        wanted = os.R_OK if part == path else os.X_OK
        try:
            found = part.stat()
        except OSError:
            break
        if not os.access(part, wanted):
            mode = stat.filemode(found.st_mode)
            return f"{said}: {part} is {mode} {_user(found.st_uid)}:{_group(found.st_gid)}"
    return said


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _group_names(account: pwd.struct_passwd) -> tuple[str, ...]:
    return tuple(_group(gid) for gid in os.getgrouplist(account.pw_name, account.pw_gid))


def _folder(path: Path, otherwise: Path) -> FolderFacts:
    hangs = FolderFacts(path=str(path), why=f"no answer from the file system within {SECONDS:g} s")
    return _bounded(lambda: _try_folder(path, otherwise), hangs)


def _try_folder(path: Path, otherwise: Path) -> FolderFacts:
    real = path
    facts: dict[str, Any] = {"path": str(path)}
    try:
        real = path if path.exists() else otherwise
        found = real.stat()
        if real == path:
            facts |= {"mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid}
        space = os.statvfs(real)
        facts["free_mb"] = space.f_bavail * space.f_frsize // 1024**2
        facts["clock_ahead"] = _write(real)
    except OSError as error:
        facts["why"] = _explain(real, error)
    return FolderFacts(**facts)


def _write(folder: Path) -> float:
    """Write a file and remove it: quotas and full disks show themselves only so."""
    target = folder / f".nearfield-doctor-{os.getpid()}"
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        before = time.time()
        if os.write(file, b"\0" * 65536) < 65536:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
        now = time.time()
        stamp = os.fstat(file).st_mtime
        # Between the two is as good as equal.
        return 0.0 if before <= stamp <= now else stamp - (now if stamp > now else before)
    finally:
        os.close(file)
        target.unlink(missing_ok=True)


def _quota() -> str:
    """Linux's own quotas. Those of GPFS and Lustre are noticed by the write above."""
    if not _QUOTA.exists():
        return ""
    try:
        done = subprocess.run(
            [str(_QUOTA), "-w", "-q"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return " ".join(done.stdout.split())[:300] if done.returncode != 0 else ""


def last_sessions(sessions: Path, at_most: int = _LAST) -> tuple[LastSession, ...]:
    """The newest session folders, newest first."""
    try:
        with os.scandir(sessions) as entries:
            made = {
                entry.name: entry.stat(follow_symlinks=False).st_mtime
                for entry in entries
                if wire.is_session_name(entry.name) and entry.is_dir(follow_symlinks=False)
            }
    except OSError:
        return ()
    newest = sorted(made, key=lambda name: made[name], reverse=True)[:at_most]
    return tuple(_session(sessions / name, made[name]) for name in newest)


def _session(folder: Path, made: float) -> LastSession:
    session, result = _json(folder / "session.json"), _json(folder / "result.json")
    code, ended = result.get("exit_code"), result.get("ended")
    return LastSession(
        name=folder.name,
        made=made,
        profile=_words(session.get("profile")),
        exit_code=code if isinstance(code, int) else None,
        ended=ended if isinstance(ended, int | float) else None,
        failure=_words(_json(folder / "failure.json").get("message")),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = json.loads(file.read(1 << 20))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in text)[:1000]
