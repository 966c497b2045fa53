"""What the site of the property tests allows alice, and what comes of it.

Written from the documents, with plain comparisons: nothing of Nearfield is imported here, so that
the code under test does not check itself.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NUMBERS = ("cores", "memory_mb", "minutes", "gpus")
WORDS = ("gpu_type", "account", "qos", "reservation")
FIELDS = {"profile", "hardware", "datasets", *NUMBERS, *WORDS}
HARDWARE_OF = {"open": ["open", "fixed"], "mine": ["away"]}
"""The profiles of alice; those of others are closed to her."""

_OPEN_NUMBERS = {
    "cores": {2, 4, 6, 8, 10, 12, 14, 16},
    "memory_mb": {1000, 2000},
    "minutes": {60, 120, 180, 240},
    "gpus": {0, 1, 2},
}
_WORD_START = string.ascii_letters + string.digits
_WORD = _WORD_START + "_.:+-"

ROOTS = {"p/1": "/raw/x/a.h5", "p/2": "/raw/z.h5", "p/closed": "/closed/a.h5"}
BINDS = {"open": ("/raw",), "mine": ("/raw", "/closed")}


@dataclass(frozen=True)
class Session:
    """A start that is allowed."""

    profile: str
    hardware: str
    values: dict[str, Any] = field(default_factory=dict)
    pids: tuple[str, ...] = ()
    roots: tuple[str, ...] | None = None
    """Where the datasets lie; ``None``: where their PIDs say."""
    near_raw: bool | None = None
    """Is it placed next to storage raw? ``None``: if a dataset lies there."""


def _a_word(value: object) -> bool:
    return (
        type(value) is str
        and 1 <= len(value) <= 64
        and value[0] in _WORD_START
        and all(c in _WORD for c in value)
    )


def may_choose(hardware: str, name: str, value: object) -> bool:
    """Is this value of this hardware open to choice?"""
    if hardware == "away":
        return name == "cores" and type(value) is int and value in {1, 4}
    if hardware != "open":
        return False
    if name in _OPEN_NUMBERS:
        return type(value) is int and value in _OPEN_NUMBERS[name]
    if not isinstance(value, str) or not _a_word(value):
        return False
    if name == "gpu_type":
        return value in {"a100", "t4"}
    if name == "qos":
        return value in {"normal", "high"}
    if name == "account":
        rest = value.removeprefix("grp-")
        lower = all(c in string.ascii_lowercase for c in rest)
        return value.startswith("grp-") and 1 <= len(rest) <= 8 and lower
    return name == "reservation" and value[-1] in string.digits


def of_rest(data: object) -> Session | None:
    """The session that a REST body comes to; ``None``: it must be refused."""
    if not isinstance(data, dict) or not set(data) <= FIELDS:
        return None
    given = {key: value for key, value in data.items() if value is not None}
    pids = data.get("datasets", [])
    if type(pids) is not list or len(pids) > 200 or any(type(pid) is not str for pid in pids):
        return None
    profile = given.get("profile")
    if type(profile) is not str or profile not in HARDWARE_OF:
        return None  # she has two profiles, so one must be named
    hardware = given.get("hardware", HARDWARE_OF[profile][0])
    if type(hardware) is not str or hardware not in HARDWARE_OF[profile]:
        return None
    values = {name: given[name] for name in (*NUMBERS, *WORDS) if name in given}
    if not all(may_choose(hardware, name, value) for name, value in values.items()):
        return None
    if not all(pid in ROOTS and ROOTS[pid].startswith(BINDS[profile]) for pid in pids):
        return None
    return Session(profile, hardware, values, tuple(dict.fromkeys(pids)))


def _a_name(text: str) -> bool:
    first = string.ascii_lowercase + string.digits
    return 1 <= len(text) <= 63 and text[0] in first and all(c in first + "._-" for c in text)


def _last(values: list[str] | None) -> str | None:
    filled = [value.strip() for value in values or [] if value.strip()]
    return filled[-1] if filled else None


def of_form(fields: Mapping[str, list[str]]) -> Session | None:
    """The session that a form, or the query of a link, comes to."""
    profile = _last(fields.get("profile"))
    qualified = _last(fields.get(f"hardware:{profile}")) if profile and _a_name(profile) else None
    hardware = qualified or _last(fields.get("hardware"))
    data: dict[str, Any] = {"profile": profile, "hardware": hardware}
    for key, values in fields.items():
        if key in {"dataset", "datasets"}:
            for value in values:
                data.setdefault("datasets", []).extend(value.split())
        elif key in {"profile", "hardware", "_xsrf", *NUMBERS, *WORDS}:
            pass
        elif not _qualified(key.split(":")):
            return None  # no field of the form
    for name in (*NUMBERS, *WORDS):
        last = _last(fields.get(f"{name}:{profile}:{hardware}")) or _last(fields.get(name))
        if last is not None:
            digits = 1 <= len(last) <= 10 and all(c in string.digits for c in last)
            data[name] = int(last) if name in NUMBERS and digits else last
    if "datasets" in data:
        data["datasets"] = list(dict.fromkeys(data["datasets"]))
    return of_rest(data)


def _qualified(parts: list[str]) -> bool:
    """``hardware:PROFILE`` or ``cores:PROFILE:HARDWARE``, of whatever profile."""
    field, names = parts[0], parts[1:]
    wanted = {"hardware": 1} | dict.fromkeys((*NUMBERS, *WORDS), 2)
    return len(names) == wanted.get(field, 0) != 0 and all(map(_a_name, names))


def in_raw(session: Session) -> bool:
    """Has a dataset in storage raw been chosen?"""
    roots = session.roots if session.roots is not None else map(ROOTS.__getitem__, session.pids)
    return any(root.startswith("/raw/") for root in roots)


def sbatch_options(session: Session) -> list[str]:
    """What Slurm is asked for, apart from what every session has."""
    own: dict[str, dict[str, Any]] = {
        "open": {"cores": 2, "memory_mb": 1000, "minutes": 60},
        "fixed": {
            "cores": 1,
            "memory_mb": 3000,
            "minutes": 60,
            "partition": "short",
            "account": "physics",
            "qos": "low",
            "constraint": "fat",
        },
        "away": {"cores": 1, "memory_mb": 2048, "minutes": 60},
    }
    asked = own[session.hardware] | session.values
    near = in_raw(session) if session.near_raw is None else session.near_raw
    if near and session.hardware != "away":  # storage raw is near in cluster lab alone
        asked["constraint"] = "fat&near-raw" if session.hardware == "fixed" else "near-raw"
    options = [
        f"--cpus-per-task={asked['cores']}",
        f"--mem={asked['memory_mb']}M",
        f"--time={asked['minutes']}",
    ]
    if asked.get("gpus"):
        kind = f"{asked['gpu_type']}:" if "gpu_type" in asked else ""
        options.append(f"--gres=gpu:{kind}{asked['gpus']}")
    words = ("partition", "account", "qos", "reservation", "constraint")
    return options + [f"--{word}={asked[word]}" for word in words if word in asked]


def sbatch_argv(session: Session, name: str, folder: str) -> list[str]:
    """The whole command."""
    where = "/opt/other/bin" if session.hardware == "away" else "/opt/slurm/bin"
    return [
        f"{where}/sbatch",
        "--parsable",
        f"--job-name={name}",
        "--no-requeue",
        "--propagate=NONE",
        "--export=ALL",
        f"--chdir={folder}",
        "--output=log",
        "--error=log",
        "--open-mode=append",
        "--input=/dev/null",
        "--nodes=1",
        "--ntasks=1",
        *sbatch_options(session),
        "--signal=B:USR2@60",  # the site's grace; no hardware here is shorter than twice that
    ]


def mounted(session: Session) -> list[str]:
    """The folders that the image sees, where the nodes have them."""
    if session.profile == "open":
        return ["/opt/a,b:c", "/raw"]
    # Storage raw is far from cluster other: bound if the user has chosen data there.
    return [*(["/raw"] if in_raw(session) else []), "/closed"]


def may_be_linked(profile: str, folder: str, files: list[str]) -> bool:
    """May a session of this profile have links to these files?"""
    for path in (folder, *files):
        if len(path) > 4096 or "\0" in path or not path.startswith("/"):
            return False
        if any(part in {"", ".", ".."} for part in path.split("/")[1:]):
            return False
    inside = all(file.startswith(folder + "/") for file in files)
    bound = all(any(file.startswith(f"{top}/") for top in BINDS[profile]) for file in files)
    apart = not any(one.startswith(f"{other}/") for one in files for other in files)
    return inside and bound and apart


def may_be_handed_over(name: str) -> bool:
    """May a variable of this name be in a session's environment?"""
    if name in {"NEARFIELD_CONFIG", "NEARFIELD_HOME"}:
        return False
    beginnings = ("JUPYTERHUB_", "NEARFIELD_", "CPU_", "MEM_", "JPY_API_TOKEN")
    return name.startswith(beginnings) and all(
        c in string.ascii_uppercase + "0123456789_" for c in name
    )


