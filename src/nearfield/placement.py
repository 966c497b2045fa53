"""Where a set of datasets should be computed on, why, and what would cross the network.

Pure: configuration, datasets and one look at the cluster in, a :class:`Placement` out. A storage
is near where one of its ``places`` says; a place is of use only if the hardware's own partition
and constraint leave it open, and if the cluster has such a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nearfield.config import Config, Hardware, HardwareConfig, Place, ProfileConfig
from nearfield.datasets import DatasetFiles
from nearfield.scheduler.availability import Availability
from nearfield.scheduler.sessions import bound_storages, placed
from nearfield.storage import locate

Looks = Mapping[str, Availability]
"""Cluster → what is known of it. A cluster that does not answer is left out."""


@dataclass(frozen=True)
class Held:
    """What one storage holds of the chosen datasets. ``storage`` None: a path in no storage."""

    storage: str | None
    size: int
    datasets: int

    @property
    def name(self) -> str:
        return self.storage or "no storage"


@dataclass(frozen=True)
class Placement:
    """Where the job goes with one hardware, and what that means for the chosen datasets."""

    hardware: str
    cluster: str
    near: str | None
    """The storage that the job is placed next to; None: nothing is near, or there is no data."""
    place: Place | None
    """Which of the storage's places; None: the storage is near everywhere."""
    bytes_near: int
    bytes_far: int
    reason: str
    """One sentence for people."""
    datasets_far: int = 0

    @property
    def cost(self) -> tuple[int, int]:
        """Less is nearer."""
        return self.bytes_far, self.datasets_far


def held_by(config: Config, datasets: Iterable[DatasetFiles]) -> tuple[Held, ...]:
    """Which storage holds how much, most first; equals in the configuration's order."""
    sizes: dict[str | None, tuple[int, int]] = {}
    for dataset in datasets:
        storage = None if dataset.root is None else locate(config, dataset.root)[0]
        size, count = sizes.get(storage, (0, 0))
        sizes[storage] = (size + dataset.size, count + 1)
    order = [*config.storages, None]
    found = (Held(name, *sizes[name]) for name in order if name in sizes)
    return tuple(sorted(found, key=lambda held: (-held.size, -held.datasets)))


def place_job(
    config: Config,
    profile: ProfileConfig,
    hardware_name: str,
    datasets: Sequence[DatasetFiles],
    looks: Looks,
) -> Placement:
    """The best place that this hardware leaves open: the one with most bytes near."""
    entry = config.hardware[hardware_name]
    held = held_by(config, datasets)
    if not held:
        return Placement(
            hardware_name, entry.cluster, None, None, 0, 0, "no dataset chosen: any node will do"
        )
    look = looks.get(entry.cluster)
    allowed = bound_storages(config, profile)
    best: tuple[tuple[int, int], str | None, Place | None, tuple[Held, ...]] | None = None
    for near, place in _spots(config, entry, held, allowed, look):
        asked = entry if place is None else placed(entry, place)
        here = tuple(h for h in held if _is_near(config, h, entry.cluster, asked, look))
        weight = (sum(h.size for h in here), sum(h.datasets for h in here))
        if here and (best is None or weight > best[0]):
            best = (weight, near, place, here)
    _, near, place, here = best or ((0, 0), None, None, ())
    far = tuple(h for h in held if h not in here)
    return Placement(
        hardware=hardware_name,
        cluster=entry.cluster,
        near=near,
        place=place,
        bytes_near=sum(h.size for h in here),
        bytes_far=sum(h.size for h in far),
        datasets_far=sum(h.datasets for h in far),
        reason=_reason(
            here, far, place, lambda one: _why_far(config, hardware_name, one, look, place)
        ),
    )


def place_all(
    config: Config,
    profiles: Mapping[str, ProfileConfig],
    datasets: Sequence[DatasetFiles],
    looks: Looks,
) -> list[tuple[str, Placement]]:
    """Every profile and hardware with its placement, nearest first, else as configured."""
    found = [
        (name, place_job(config, profile, hardware, datasets, looks))
        for name, profile in profiles.items()
        for hardware in profile.hardware
    ]
    return sorted(found, key=lambda one: one[1].cost)


def nearest_hardware(
    config: Config, profile: ProfileConfig, datasets: Sequence[DatasetFiles], looks: Looks
) -> Placement:
    """The profile's hardware with least to carry over the network; among equals the first."""
    every = (place_job(config, profile, name, datasets, looks) for name in profile.hardware)
    return min(every, key=lambda placement: placement.cost)


# ------------------------------------------------------------------ where it could go


