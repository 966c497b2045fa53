"""Which of Slurm's commands a hub may have a submit host run, and with which options.

They are run as the gateway account. All of them only read; still, what may be asked is a list: no
option that writes, resets, reads a file, or never ends.
"""

from __future__ import annotations

import json
import re

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearfield.errors import SpecRefusedError
from nearfield.scheduler import wire
from nearfield.scheduler.commands import query_environment, run
from nearfield.scheduler.launcher_guard import root_owned_config

MAX_SECONDS = 60.0

_NOT_LISTED = "is not among the options that are passed on"
# Letters: flags and options of one letter. Words: long options, as a pattern.
_OPTIONS: dict[str, tuple[str, str]] = {
    "squeue": (
        "haroOtjunpSwMAqRl",
        "noheader|all|array|format|Format|states|jobs|user|name|partition|sort|nodelist|clusters"
        "|account|qos|reservation|start|me",
    ),
    "sinfo": (
        "haNoOpnsRtMelrd",
        "noheader|all|Node|format|Format|partition|nodes|summarize|list-reasons|states|clusters"
        "|exact|long|responding|dead|reservation",
    ),
    "sacct": (
        "nPXajouSEsNrMADq",
        "noheader|parsable2|allocations|allusers|jobs|format|user|starttime|endtime|state"
        "|nodelist|partition|clusters|accounts|duplicates|name|units",
    ),
    "sprio": ("hjonupSM", "noheader|jobs|format|norm|user|partition|sort|clusters"),
    "sdiag": ("aitT", "all|sort-by-id|sort-by-time|sort-by-time2"),
    "scontrol": ("odaM", "oneliner|details|all|clusters"),
}
_SHOWN = frozenset(
    {"config", "job", "jobs", "node", "nodes", "partition", "partitions", "reservation"}
)
_VALUE = re.compile(r"[\x20-\x7e]{0,100000}", re.ASCII)


class Query(BaseModel):
    """``{"command": "squeue", "args": […], "seconds": 15}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    args: tuple[str, ...] = Field(default=(), max_length=200)
    seconds: float = Field(default=15.0, gt=0, le=MAX_SECONDS)


def answer_query(cluster_name: str, raw: bytes) -> dict[str, object]:
    """Run what is asked. The command's own failure is an answer too.

    Raises:
        SpecRefusedError: not a query, or not one that is passed on.
        SchedulerUnavailableError: the command is not there, or does not end.
    """
    if len(raw) > wire.MAX_REQUEST:
        raise SpecRefusedError("refused: the query is too long")
    try:
        query = Query.model_validate(json.loads(raw))
    except (ValueError, ValidationError, RecursionError):
        raise SpecRefusedError("refused: this is no query") from None
    check_arguments(query.command, query.args)
    cluster = root_owned_config().clusters.get(cluster_name)
    if cluster is None or cluster.scheduler != "slurm":
        raise SpecRefusedError("refused: this configuration has no such Slurm cluster")
    done = run(
        [str(cluster.bin / query.command), *query.args],
        env=query_environment(cluster.conf),
        timeout=query.seconds,
    )
    return {"code": done.code, "out": done.out, "err": done.err}


def check_arguments(command: str, args: tuple[str, ...]) -> None:
    """Raises SpecRefusedError for a command or an argument that is not passed on."""
    if command not in _OPTIONS:
        raise SpecRefusedError(f"refused: there are {', '.join(_OPTIONS)}")
    letters, words = _OPTIONS[command]
    for arg in args:
        if not _VALUE.fullmatch(arg):
            raise _refused(command, arg, "is too long or not printable ASCII")
        if arg.startswith("--"):
            if not re.fullmatch(words, arg[2:].partition("=")[0]):
                raise _refused(command, arg, _NOT_LISTED)
        elif arg.startswith("-") and not (arg[1:] and set(arg[1:]) <= set(letters)):
            # A value glued to its letter would have to be told from flags: write it apart.
            raise _refused(command, arg, _NOT_LISTED)
    if command == "scontrol":
        _check_scontrol([arg for arg in args if not arg.startswith("-")])


def _check_scontrol(words: list[str]) -> None:
    if words == ["ping"]:
        return
    if len(words) not in {2, 3} or words[0] != "show" or words[1] not in _SHOWN:
        raise SpecRefusedError("refused: of scontrol only 'ping' and 'show' are passed on")
    if not all(re.fullmatch(r"[A-Za-z0-9_.,\[\]-]+", word) for word in words[2:]):
        raise SpecRefusedError("refused: scontrol show takes a plain name")


def _refused(command: str, arg: str, why: str) -> SpecRefusedError:
    return SpecRefusedError(f"refused: {command}: {arg[:60]!r} {why}")
