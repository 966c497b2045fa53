"""What a Slurm cluster has, read from the text of ``scontrol`` and ``sacctmgr``.

Pure functions, tested on recorded output. ``--json`` is no way: both commands refuse it up to
Slurm 22.05.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

UNLIMITED = None

_KEY = re.compile(r"(?:^|\s)([A-Za-z][A-Za-z_]*)=")
_NOT_USABLE = frozenset(
    {"DOWN", "DRAIN", "DRAINED", "DRAINING", "FAIL", "FUTURE", "NOT_RESPONDING"}
)


@dataclass(frozen=True)
class Partition:
    """A partition and what it allows. ``None`` is no limit."""

    name: str
    up: bool = True
    default: bool = False
    root_only: bool = False
    minutes: int | None = UNLIMITED
    cores: int | None = UNLIMITED
    memory_mb: int | None = UNLIMITED
    qos: str | None = None
    accounts: frozenset[str] | None = None
    denied_accounts: frozenset[str] = frozenset()
    qoses: frozenset[str] | None = None
    denied_qoses: frozenset[str] = frozenset()
    needs_reservation: bool = False


@dataclass(frozen=True)
class Node:
    """A node and what it holds."""

    name: str
    cores: int
    memory_mb: int
    features: frozenset[str] = frozenset()
    partitions: frozenset[str] = frozenset()
    gpus: dict[str | None, int] = field(default_factory=dict)
    """By type; ``None`` holds those of which no type is known."""
    usable: bool = True

    def gpus_of(self, kind: str | None) -> int:
        """How many GPUs of that type it has; of any type for ``None``."""
        return sum(self.gpus.values()) if kind is None else self.gpus.get(kind, 0)


@dataclass(frozen=True)
class Facts:
    """What a cluster answered. ``None``: it could not be asked, ``problems`` says why."""

    partitions: dict[str, Partition]
    nodes: tuple[Node, ...]
    reservations: frozenset[str] | None = frozenset()
    qos_minutes: dict[str, int | None] | None = None
    """Every QOS with its longest time."""
    accounts: frozenset[str] | None = None
    private: frozenset[str] = frozenset()
    """What the site hides from people (PrivateData)."""
    problems: tuple[str, ...] = ()

    @property
    def default_partition(self) -> Partition | None:
        return next((p for p in self.partitions.values() if p.default), None)

    @property
    def features(self) -> frozenset[str]:
        return frozenset().union(*(node.features for node in self.nodes))


def records(text: str) -> list[dict[str, str]]:
    """``scontrol -o``: one line each, ``Key=value`` with spaces in some values.

    The first of a key counts: the free text of a Reason, which may hold anything, is near the end.
    """
    found = []
    for line in text.splitlines():
        marks = list(_KEY.finditer(line))
        record: dict[str, str] = {}
        ends = [mark.start() for mark in marks[1:]] + [len(line)]
        for mark, end in zip(marks, ends, strict=False):
            record.setdefault(mark[1], line[mark.end() : end].strip())
        if record:
            found.append(record)
    return found


def parse_partitions(text: str) -> dict[str, Partition]:
    """``scontrol -a -o show partition``."""
    found = {}
    for record in records(text):
        if not (name := record.get("PartitionName")):
            continue
        found[name] = Partition(
            name=name,
            up=record.get("State", "UP").startswith("UP"),
            default=record.get("Default") == "YES",
            root_only=record.get("RootOnly") == "YES",
            minutes=minutes(record.get("MaxTime", "")),
            cores=_number(record.get("MaxCPUsPerNode", "")),
            memory_mb=_number(record.get("MaxMemPerNode", "")),
            qos=_word(record.get("QoS", "")),
            accounts=_allowed(record.get("AllowAccounts", "ALL")),
            denied_accounts=_names(record.get("DenyAccounts", "")),
            qoses=_allowed(record.get("AllowQos", "ALL")),
            denied_qoses=_names(record.get("DenyQos", "")),
            needs_reservation=record.get("ReqResv") == "YES",
        )
    return found


def parse_nodes(text: str) -> tuple[Node, ...]:
    """``scontrol -o show node``."""
    found = []
    for record in records(text):
        if not (name := record.get("NodeName")):
            continue
        state = set(re.split(r"[+*~#!%$@^-]", record.get("State", "")))
        features = _names(record.get("AvailableFeatures", ""))
        found.append(
            Node(
                name=name,
                cores=_number(record.get("CPUEfctv", record.get("CPUTot", ""))) or 0,
                memory_mb=_number(record.get("RealMemory", "")) or 0,
                features=features | _names(record.get("ActiveFeatures", "")),
                partitions=_names(record.get("Partitions", "")),
                gpus=_gpus(record.get("Gres", "")),
                usable=not state & _NOT_USABLE,
            )
        )
    return tuple(found)


def parse_reservations(text: str) -> frozenset[str]:
    """``scontrol -o show reservation``."""
    return frozenset(r["ReservationName"] for r in records(text) if "ReservationName" in r)


def parse_qos(text: str) -> dict[str, int | None]:
    """``sacctmgr -nP list qos format=name,maxwall``."""
    rows = (line.split("|") for line in text.splitlines() if "|" in line)
    return {row[0]: minutes(row[1]) for row in rows}


def parse_accounts(text: str) -> frozenset[str]:
    """``sacctmgr -nP list account format=account``."""
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


def parse_settings(text: str) -> dict[str, str]:
    """``scontrol show config``."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def minutes(text: str) -> int | None:
    """Slurm's times in whole minutes: ``04:00:00``, ``1-12:00:00``, ``30:00``; else no limit."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if not found:
        return None
    days, hours, mins, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + mins + (seconds > 0)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,15}", text) else None


def _word(text: str) -> str | None:
    return None if text in {"", "N/A", "(null)", "None"} else text


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if _word(text) else frozenset()


def _allowed(text: str) -> frozenset[str] | None:
    return None if text == "ALL" else _names(text)


def _gpus(gres: str) -> dict[str | None, int]:
    """``gpu:a100:4(S:0-1),gpu:2,nvme:1``."""
    found: dict[str | None, int] = {}
    for part in re.sub(r"\([^)]*\)", "", gres).split(","):
        match = re.fullmatch(r"gpu(?::([A-Za-z][^:]*))?(?::(\d+))?", part.strip())
        if match:
            found[match[1]] = found.get(match[1], 0) + int(match[2] or 1)
    return found
