"""Asking a Slurm cluster what it has: at most six commands, whatever the file holds."""

from __future__ import annotations

import os
from collections.abc import Callable

from nearfield.checking.facts import (
    Facts,
    parse_accounts,
    parse_nodes,
    parse_partitions,
    parse_qos,
    parse_reservations,
    parse_settings,
)
from nearfield.config import Cluster
from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler.commands import Result, query_environment, run

QUERY_SECONDS = 30.0

Ask = Callable[..., Result]
"""``ask("scontrol", "show", "config")``."""


def asker(cluster: Cluster) -> Ask:
    """Runs the commands of a cluster."""

    def ask(command: str, *args: str) -> Result:
        argv = [str(cluster.bin / command), *args]
        return run(argv, env=query_environment(cluster.conf), timeout=QUERY_SECONDS)

    return ask


def ask_facts(ask: Ask) -> Facts:
    """What the cluster has.

    Raises:
        SchedulerUnavailableError: its controller does not answer. A silent accounting database
            is a problem of the facts instead: the rest can still be checked.
    """
    settings = parse_settings(_must(ask, "show", "config"))
    partitions = parse_partitions(_must(ask, "-a", "-o", "show", "partition"))
    nodes = parse_nodes(_must(ask, "-a", "-o", "show", "node"))
    reservations = parse_reservations(_must(ask, "-o", "show", "reservation"))
    private = frozenset(settings.get("PrivateData", "none").lower().split(",")) - {"none"}
    if os.geteuid() == 0:
        private = frozenset()  # nothing is hidden from root
    qos, accounts, problems = None, None, []
    try:
        qos = parse_qos(_accounting(ask, "list", "qos", "format=name,maxwall"))
        accounts = parse_accounts(_accounting(ask, "list", "account", "format=account"))
    except SchedulerUnavailableError as error:
        problems.append(f"accounts and QOS cannot be looked up: {error.message}")
    return Facts(
        partitions=partitions,
        nodes=nodes,
        reservations=None if "reservations" in private else reservations,
        qos_minutes=qos,
        accounts=None if "accounts" in private else accounts,
        private=private,
        problems=tuple(problems),
    )


def _must(ask: Ask, *args: str) -> str:
    done = ask("scontrol", *args)
    if done.code != 0:
        raise SchedulerUnavailableError(f"scontrol: {done.words}")
    return done.out


def _accounting(ask: Ask, *args: str) -> str:
    done = ask("sacctmgr", "-nP", *args)
    if done.code != 0:
        raise SchedulerUnavailableError(f"sacctmgr: {done.words}")
    return done.out
