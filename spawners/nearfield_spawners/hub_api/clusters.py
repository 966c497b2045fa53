"""``GET availability``: what is free, at most a minute old, of the clusters a user may use."""

from __future__ import annotations

import asyncio

from nearfield.profiles import usable
from nearfield.scheduler import Availability
from nearfield_spawners.availability import Look
from nearfield_spawners.hub_api.handler import PageHandler
from nearfield_spawners.hub_api.models import AvailabilityAnswer, ClusterShown, PartitionShown


class AvailabilityHandler(PageHandler):
    """Answers from the hub's cache; a page view adds no Slurm call to one a minute."""

    async def get(self) -> None:
        spawner = self.user_spawner()
        config = spawner.site
        allowed = usable(config, spawner.principal).values()
        names = sorted({config.hardware[h].cluster for p in allowed for h in p.hardware})
        looks = await asyncio.gather(*(spawner.live.availability(n).look() for n in names))
        shown = {name: cluster_shown(look) for name, look in zip(names, looks, strict=True)}
        self.answer(AvailabilityAnswer(clusters=shown))


def cluster_shown(look: Look) -> ClusterShown:
    """A look as the page has it: the groups of a partition added up."""
    told = look.told or Availability()
    partitions: dict[str, PartitionShown] = {}
    for group in told.groups:
        so_far = partitions.get(group.partition, PartitionShown())
        partitions[group.partition] = PartitionShown(
            cores_idle=so_far.cores_idle + group.cores_idle,
            cores_total=so_far.cores_total + group.cores,
            nodes_idle=so_far.nodes_idle + group.nodes_idle,
            nodes_total=so_far.nodes_total + group.nodes,
            gpus_idle=so_far.gpus_idle + group.gpus_idle,
            gpus_total=so_far.gpus_total + group.gpus,
            pending=told.pending.get(group.partition, 0),
        )
    return ClusterShown(
        answers=not look.message,
        as_of=look.as_of,
        partitions=partitions,
        default_partition=told.default_partition,
        message=look.message,
    )
