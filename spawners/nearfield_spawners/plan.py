"""From what a user asks for to what will be submitted: every check before a job exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nearfield.catalogue import ServiceCatalogue
from nearfield.config import Config
from nearfield.datasets import Principal
from nearfield.errors import BlockedError, DatasetNotPermittedError, UsageError
from nearfield.profiles import choose, choose_hardware, usable, with_choices
from nearfield.scheduler import PathAccess, Scheduler
from nearfield.scheduler.jobspec import Chosen, DatasetLink
from nearfield.scheduler.sessions import link_of
from nearfield_spawners.options import SpawnOptions


@dataclass(frozen=True)
class Plan:
    """A start that passed every check that can be made from the hub."""

    profile: str
    chosen: Chosen
    cluster: str
    links: tuple[DatasetLink, ...]
    undecided: tuple[str, ...] = ()
    """Paths whose rights only the node can tell."""


def pick_profile(config: Config, user: Principal, options: SpawnOptions) -> str:
    """The profile asked for, or the only one there is."""
    if options.profile is not None:
        choose(config, user, options.profile)
        return options.profile
    allowed = usable(config, user)
    if len(allowed) != 1:
        raise UsageError(
            "no profile chosen" if allowed else "no profile is open to you",
            hint=f"choose one of: {', '.join(allowed)}" if allowed else "ask the administrators",
        )
    return next(iter(allowed))


def pick_hardware(config: Config, profile: str, options: SpawnOptions) -> tuple[str, Chosen]:
    """The cluster, and what was chosen of it. Raises UsageError for what is not open to choice."""
    name, hardware = choose_hardware(config, config.profiles[profile], options.hardware)
    with_choices(hardware, options.values)
    return hardware.cluster, Chosen(hardware=name, values=options.values)


def user_catalogue(config: Config, token: str) -> ServiceCatalogue:
    """The catalogue with the rights of the token's owner, through the shared service."""
    if not config.catalogue.url:
        raise BlockedError(
            "datasets cannot be chosen here: this hub has no catalogue service",
            hint="set catalogue.url in nearfield.yaml",
        )
    return ServiceCatalogue(config.catalogue.url, token, name=config.catalogue.name)


async def resolve(
    config: Config, profile: str, pids: Sequence[str], token: str
) -> tuple[DatasetLink, ...]:
    """The chosen datasets as links, found with the user's own rights."""
    if not pids:
        return ()
    catalogue = user_catalogue(config, token)
    try:
        found = [await catalogue.links(pid) for pid in pids]
    finally:
        await catalogue.aclose()
    return tuple(link_of(config, config.profiles[profile], dataset) for dataset in found)


async def check_rights(
    scheduler: Scheduler, user: str, links: Sequence[DatasetLink]
) -> tuple[str, ...]:
    """Refuse what the account may not read; return the paths that only the node can tell.

    Raises:
        DatasetNotPermittedError: names dataset and path.
    """
    if not links:
        return ()
    roots = {link.files[0]: link for link in links}
    answers = await scheduler.access(user, roots)
    for path, link in roots.items():
        if answers.get(path) is PathAccess.NO:
            raise DatasetNotPermittedError(
                f"dataset {link.pid}: the account {user!r} may not read {path}",
                hint="ask the dataset's owner for access on the file system",
            )
    return tuple(p for p in roots if answers.get(p, PathAccess.UNKNOWN) is PathAccess.UNKNOWN)
