"""``hardware:`` against what a cluster has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from nearfield.checking.constraint import holds, words
from nearfield.checking.ends import Asked, asked
from nearfield.checking.facts import Facts, Node, Partition
from nearfield.checking.finding import Finding
from nearfield.config import HardwareConfig


def check_hardware(name: str, entry: HardwareConfig, facts: Facts) -> Iterator[Finding]:
    """Everything that ``hardware.<name>`` asks for and the cluster has not."""
    yield from _words_exist(name, entry, facts)
    partition = facts.default_partition
    if entry.partition is not None:
        partition = facts.partitions.get(entry.partition)
        if partition is None:
            yield missing(
                f"hardware.{name}.partition", "partition", entry.partition, facts.partitions
            )
    elif partition is None:
        yield Finding(
            severity="error",
            key=f"hardware.{name}",
            what="names no partition, and the cluster has no default one",
            fix=f"set partition: one of {', '.join(facts.partitions)}",
        )
    if partition is not None:
        yield from _partition_takes_it(name, entry, partition, facts)
    if entry.constraint is not None:
        yield from features_exist(f"hardware.{name}.constraint", entry.constraint, facts)
    nodes = nodes_for(facts, partition.name if partition else None, entry.constraint)
    if partition is not None and not nodes:
        if entry.constraint and set(words(entry.constraint)) <= facts.features:
            yield Finding(
                severity="error",
                key=f"hardware.{name}.constraint",
                what=f"no node of partition {partition.name} has {entry.constraint}",
                fix=f"its nodes have: {_joined(features_in(facts, partition.name))}",
            )
        return
    yield from _nodes_are_large_enough(name, entry, nodes, partition)
    if nodes and not any(node.usable for node in nodes):
        yield Finding(
            severity="warning",
            key=f"hardware.{name}",
            what=f"none of its nodes takes jobs now: {_joined(node.name for node in nodes)}",
            fix="sinfo -R says why",
        )


def nodes_for(facts: Facts, partition: str | None, constraint: str | None) -> list[Node]:
    """The nodes that a job may run on; with a constraint that nobody can judge, all."""
    return [
        node
        for node in facts.nodes
        if (partition is None or partition in node.partitions)
        and (constraint is None or holds(constraint, node.features) is not False)
    ]


def features_in(facts: Facts, partition: str | None) -> list[str]:
    """The features of the nodes of a partition."""
    return sorted(set().union(*(node.features for node in nodes_for(facts, partition, None))))


def features_exist(key: str, constraint: str, facts: Facts) -> Iterator[Finding]:
    """Is there a node with each feature that a constraint names?"""
    for word in words(constraint):
        if word not in facts.features:
            yield missing(key, "feature", word, facts.features)


def missing(
    key: str, kind: str, name: str, known: Iterable[str], severity: str = "error"
) -> Finding:
    """Something that the cluster has not, with what it has instead."""
    there = sorted(known)
    near = get_close_matches(name, there, n=1)
    fix = f"did you mean {near[0]!r}? " if near else ""
    return Finding.model_validate(
        {
            "severity": severity,
            "key": key,
            "what": f"the cluster has no {kind} {name!r}",
            "fix": f"{fix}there are: {_joined(there)}" if there else f"there is no {kind} at all",
        }
    )


def _joined(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:12]) + (", …" if len(listed) > 12 else "") or "none"


def _words_exist(name: str, entry: HardwareConfig, facts: Facts) -> Iterator[Finding]:
    for field, kind, known in (
        ("account", "account", facts.accounts),
        ("qos", "QOS", None if facts.qos_minutes is None else facts.qos_minutes.keys()),
        ("reservation", "reservation", facts.reservations),
    ):
        for value in asked(name, entry, field):
            if known is None:
                yield Finding(
                    severity="note",
                    key=value.key,
                    what=f"whether there is a {kind} {value.value!r} cannot be told from here",
                    fix=f"check as root or a Slurm operator ({'; '.join(facts.problems)})"
                    if facts.problems
                    else "check as root or a Slurm operator: the site hides it from others",
                )
            elif value.value not in known:
                # Reservations come and go: one of several to choose from may be of next week.
                passing = kind == "reservation" and ".choices." in value.key
                severity = "warning" if passing else "error"
                yield missing(value.key, kind, value.value, known, severity)


def _partition_takes_it(
    name: str, entry: HardwareConfig, partition: Partition, facts: Facts
) -> Iterator[Finding]:
    where = f"hardware.{name}.partition" if entry.partition else f"hardware.{name}"
    called = f"partition {partition.name}" + ("" if entry.partition else " (the default one)")
    if not partition.up:
        yield Finding(
            severity="warning",
            key=where,
            what=f"{called} is not up",
            fix="scontrol show partition says its state",
        )
    if partition.root_only:
        yield Finding(
            severity="error",
            key=where,
            what=f"{called} takes jobs of root alone",
            fix="choose another partition",
        )
    open_reservation = "reservation" in entry.choices.named()
    if partition.needs_reservation and entry.reservation is None and not open_reservation:
        yield Finding(
            severity="error",
            key=where,
            what=f"{called} takes jobs in a reservation only",
            fix="set reservation",
        )
    for field, allowed, denied in (
        ("account", partition.accounts, partition.denied_accounts),
        ("qos", partition.qoses, partition.denied_qoses),
    ):
        for value in asked(name, entry, field):
            if value.value in denied or (allowed is not None and value.value not in allowed):
                yield Finding(
                    severity="error",
                    key=value.key,
                    what=f"{called} does not take {field} {value.value!r}",
                    fix=f"it takes: {_joined(sorted(allowed))}" if allowed else "",
                )
    yield from _times_fit(name, entry, partition, called, facts)


def _times_fit(
    name: str, entry: HardwareConfig, partition: Partition, called: str, facts: Facts
) -> Iterator[Finding]:
    limits = [(partition.minutes, called)]
    known = facts.qos_minutes or {}
    qoses = [value.value for value in asked(name, entry, "qos")]
    limits += [(known.get(q), f"QOS {q}") for q in dict.fromkeys([*qoses, partition.qos]) if q]
    for value in asked(name, entry, "minutes"):
        for limit, whose in limits:
            if limit is not None and value.value > limit:
                yield Finding(
                    severity="error",
                    key=value.key,
                    what=f"{value.value} min, but {whose} allows {limit} min",
                    fix=f"at most {limit}",
                )


def _nodes_are_large_enough(
    name: str, entry: HardwareConfig, nodes: list[Node], partition: Partition | None
) -> Iterator[Finding]:
    if not nodes:
        return
    for field, unit, most, limit in (
        (
            "cores",
            "cores",
            max(node.cores for node in nodes),
            partition.cores if partition else None,
        ),
        (
            "memory_mb",
            "MB of memory",
            max(node.memory_mb for node in nodes),
            partition.memory_mb if partition else None,
        ),
    ):
        for value in asked(name, entry, field):
            if value.value > most:
                yield _too_much(value, unit, most, "the largest of its nodes has")
            elif limit is not None and value.value > limit:
                yield _too_much(value, unit, limit, "on each node its partition allows")
    yield from _gpus_are_there(name, entry, nodes)


def _too_much(value: Asked, unit: str, most: int, whose: str) -> Finding:
    return Finding(
        severity="error",
        key=value.key,
        what=f"{value.value} {unit}, but {whose} {most}",
        fix=f"at most {most}",
    )


def _gpus_are_there(name: str, entry: HardwareConfig, nodes: list[Node]) -> Iterator[Finding]:
    wanted = list(asked(name, entry, "gpus"))
    kinds = list(asked(name, entry, "gpu_type"))
    if not any(value.value for value in wanted):
        for kind in kinds:
            yield Finding(
                severity="warning",
                key=kind.key,
                what=f"gpu_type {kind.value} has no effect without gpus",
                fix="set gpus",
            )
        return
    there = {kind for node in nodes for kind in node.gpus if kind is not None}
    for kind in kinds:
        if kind.value not in there:
            yield missing(kind.key, "GPU of type", kind.value, there)
    fixed = entry.gpu_type if "gpu_type" not in entry.choices.named() else None
    if fixed is not None and fixed not in there:
        return  # told above
    most = max(node.gpus_of(fixed) for node in nodes)
    for value in wanted:
        if value.value > most:
            unit = f"GPUs{f' of type {fixed}' if fixed else ''}"
            yield _too_much(value, unit, most, "the largest of its nodes has")
