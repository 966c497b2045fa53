"""``nearfield-launch``: the one command that a hub may run in a user's name.

``sudo -n -u USER -- nearfield-launch`` runs it as the user. It takes no arguments; one JSON
request comes on standard input, one JSON answer goes to standard output
(:mod:`nearfield.scheduler.wire`). It trusts nothing of the caller: not the environment, not the
working directory, not the spec (:mod:`nearfield.scheduler.policy`), and only a configuration that
nobody but root can have written. sudo's own log is the one to trust; the audit line here tells
what was asked for.
"""

from __future__ import annotations

import json
import os
import pwd
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from nearfield.config import Config
from nearfield.datasets import Principal
from nearfield.errors import NearfieldError, SchedulerError, SpecRefusedError
from nearfield.scheduler import wire
from nearfield.scheduler._protocol import JobState, JobStatus, PathAccess
from nearfield.scheduler.account import SlurmAccount
from nearfield.scheduler.jobspec import JobSpec
from nearfield.scheduler.launcher_guard import (
    audit,
    groups_of,
    keep_to_itself,
    only_roots_code,
    root_owned_config,
)
from nearfield.scheduler.policy import check
from nearfield.scheduler.slurm_output import is_job_number
from nearfield.storage import locate

SECONDS = 90
"""After this the launcher ends, whatever it waits for."""
_MIN_UID = 1000
_NO_SESSION = JobStatus(state=JobState.UNKNOWN, reason="not a session")


def main() -> None:
    """Console script."""
    keep_to_itself()
    if len(sys.argv) != 1:
        sys.stderr.write("nearfield-launch takes no arguments (docs/reference/scheduler.md)\n")
        raise SystemExit(2)
    signal.alarm(SECONDS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold tokens
    refusal = _refuse_untrusted_code()
    raw = sys.stdin.buffer.read(wire.MAX_REQUEST + 1)
    text = refusal or _serve(raw)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    # A thread that hangs in a dead file system must not keep the process.
    os._exit(0)


def _refuse_untrusted_code() -> str | None:
    """The answer, if this Python may have been given modules by somebody but root."""
    try:
        only_roots_code()
    except NearfieldError as error:
        audit(None, {"verb": "?"}, f"{type(error).__name__}: {error.message}")
        return wire.failure(error)
    return None


def _serve(raw: bytes) -> str:
    told = {"verb": "?", "profile": "-", "job": "-"}
    config: Config | None = None
    try:
        account = _account()
        _clear_environment(account)
        config = root_owned_config()
        _may_be_acted_for(account, config)
        text = wire.answer(_handle(raw, config, account, told))
        verdict = "ok"
    except NearfieldError as error:
        text, verdict = wire.failure(error), f"{type(error).__name__}: {error.message}"
    except Exception as error:  # the hub must get an answer, and no value of the request in it
        name = type(error).__name__
        text = wire.failure(SchedulerError(f"the launcher failed: {name}"))
        verdict = f"failed: {name}"
    audit(config, told, verdict)
    return text


def _account() -> pwd.struct_passwd:
    uid = os.getuid()
    if uid < _MIN_UID or os.geteuid() != uid or os.getegid() != os.getgid():
        raise SpecRefusedError(f"refused: no sessions for the system account with uid {uid}")
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise SpecRefusedError(f"refused: uid {uid} has no account on this host") from None


def _clear_environment(account: pwd.struct_passwd) -> None:
    os.environ.clear()
    os.environ.update(
        HOME=account.pw_dir,
        USER=account.pw_name,
        LOGNAME=account.pw_name,
        SHELL=account.pw_shell or "/bin/sh",
        PATH="/usr/bin:/bin",
        LANG="C.UTF-8",
    )
    os.chdir("/")


def _may_be_acted_for(account: pwd.struct_passwd, config: Config) -> None:
    rules = config.launcher
    if account.pw_uid < rules.min_uid:
        raise SpecRefusedError(
            f"refused: uid {account.pw_uid} of {account.pw_name} is below"
            f" launcher.min_uid ({rules.min_uid})"
        )
    if rules.group is None:
        raise SpecRefusedError("refused: launcher.group is not set, so nobody may be acted for")
    if rules.group not in groups_of(account):
        raise SpecRefusedError(f"refused: {account.pw_name} is not in the group {rules.group!r}")


def _handle(raw: bytes, config: Config, account: pwd.struct_passwd, told: dict[str, str]) -> object:
    if len(raw) > wire.MAX_REQUEST:
        raise SpecRefusedError(f"refused: the request is longer than {wire.MAX_REQUEST} bytes")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise SpecRefusedError("refused: the request is not JSON") from None
    verb = data.get("verb") if isinstance(data, dict) else None
    if not isinstance(verb, str) or verb not in wire.FIELDS:
        raise SpecRefusedError(f"refused: no such verb; there are {', '.join(sorted(wire.FIELDS))}")
    told["verb"] = verb
    if data.get("version") != wire.VERSION:
        raise SpecRefusedError(
            f"refused: this launcher speaks version {wire.VERSION} of the protocol",
            hint="do hub and launcher run the same release of nearfield?",
        )
    if set(data) != wire.FIELDS[verb] | {"version", "verb", "cluster"}:
        raise SpecRefusedError(f"refused: {verb} takes {', '.join(sorted(wire.FIELDS[verb]))}")
    name = data["cluster"]
    cluster = config.clusters.get(name) if isinstance(name, str) else None
    if cluster is None or cluster.scheduler != "slurm":
        raise SpecRefusedError("refused: the launcher's configuration has no such Slurm cluster")
    return _VERBS[verb](data, SlurmAccount(cluster), config, account, told)


def _submit(data: dict[str, Any], slurm: SlurmAccount, *context: Any) -> str:
    return slurm.submit(_allowed_spec(data, *context))


def _estimate(data: dict[str, Any], slurm: SlurmAccount, *context: Any) -> str:
    # Only what could be submitted: an estimate is no way to try out other options.
    return slurm.estimate(_allowed_spec(data, *context)).strftime("%Y-%m-%dT%H:%M:%S")


def _allowed_spec(
    data: dict[str, Any], config: Config, account: pwd.struct_passwd, told: dict[str, str]
) -> JobSpec:
    """The request's spec as this launcher's own configuration makes it."""
    try:
        spec = JobSpec.model_validate(data["spec"])
    except ValidationError as error:
        # Without the offending values: they may be secrets.
        where = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5]
        )
        raise SpecRefusedError(f"job refused: {where}"[:1000]) from None
    told |= {"profile": spec.profile, "job": spec.name}
    if spec.cluster != data["cluster"]:
        raise SpecRefusedError("job refused: cluster is not the one that was asked for")
    who = Principal(name=account.pw_name, groups=groups_of(account))
    return check(spec, config, who)


