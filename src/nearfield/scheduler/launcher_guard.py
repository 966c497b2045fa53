"""What the launcher stands on: a configuration that only root can have written, and its log."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from nearfield.config import Config, parse_config
from nearfield.errors import BlockedError, SpecRefusedError

PLACES = (Path(sys.prefix) / "etc/nearfield/nearfield.yaml", Path("/etc/nearfield/nearfield.yaml"))
_TRUSTED_UID = 0
_PR_SET_DUMPABLE = 4


def root_owned_config(places: tuple[Path, ...] = PLACES, *, uid: int = _TRUSTED_UID) -> Config:
    """The first configuration that exists. No variable can name another.

    Raises:
        SpecRefusedError: somebody but root could have written it.
        ConfigError: it is not valid.
        BlockedError: there is none.
    """
    for path in places:
        if os.path.lexists(path):
            return parse_config(_read(path, uid), str(path))
    raise BlockedError(
        "the launcher has no configuration",
        hint=f"put it at {' or '.join(str(p) for p in places)}, owned by root",
    )


def _read(path: Path, uid: int) -> str:
    # Both the way that is written down and the way that it leads: a link's target counts too.
    real = Path(os.path.realpath(path))
    for part in (*path.parents, *real.parents, path, real):
        _check(part, part.lstat(), uid)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(real, flags), encoding="utf-8") as file:
        _check(real, os.fstat(file.fileno()), uid)
        return file.read()


def _check(path: Path, found: os.stat_result, uid: int) -> None:
    if found.st_uid not in {0, uid}:
        raise SpecRefusedError(f"refused: {path} belongs to uid {found.st_uid}, not to root")
    # The mode of a link itself says nothing.
    if not stat.S_ISLNK(found.st_mode) and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SpecRefusedError(
            f"refused: accounts other than root may write {path}", hint=f"chmod go-w {path}"
        )


def keep_to_itself() -> None:
    """No other process of the user may read this one's memory, or take a descriptor from it.

    It runs as the user, so the kernel would let the user trace it. The programs that it starts are
    as open as ever: an exec sets this anew.
    """
    with suppress(OSError, AttributeError, ImportError):  # another system: it has no such call
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def only_roots_code(
    paths: Iterable[str] | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    uid: int = _TRUSTED_UID,
) -> None:
    """An installed script starts Python without ``-I``, so this is looked at afterwards.

    Raises:
        SpecRefusedError: a variable or a folder lets others than root choose what is imported.
    """
    for name in os.environ if environment is None else environment:
        if name.startswith("PYTHON"):
            raise SpecRefusedError(
                f"refused: the variable {name} is set", hint="sudoers needs env_reset and !setenv"
            )
    given = map(Path, sys.path if paths is None else paths)
    entries = [path if path.is_absolute() else Path.cwd() / path for path in given]
    if not sys.flags.no_user_site and Path(_user_site()) in entries:
        raise SpecRefusedError(
            f"refused: {_user_site()} is on the module path",
            hint="install the launcher in a virtual environment without the system's packages",
        )
    seen: set[Path] = set()
    for entry in entries:
        real = Path(os.path.realpath(entry))
        # The folders above too, also of an entry that is not there: who may write them can make it.
        seen |= {entry, real, *entry.parents, *real.parents}
    for part in seen:
        try:
            found = part.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        _check(part, found, uid)


def _user_site() -> str:
    import site

    return site.getusersitepackages()


def groups_of(account: pwd.struct_passwd) -> frozenset[str]:
    """The Unix groups of an account."""
    names = set()
    for gid in os.getgrouplist(account.pw_name, account.pw_gid):
        try:
            names.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue  # a group without a name cannot be named in the configuration
    return frozenset(names)


def audit(config: Config | None, told: dict[str, str], verdict: str) -> None:
    """One line about what was asked for. A log that cannot be written stops nobody."""
    values = {"uid": str(os.getuid()), "user": _user(), **told, "verdict": verdict}
    line = " ".join(f"{key}={_word(value)}" for key, value in values.items())
    try:
        _to_syslog(line)
        if config is not None and config.launcher.audit_log is not None:
            _to_file(config.launcher.audit_log, line)
    except OSError as error:
        print(f"nearfield-launch: audit: {error}", file=sys.stderr)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "?"


def _word(value: str) -> str:
    """One field of one line, whatever the request held."""
    shown = "".join(c if c.isprintable() and c != '"' else "?" for c in value[:300])
    return f'"{shown}"' if not shown or " " in shown else shown


def _to_syslog(line: str) -> None:
    if Path("/dev/log").exists():
        import syslog

        syslog.openlog("nearfield-launch", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
        syslog.syslog(syslog.LOG_NOTICE, line)


def _to_file(path: Path, line: str) -> None:
    import time

    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # Append only, and never made here: its owner and mode are the administrator's choice.
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(target, f"{stamp} {line}\n".encode())
    finally:
        os.close(target)
