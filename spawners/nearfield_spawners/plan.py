"""From what a user asks for to what will be submitted: every check before a job exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nearfield.catalogue import FederatedCatalogue, ServiceCatalogue
from nearfield.catalogue._drivers import TokensOf
from nearfield.config import ChoiceName, Config
from nearfield.datasets import DatasetFiles, Principal
from nearfield.errors import DatasetNotFoundError, UsageError
from nearfield.placement import Looks, Placement, nearest_hardware, place_job
from nearfield.profiles import ChosenValue, choose, choose_hardware, usable, with_choices
from nearfield.querying import Query
from nearfield.scheduler.jobspec import Chosen, DatasetLink
from nearfield.scheduler.sessions import link_of
from nearfield_spawners.catalogues import all_of, foreign_links, home_of
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
    reason: str = ""
    """Why the job goes where it goes."""


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


def pick_place(
    config: Config,
    profile: str,
    options: SpawnOptions,
    datasets: Sequence[DatasetFiles],
    looks: Looks,
) -> tuple[Chosen, Placement]:
    """What was chosen of the hardware, and where that is nearest to the datasets.

    Where the options name no hardware, it is the profile's nearest to the datasets.

    Raises:
        UsageError: an unknown hardware, or a value that is not open to choice.
    """
    entry = config.profiles[profile]
    if options.hardware is None and datasets:
        # Of those that take what else was chosen; where none does, the first says why not.
        fitting = [name for name in entry.hardware if _takes(config, name, options)]
        those = entry.model_copy(update={"hardware": tuple(fitting) or entry.hardware[:1]})
        placement = nearest_hardware(config, those, datasets, looks)
    else:
        name, _ = choose_hardware(config, entry, options.hardware)
        placement = place_job(config, entry, name, datasets, looks)
    with_choices(config.hardware[placement.hardware], options.values)
    return chosen_at(placement, options.values), placement


def _takes(config: Config, hardware: str, options: SpawnOptions) -> bool:
    try:
        with_choices(config.hardware[hardware], options.values)
    except UsageError:
        return False
    return True


def chosen_at(placement: Placement, values: Mapping[ChoiceName, ChosenValue]) -> Chosen:
    """What is submitted for a placement."""
    return Chosen(
        hardware=placement.hardware,
        values=dict(values),
        near=placement.near,
        place=placement.place,
    )


async def find_datasets(
    config: Config, pids: Sequence[str], token: str, *, tokens: TokensOf | None = None
) -> tuple[DatasetFiles, ...]:
    """The chosen datasets, found with the rights of the token's owner.

    ``tokens``: of the same user, for further sources; what the home does not have is looked for
    there, and must lie on a storage of this site.
    """
    if not pids:
        return ()
    home = home_of(config, token)
    everywhere = all_of(config, home, tokens) if tokens is not None else None
    try:
        return tuple([await _links(home, everywhere, pid) for pid in pids])
    finally:
        await (everywhere or home).aclose()


async def _links(
    home: ServiceCatalogue, everywhere: FederatedCatalogue | None, pid: str
) -> DatasetFiles:
    try:
        return await home.links(pid)
    except DatasetNotFoundError:
        if everywhere is None:
            raise
    return await foreign_links(everywhere, pid)


async def find_techniques(
    config: Config, pids: Sequence[str], token: str
) -> tuple[tuple[str, ...], ...]:
    """The techniques of each dataset that the token's owner may see, in one question."""
    catalogue = home_of(config, token)
    try:
        page = await catalogue.summaries(Query(limit=len(pids)), pids)
    finally:
        await catalogue.aclose()
    return tuple(dataset.techniques for dataset in page.datasets)


def links_for(
    config: Config, profile: str, datasets: Sequence[DatasetFiles]
) -> tuple[DatasetLink, ...]:
    """How they appear in the session. Raises UsageError for what the profile does not bind."""
    return tuple(link_of(config, config.profiles[profile], dataset) for dataset in datasets)
