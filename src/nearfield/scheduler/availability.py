"""What a cluster has and what of it is free, and when a job may start: as data."""

from __future__ import annotations

import re
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

_WORD = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeGroup(_Model):
    """Nodes of one partition that are alike."""

    partition: str
    nodes: int = Field(ge=0)
    nodes_idle: int = Field(default=0, ge=0)
    cores: int = Field(default=0, ge=0)
    cores_idle: int = Field(default=0, ge=0)
    gpus: int = Field(default=0, ge=0)
    gpus_idle: int = Field(default=0, ge=0)
    features: frozenset[str] = frozenset()

    def meets(self, constraint: str | None) -> bool | None:
        """Does a job with this constraint run here? None: the constraint cannot be read.

        Words joined by ``&`` alone or by ``|`` alone are read: those that sites write for storages.
        """
        if constraint is None:
            return True
        for sign, enough in (("&", all), ("|", any)):
            words = constraint.split(sign)
            if all(_WORD.fullmatch(word) for word in words):
                return enough(word in self.features for word in words)
        return None


class Availability(_Model):
    """One look at a whole cluster."""

    groups: tuple[NodeGroup, ...] = ()
    default_partition: str | None = None
    pending: dict[str, int] = Field(default_factory=dict)
    """Jobs that wait, by partition; those that the asking account may see."""
    last_start: dict[str, datetime] = Field(default_factory=dict)
    """The latest start that the scheduler expects for any of them, by partition."""

    def of(self, partition: str | None) -> tuple[NodeGroup, ...]:
        """The nodes of a partition, the default one where none is named; empty: not known."""
        name = self.default_partition if partition is None else partition
        return tuple(group for group in self.groups if group.partition == name)


class StartRange(_Model):
    """When a job may start: not before ``earliest``; probably by ``latest``, if anybody can say."""

    earliest: datetime
    latest: datetime | None = None
