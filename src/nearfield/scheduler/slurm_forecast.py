"""What Slurm says is free and will be free: its words, read. Pure functions.

``sinfo -O`` with a field separator of ours prints one line for each kind of node of a partition,
so the answer grows with the variety of a cluster, not with its size.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

from nearfield.scheduler.availability import Availability, NodeGroup

_FIELDS = ("Partition", "StateLong", "CPUsState", "Nodes", "Features", "Gres", "GresUsed")
SINFO = ("-h", "-a", "-O", ",".join(f"{name}:|" for name in _FIELDS))
"""Arguments of sinfo; hidden partitions are listed too."""
WAITING = ("-h", "-a", "-t", "PD", "-o", "%P|%S")
"""Arguments of squeue: the partitions of what waits, and when it is expected to start."""

# A node that sleeps, or is being woken, is as good as idle; one that does not answer (*) is not.
_IDLE = re.compile(r"(idle|planned)[~#%]?", re.ASCII)
_GRES = re.compile(r"gpu(?::[A-Za-z0-9_.-]+)*?:(\d{1,6})(?![\w.-])", re.ASCII)
_TO_START = re.compile(r"\bto start at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\b")


def parse_sinfo(out: str) -> tuple[tuple[NodeGroup, ...], str | None]:
    """The node groups and the default partition. Lines of another shape are left out."""
    groups, default = [], None
    for line in out.splitlines():
        fields = line.strip().split("|")
        if len(fields) != len(_FIELDS) + 1:
            continue
        name, state, cpus, nodes, features, gres, used = (f.strip() for f in fields[:-1])
        counts = cpus.split("/")
        if not nodes.isdigit() or len(counts) != 4 or not all(c.isdigit() for c in counts):
            continue
        if name.endswith("*"):
            name = default = name[:-1]
        number, idle = int(nodes), bool(_IDLE.fullmatch(state))
        works = idle or state in {"mixed", "allocated", "completing"}
        gpus = _gpus(gres) * number
        groups.append(
            NodeGroup(
                partition=name,
                nodes=number,
                nodes_idle=number if idle else 0,
                cores=int(counts[3]),
                cores_idle=int(counts[1]) if works else 0,
                gpus=gpus,
                gpus_idle=max(0, gpus - _gpus(used) * number) if works else 0,
                features=frozenset(f for f in features.split(",") if f and f != "(null)"),
            )
        )
    return tuple(groups), default


def _gpus(gres: str) -> int:
    """``gpu:sim:2(S:0),gpu:1,nvme:4`` → 3: GPUs of any type."""
    bare = re.sub(r"\([^()]*\)", "", gres)
    return sum(int(found[1]) for item in bare.split(",") if (found := _GRES.fullmatch(item)))


def parse_waiting(out: str) -> tuple[dict[str, int], dict[str, datetime]]:
    """Waiting jobs by partition, and the latest of the starts that Slurm expects."""
    pending: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    for line in out.splitlines():
        partitions, _, start = line.strip().rpartition("|")
        when = slurm_time(start)
        # A job may wait in several partitions at once.
        for name in filter(None, partitions.split(",")):
            pending[name] += 1
            if when is not None:
                last[name] = max(when, last.get(name, when))
    return dict(pending), last


def parse_availability(sinfo: str, squeue: str) -> Availability:
    """Both answers as one look."""
    groups, default = parse_sinfo(sinfo)
    pending, last = parse_waiting(squeue)
    return Availability(groups=groups, default_partition=default, pending=pending, last_start=last)


def parse_test_only(err: str) -> datetime | None:
    """The start that ``sbatch --test-only`` names. It answers on standard error."""
    found = _TO_START.search(err)
    return slurm_time(found[1]) if found else None


def slurm_time(text: str) -> datetime | None:
    """A time of a command that ran with ``TZ=UTC``; None for ``N/A`` and the like."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
