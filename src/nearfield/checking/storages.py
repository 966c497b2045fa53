"""``storages:`` against what a cluster has."""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.checking.constraint import words
from nearfield.checking.facts import Facts
from nearfield.checking.finding import Finding
from nearfield.checking.hardware import features_exist, features_in, missing, nodes_for
from nearfield.config import Config, Place
from nearfield.scheduler.sessions import bound_storages, placed
from nearfield.storage import place_in


def check_storages(config: Config, cluster: str, facts: Facts) -> Iterator[Finding]:
    """The places of each storage, and whether profiles can be placed there."""
    for name, storage in config.storages.items():
        for number, place in enumerate(storage.places):
            if place.cluster == cluster:
                yield from _place_exists(f"storages.{name}.places.{number}", place, facts)
    yield from _profiles_reach_them(config, cluster, facts)


def _place_exists(key: str, place: Place, facts: Facts) -> Iterator[Finding]:
    if place.partition is not None and place.partition not in facts.partitions:
        yield missing(f"{key}.partition", "partition", place.partition, facts.partitions)
        return
    if place.constraint is None:
        return
    yield from features_exist(f"{key}.constraint", place.constraint, facts)
    known = set(words(place.constraint)) <= facts.features
    if known and not nodes_for(facts, place.partition, place.constraint):
        where = f"of partition {place.partition} " if place.partition else ""
        yield Finding(
            severity="error",
            key=f"{key}.constraint",
            what=f"no node {where}has {place.constraint}",
            fix=f"they have: {', '.join(features_in(facts, place.partition)) or 'none'}",
        )


def _profiles_reach_them(config: Config, cluster: str, facts: Facts) -> Iterator[Finding]:
    default = facts.default_partition.name if facts.default_partition else None
    for name, profile in config.profiles.items():
        for storage in bound_storages(config, profile):
            place = place_in(config.storages[storage], cluster)
            if place is None or not nodes_for(facts, place.partition, place.constraint):
                continue  # near everywhere, or nowhere: told above
            offered = [
                (key, entry)
                for key in profile.hardware
                if (entry := config.hardware[key]).cluster == cluster
            ]
            for _, entry in offered:
                asked = placed(entry, place)
                partition = asked.partition or default
                if nodes_for(facts, partition, asked.constraint):
                    break
            else:
                if offered:
                    yield Finding(
                        severity="warning",
                        key=f"profiles.{name}.hardware",
                        what=f"none of its hardware has a node near storage {storage!r}",
                        fix="offer one that has, or leave the storage out of the profile's list",
                    )