def _spots(
    config: Config,
    entry: HardwareConfig,
    held: Sequence[Held],
    allowed: Sequence[str],
    look: Availability | None,
) -> Iterator[tuple[str | None, Place | None]]:
    """Places that the hardware leaves open; the job may also just go where the hardware says."""
    for name in (h.storage for h in held):
        if name is None or name not in allowed:
            continue
        storage = config.storages[name]
        if not storage.places:
            yield name, None
        for place in storage.places:
            if place.cluster == entry.cluster and not _why_closed(entry, place, look):
                yield name, place
    yield None, None


def _why_closed(entry: Hardware, place: Place, look: Availability | None) -> str:
    """Why a job with this hardware cannot be sent there; "" if it can."""
    if place.partition and entry.partition and place.partition != entry.partition:
        return f"its partition is {entry.partition}, not {place.partition}"
    asked = placed(entry, place)
    if place.constraint and not _implies(asked.constraint, place.constraint):
        return f"its constraint {entry.constraint} cannot be joined with {place.constraint}"
    groups = look.of(asked.partition) if look else ()
    if groups and all(group.meets(asked.constraint) is False for group in groups):
        where = f"no node of partition {groups[0].partition}"
        both = f" and {entry.constraint}" if entry.constraint else ""
        return f"{where} has {place.constraint}{both}"
    return ""


def _implies(constraint: str | None, wanted: str) -> bool:
    """Does every node that fits ``constraint`` fit ``wanted``, as far as the words say?"""
    if constraint is None:
        return False
    return constraint == wanted or set(wanted.split("&")) <= set(constraint.split("&"))


def _is_near(
    config: Config, held: Held, cluster: str, asked: Hardware, look: Availability | None
) -> bool:
    """Will a job that asks for this surely find the storage on its node?"""
    if held.storage is None:
        return not config.storages
    storage = config.storages[held.storage]
    return not storage.places or any(
        _surely_in(place, asked, look) for place in storage.places if place.cluster == cluster
    )


def _surely_in(place: Place, asked: Hardware, look: Availability | None) -> bool:
    if place.partition is not None and place.partition != asked.partition:
        return False
    if place.constraint is None or _implies(asked.constraint, place.constraint):
        return True
    groups = look.of(asked.partition) if look else ()
    possible = [group for group in groups if group.meets(asked.constraint) is not False]
    return bool(possible) and all(group.meets(place.constraint) for group in possible)


# ------------------------------------------------------------------ why, in words


def human_size(size: int) -> str:
    """``12 GB``, as people say it."""
    value, units = float(size), ["PB", "TB", "GB", "MB", "kB"]
    unit = "bytes"
    while value >= 999.5 and units:
        value, unit = value / 1000, units.pop()
    return f"{value:.3g} {unit}"


def _reason(
    here: Sequence[Held],
    far: Sequence[Held],
    place: Place | None,
    why_far: Callable[[Held], str],
) -> str:
    parts = []
    near_size, far_size = (sum(h.size for h in some) for some in (here, far))
    if here:
        most = ", most of the data" if 0 < far_size < near_size else ""
        parts.append(f"next to {human_size(near_size)} in {_names(here)}{most}{_where(place)}")
    if far:
        told = "would have to cross the network"
        because = "; ".join(map(why_far, far))
        parts.append(f"{human_size(far_size)} in {_names(far)} {told}: {because}")
    return "; ".join(parts)


def _names(held: Sequence[Held]) -> str:
    return ", ".join(h.name for h in held)


def _where(place: Place | None) -> str:
    if place is None:
        return ""
    words = []
    if place.partition:
        words.append(f"partition {place.partition}")
    if place.constraint:
        words.append(f"nodes with {place.constraint}")
    return ", on " + ", ".join(words) if words else ""


def _why_far(
    config: Config, hardware_name: str, held: Held, look: Availability | None, place: Place | None
) -> str:
    """Why one storage is not near, as a part of a sentence."""
    if held.storage is None:
        return "it lies in none of the configured storages"
    entry, storage = config.hardware[hardware_name], config.storages[held.storage]
    here = [place for place in storage.places if place.cluster == entry.cluster]
    if not here:
        others = ", ".join(dict.fromkeys(place.cluster for place in storage.places))
        return f"{held.storage} is near cluster {others} only"
    closed = [why for one in here if (why := _why_closed(entry, one, look))]
    if len(closed) == len(here):
        return f"hardware {hardware_name} is not near {held.storage}, {closed[0]}"
    if place is not None:
        return f"{held.storage} is near other nodes"
    return f"this profile does not bind {held.storage}"
