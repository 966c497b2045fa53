"""``clusters:`` and ``launcher:``: the schedulers, and how to speak to them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from nearfield.config._base import AbsolutePath, ConfigModel


class Cluster(ConfigModel):
    """One scheduler and how to speak to it."""

    scheduler: Literal["slurm", "local"] = "slurm"
    submitter: Literal["direct", "sudo"] = "direct"
    """``direct``: as the account that asks. ``sudo``: as each user, through the launcher."""
    launcher: AbsolutePath | None = None
    """Absolute path of nearfield-launch, as named in sudoers."""
    bin: AbsolutePath = Path("/usr/bin")
    """Folder of sbatch, squeue, scancel, sacct."""
    conf: Path | None = None
    """SLURM_CONF, where it is not the host's default."""
    node_address: str = "{node}"
    """How the hub reaches a node; ``{node}`` is Slurm's name for it."""
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
        return self


class LauncherConfig(ConfigModel):
    """Whom ``nearfield-launch`` may act for."""

    group: str | None = None
    """Only members of this Unix group. None refuses everybody."""
    min_uid: int = Field(default=1000, ge=1000)
    audit_log: Path | None = None
    """A file that every user may append to; sudo's own log remains the one to trust."""