SHELL = """\
#!/bin/sh
umask 077
trap '' USR2
for python in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3 python3; do
    command -v "$python" >/dev/null 2>&1 && break
done
exec "$python" -I -c '{start}' {folder} <<'NEARFIELD_NODE_PROGRAM'
"""
START = "import sys; PROGRAM = sys.stdin.buffer.read(); exec(PROGRAM)"


def script(folder: str, program: str) -> str:
    """The whole script: a program that is the same for everybody, below seven fixed lines."""
    return (
        SHELL.replace("{start}", START).replace("{folder}", folder)
        + program
        + "NEARFIELD_NODE_PROGRAM\n"
    )


def server_argv(session: Session, folder: str, scratch: str, home: str) -> list[str]:
    """What the node runs, where every bound folder is there and no GPU is."""
    if session.profile == "mine":
        return ["bare-server"]
    mounts = [
        f"type=bind,source={scratch},destination=/tmp",
        'type=bind,"source=/opt/a,b:c",destination=/opt/x,ro',
        "type=bind,source=/raw,destination=/raw,ro",
        f"type=bind,source={folder}/data,destination=/data",
        f"type=bind,source={folder},destination={folder}",
    ]
    argv = ["/opt/bin/apptainer", "exec", "--no-mount", "cwd,tmp"]
    for mount in mounts:
        argv += ["--mount", mount]
    return [*argv, "--pwd", home, "/images/a.sif", "/opt/server", "--flag"]
