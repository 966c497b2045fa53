"""``clusters:`` and ``launcher:``: the schedulers, and how to speak to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from nearfield.config._base import AbsolutePath, ConfigModel
from nearfield.config.addresses import origin_and_path

# Each becomes an argument, or a part of one, of ssh, which splits some of its options at blanks
# and expands % and ~ in them.
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]{0,31}$")]


def _plain(path: Path) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9._/+@-]+", str(path)):
        raise ValueError("may hold letters, digits and ._/+@- only")
    return path


PlainPath = Annotated[AbsolutePath, AfterValidator(_plain)]


def _hub_url(url: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/@-]*)?", url):
        raise ValueError("must be http(s)://HOST[:PORT][/PATH], nothing else")
    if origin_and_path(url) is None:
        raise ValueError("has no valid host and port, or '.' components in its path")
    return url


HubUrl = Annotated[str, AfterValidator(_hub_url)]


class SshConfig(ConfigModel):
    """The gateway account on a submit host."""

    host: HostName
    user: AccountName
    """The gateway account. Its only key starts nearfield.gateway and nothing else."""
    port: int = Field(default=22, ge=1, le=65535)
    key: PlainPath
    """Private key of the hub's account, without a passphrase."""
    known_hosts: PlainPath
    """The submit host's key. No other host is spoken to, and none is learned."""


class Ports(ConfigModel):
    """The ports that sessions may listen on."""

    least: int = Field(ge=1024, le=65535)
    most: int = Field(ge=1024, le=65535)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError("least is above most")
        return self

    def __contains__(self, port: int) -> bool:
        return self.least <= port <= self.most


class Cluster(ConfigModel):
    """One scheduler and how to speak to it."""

    scheduler: Literal["slurm", "local"] = "slurm"
    submitter: Literal["direct", "sudo", "ssh"] = "direct"
    """``direct``: as the account that asks. ``sudo``: as each user, through the launcher. ``ssh``:
    the same on a submit host, for a hub machine without Slurm."""
    ssh: SshConfig | None = None
    launcher: AbsolutePath | None = None
    """Absolute path of nearfield-launch, as named in sudoers."""
    bin: AbsolutePath = Path("/usr/bin")
    """Folder of sbatch, squeue, scancel, sacct."""
    conf: Path | None = None
    """SLURM_CONF, where it is not the host's default."""
    node_address: str = "{node}"
    """How the hub reaches a node; ``{node}`` is Slurm's name for it."""
    ports: Ports | None = None
    """Sessions listen on these ports only, as a firewall may want it; without: on any free one."""
    bind: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9.:{}-]{0,252}$|^::$")
    ] = "0.0.0.0"  # noqa: S104 - compute nodes are reached over the cluster network
    """Address that sessions listen on. A name, with ``{node}`` in it, is looked up on the node."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """How often the queue is looked at while somebody waits for a job to start or end."""
    idle_poll_seconds: float = Field(default=30.0, gt=0)
    """How often otherwise."""
    when_down: Literal["refuse", "wait"] = "refuse"
    """A start while the scheduler does not answer: refused with the reason, or tried again until
    the hub's start_timeout."""
    state: Path | None = None
    """``local`` only: where running jobs are remembered."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.submitter == "sudo" and self.launcher is None:
            raise ValueError("submitter 'sudo' needs launcher, an absolute path")
        if self.submitter == "ssh" and self.ssh is None:
            raise ValueError("submitter 'ssh' needs ssh: host, user, key, known_hosts")
        return self


class LauncherConfig(ConfigModel):
    """Whom ``nearfield-launch`` may act for."""

    group: str | None = None
    """Only members of this Unix group. None refuses everybody."""
    min_uid: int = Field(default=1000, ge=1000)
    hub_urls: tuple[HubUrl, ...] | None = None
    """Where sessions may report and send their tokens: these addresses and what is below them."""
    audit_log: Path | None = None
    """A file that every user may append to; sudo's own log remains the one to trust."""