def _cancel(data: dict[str, Any], slurm: SlurmAccount, *context: Any) -> None:
    number = _number(data["number"])
    context[-1]["job"] = number
    if name := _ours(slurm, number):
        slurm.cancel(number, name)


def _status(data: dict[str, Any], slurm: SlurmAccount, *_context: Any) -> object:
    numbers = [_number(n) for n in _strings(data["numbers"], 1000)]
    names = slurm.names_of(numbers)
    # A job without a name is in neither queue nor accounting: nothing is told of it but that.
    ours = [n for n in numbers if n not in names or wire.is_session_name(names[n])]
    found = dict.fromkeys(numbers, _NO_SESSION) | slurm.status(ours)
    return {n: s.model_dump(mode="json") for n, s in found.items()}


def _find(data: dict[str, Any], slurm: SlurmAccount, *_context: Any) -> str | None:
    return slurm.find(_job_name(data["name"]))


def _withdraw(data: dict[str, Any], slurm: SlurmAccount, *_context: Any) -> bool:
    return slurm.withdraw(_job_name(data["name"]))


def _log_tail(data: dict[str, Any], slurm: SlurmAccount, *_context: Any) -> str:
    lines = data["lines"]
    if isinstance(lines, bool) or not isinstance(lines, int) or not 0 <= lines <= 1000:
        raise SpecRefusedError("refused: lines must be a whole number up to 1000")
    return slurm.log_tail(_job_name(data["name"]), lines)


def _image(data: dict[str, Any], slurm: SlurmAccount, *_context: Any) -> object:
    return slurm.image(_job_name(data["name"]))


def _access(data: dict[str, Any], slurm: SlurmAccount, config: Config, *_context: Any) -> object:
    paths = _strings(data["paths"], 1000)
    if not all(p.startswith("/") and "\0" not in p and len(p) <= 4096 for p in paths):
        raise SpecRefusedError("refused: paths must be absolute")
    # Nothing is told of the rest of the file system: whoever holds the hub may ask for anybody.
    inside = [path for path in paths if _in_storage(config, path)]
    answers = dict.fromkeys(paths, PathAccess.UNKNOWN) | slurm.access(inside)
    return {path: word.value for path, word in answers.items()}


def _in_storage(config: Config, path: str) -> bool:
    return ".." not in path.split("/") and locate(config, path)[0] is not None


def _examine(_data: dict[str, Any], _slurm: SlurmAccount, config: Config, *_context: Any) -> object:
    from nearfield.scheduler.examination import examine

    return examine(config).model_dump(mode="json")


_VERBS: dict[str, Callable[..., object]] = {
    "submit": _submit,
    "cancel": _cancel,
    "status": _status,
    "find": _find,
    "withdraw": _withdraw,
    "log_tail": _log_tail,
    "access": _access,
    "image": _image,
    "examine": _examine,
    "estimate": _estimate,
}


def _ours(slurm: SlurmAccount, number: str) -> str | None:
    """The name of the job to end, if it is there. A job that is no session is refused."""
    name = slurm.name_of(number)
    if name is not None and not wire.is_session_name(name):
        raise SpecRefusedError(f"refused: job {number} is not a session")
    return name


def _number(value: object) -> str:
    if not isinstance(value, str) or not is_job_number(value):
        raise SpecRefusedError("refused: not a job number")
    return value


def _job_name(value: object) -> str:
    if not isinstance(value, str) or not wire.is_session_name(value):
        raise SpecRefusedError(f"refused: a session's name is {wire.SESSION_NAME}")
    return value


def _strings(value: object, at_most: int) -> list[str]:
    if isinstance(value, list) and len(value) <= at_most:
        words = [v for v in value if isinstance(v, str)]
        if len(words) == len(value):
            return words
    raise SpecRefusedError(f"refused: expected a list of up to {at_most} strings")
