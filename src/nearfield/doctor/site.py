"""What all checks look at: the configuration, who asks, and ways to ask Slurm and the user."""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nearfield.config import Cluster, Config
from nearfield.errors import NearfieldError, SchedulerError
from nearfield.scheduler.commands import Result, query_environment, run
from nearfield.scheduler.examination import Examination

SLURM_SECONDS = 10.0

Runner = Callable[[Sequence[str], Mapping[str, str]], Result]
ThereRunner = Callable[[str, Cluster, Sequence[str]], Result]
AskUser = Callable[[str, Cluster, str, Config], Examination]


def run_command(argv: Sequence[str], env: Mapping[str, str]) -> Result:
    """Run a command. Raises SchedulerUnavailableError if it is not there or does not end."""
    return run(argv, env=env, timeout=SLURM_SECONDS)


def run_on_submit_host(name: str, cluster: Cluster, argv: Sequence[str]) -> Result:
    """The same through the gateway, which passes reading commands on."""
    from nearfield.scheduler.ssh import SshSubmitter
    from nearfield.scheduler.submitters import open_submitter

    submitter = open_submitter(name, cluster)
    if not isinstance(submitter, SshSubmitter):
        raise SchedulerError(f"{name} has no submit host")
    return asyncio.run(submitter.queries.ask(*argv, seconds=SLURM_SECONDS))


def ask_user(cluster_name: str, cluster: Cluster, user: str, config: Config) -> Examination:
    """What the account finds, asked as the configuration says, or directly if it is our own."""
    from nearfield.scheduler.examination import examine
    from nearfield.scheduler.submitters import open_submitter

    if pwd.getpwuid(os.geteuid()).pw_name == user:
        return examine(config)
    return asyncio.run(open_submitter(cluster_name, cluster).examine(user, config))


def _resolve(host: str) -> object:
    return socket.getaddrinfo(host, None)


@dataclass
class Site:
    """One round of the doctor. Everything that reaches out can be replaced in tests."""

    config: Config
    source: Path | None = None
    """The file that the configuration came from."""
    user: str | None = None
    hub: str | None = None
    """The hub's account, where the doctor is somebody else (root)."""
    run: Runner = run_command
    run_there: ThereRunner = run_on_submit_host
    ask: AskUser = ask_user
    resolve: Callable[[str], object] = _resolve
    uid: int = field(default_factory=os.geteuid)
    me: str = field(default_factory=getpass.getuser)
    _asked: dict[str, Examination | NearfieldError] = field(default_factory=dict)
    _conf: dict[str, dict[str, str]] = field(default_factory=dict)

    @cached_property
    def hub_account(self) -> str | None:
        """Whose sudo rule and Slurm rights matter. Root is never the hub."""
        return self.hub or (self.me if self.uid != 0 else None)

    @property
    def slurm_clusters(self) -> dict[str, Cluster]:
        return {n: c for n, c in self.config.clusters.items() if c.scheduler == "slurm"}

    def slurm(self, name: str, command: str, *args: str) -> Result:
        """One of Slurm's commands, as this account, or as the gateway's on a submit host.

        Raises:
            SchedulerError: it cannot be run, does not end, or is not passed on.
        """
        cluster = self.slurm_clusters[name]
        if cluster.submitter == "ssh":
            return self.run_there(name, cluster, (command, *args))
        return self.run([str(cluster.bin / command), *args], query_environment(cluster.conf))

    def slurm_config(self, name: str) -> dict[str, str]:
        """``scontrol show config`` of a cluster, asked once.

        Raises:
            SchedulerError: it does not answer.
        """
        if name not in self._conf:
            told = self.slurm(name, "scontrol", "show", "config")
            if told.code != 0:
                raise SchedulerError(f"scontrol: {told.words}")
            self._conf[name] = read_slurm_config(told.out)
        return self._conf[name]

    def examination(self, name: str | None = None) -> Examination:
        """What the user's account finds on the host where jobs are submitted, asked once.

        Raises:
            NearfieldError: nobody can be asked as that account.
        """
        if self.user is None:
            raise SchedulerError("no user given")
        clusters = self.slurm_clusters or self.config.clusters
        name = name or next(iter(clusters))
        if name not in self._asked:
            try:
                self._asked[name] = self.ask(name, clusters[name], self.user, self.config)
            except NearfieldError as error:
                self._asked[name] = error
        answer = self._asked[name]
        if isinstance(answer, NearfieldError):
            raise answer
        return answer


def read_slurm_config(text: str) -> dict[str, str]:
    """``Key = value`` lines; the time in the first line comes as ``as_of``."""
    found = {}
    for line in text.splitlines():
        if line.startswith("Configuration data as of "):
            found["as_of"] = line.removeprefix("Configuration data as of ").strip()
        elif "=" in line:
            key, value = line.split("=", 1)
            found.setdefault(key.strip(), value.strip())
    return found
