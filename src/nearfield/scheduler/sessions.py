"""The JobSpec that a profile makes.

:func:`session_spec` is the only place where a session's JobSpec is made. The hub calls it to
submit; the launcher calls it again with its own, root-owned configuration and refuses a spec
that differs (:mod:`nearfield.scheduler.policy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from pydantic import SecretStr

from nearfield.config import (
    Config,
    EnvironmentConfig,
    Hardware,
    OnNode,
    Place,
    ProfileConfig,
    for_sessions,
)
from nearfield.datasets import DatasetFiles
from nearfield.errors import UnknownNameError, UsageError
from nearfield.profiles import choose_hardware, with_choices
from nearfield.scheduler.jobspec import (
    Chosen,
    DatasetLink,
    JobSpec,
    Mount,
    Runtime,
    SessionTask,
    Signature,
    why_not_linked,
)
from nearfield.storage import locate, near, place_in


def bound_storages(config: Config, profile: ProfileConfig) -> tuple[str, ...]:
    """Names of the storages that this profile may bind."""
    return tuple(config.storages) if profile.storages is None else profile.storages


def hardware_of(config: Config, profile: ProfileConfig, chosen: Chosen) -> tuple[str, Hardware]:
    """The cluster, and what is asked of it.

    Raises:
        UnknownNameError: the profile has no such hardware or storage.
        UsageError: a value is outside the limits.
    """
    _, entry = choose_hardware(config, profile, chosen.hardware or None)
    hardware = with_choices(entry, chosen.values)
    if chosen.near is None:
        return entry.cluster, hardware
    names = bound_storages(config, profile)
    if chosen.near not in names:
        raise UnknownNameError("storage", chosen.near, names)
    storage = config.storages[chosen.near]
    if (place := chosen.place) is None:
        place = place_in(storage, entry.cluster)
    elif place not in storage.places or place.cluster != entry.cluster:
        raise UsageError(
            f"storage {chosen.near} has no such place in cluster {entry.cluster}",
            hint="do hub and launcher read the same storages?",
        )
    return entry.cluster, hardware if place is None else placed(hardware, place)


def placed(hardware: Hardware, place: Place) -> Hardware:
    """``hardware`` on the nodes of ``place``: only what the hardware leaves open is added."""
    added: dict[str, str] = {}
    if hardware.partition is None and place.partition is not None:
        added["partition"] = place.partition
    if place.constraint is not None:
        if hardware.constraint is None:
            added["constraint"] = place.constraint
        elif _SIMPLE.fullmatch(hardware.constraint) and _SIMPLE.fullmatch(place.constraint):
            both = [*hardware.constraint.split("&"), *place.constraint.split("&")]
            added["constraint"] = "&".join(dict.fromkeys(both))
    return hardware.model_copy(update=added)


# Features joined by "and": two of these can be joined to one.
_SIMPLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.&-]*")


def mounts_of(
    config: Config, profile: ProfileConfig, cluster: str, links: Iterable[DatasetLink] = ()
) -> tuple[Mount, ...]:
    """The environment's own folders, then each allowed storage at its original path.

    That is those that are near the cluster, and those of the chosen datasets.
    """
    chosen = {locate(config, link.files[0])[0] for link in links}
    environment = config.environments[profile.environment]
    mounts = [
        Mount(
            source=str(m.source),
            target=str(m.target or m.source),
            read_only=m.read_only,
            required=m.required,
        )
        for m in environment.mounts
    ]
    # One inside another comes after it: what is bound later lies on top.
    outer_first = sorted(
        bound_storages(config, profile), key=lambda name: len(config.storages[name].prefix.parts)
    )
    for name in outer_first:
        storage = config.storages[name]
        if name in chosen or near(storage, cluster):
            # Not every node of a cluster has every storage: a missing one is left out there.
            mounts.append(
                Mount(
                    source=str(storage.prefix),
                    target=str(storage.prefix),
                    read_only=storage.read_only,
                    required=False,
                )
            )
    return tuple(mounts)


def signature_of(environment: EnvironmentConfig) -> Signature | None:
    """The rule for the image's signature; None where none is asked for."""
    if environment.signature == "off" or environment.keyring is None:
        return None
    return Signature(
        rule=environment.signature,
        signers=environment.signers,
        keyring=str(environment.keyring),
    )


def link_of(config: Config, profile: ProfileConfig, dataset: DatasetFiles) -> DatasetLink:
    """How a chosen dataset appears under ``$NEARFIELD_DATA``.

    Raises:
        UsageError: the dataset has no files, lies outside the profile's storages, or its record
            has paths that no link can be made for.
    """
    link = linked(dataset)
    if config.storages:
        allowed = bound_storages(config, profile)
        # The folder too: a record whose root is a storage itself has "/" for its folder.
        if not {locate(config, link.files[0])[0], locate(config, link.folder)[0]} <= set(allowed):
            raise UsageError(
                f"dataset {dataset.pid} lies at {link.files[0]!r},"
                " which this profile does not bind",
                hint=f"it binds: {', '.join(sorted(allowed)) or 'nothing'}",
            )
        bound = (path for path in link.files if locate(config, path)[0] in allowed)
        link = link.model_copy(update={"files": tuple(bound)})
    return link


def linked(dataset: DatasetFiles) -> DatasetLink:
    """The links of a dataset, wherever it lies.

    Raises:
        UsageError: the dataset has no files, or its record has paths that no link can be made for.
    """
    root = dataset.root
    if root is None:
        raise UsageError(f"dataset {dataset.pid} has no files to open")
    folder = str(PurePosixPath(root).parent)
    _must_be_linkable(dataset, folder, [root])
    # Linked files elsewhere need no link of their own: they are found at their original path.
    inside = [path for path in dataset.paths if PurePosixPath(path).is_relative_to(folder)]
    files = list(dict.fromkeys([root, *inside]))[:1000]
    _must_be_linkable(dataset, folder, files)
    return DatasetLink(pid=dataset.pid, slug=dataset.slug, folder=folder, files=tuple(files))


def _must_be_linkable(dataset: DatasetFiles, folder: str, files: Iterable[str]) -> None:
    if why := why_not_linked(folder, files):
        raise UsageError(
            f"dataset {dataset.pid} cannot be opened: {why}",
            hint="its catalogue record is wrong: tell who runs the catalogue",
        )


def session_spec(
    config: Config,
    *,
    name: str,
    user: str,
    profile_name: str,
    datasets: Iterable[DatasetLink] = (),
    environment: Mapping[str, str] | None = None,
    callback_url: str | None = None,
    chosen: Chosen | None = None,
) -> JobSpec:
    """The JobSpec of a session. Everything but names, links and environment is the profile's.

    Raises:
        UnknownNameError: no such profile, hardware or storage.
        UsageError: a chosen value is outside the profile's limits.
    """
    if profile_name not in config.profiles:
        raise UnknownNameError("profile", profile_name, config.profiles)
    profile = config.profiles[profile_name]
    if chosen is None or not chosen.hardware:
        chosen = (chosen or Chosen()).model_copy(update={"hardware": profile.hardware[0]})
    cluster, hardware = hardware_of(config, profile, chosen)
    links = tuple(datasets)
    environment_config = config.environments[profile.environment]
    on_node: OnNode = environment_config
    if environment_config.server == "site" and config.runtime is not None:
        on_node = config.runtime
    network = config.clusters[cluster]
    ports = network.ports
    return JobSpec(
        name=name,
        cluster=cluster,
        user=user,
        profile=profile_name,
        chosen=chosen,
        hardware=hardware,
        task=SessionTask(
            image=str(environment_config.image) if environment_config.image else None,
            apptainer=str(environment_config.apptainer) if environment_config.image else None,
            server=environment_config.server,
            command=on_node.command,
            kernel=environment_config.kernel,
            runtime=Runtime(
                venv=str(on_node.venv) if on_node.venv else None,
                modules=on_node.modules,
                modules_init=str(on_node.modules_init),
            ),
            environment_name=profile.environment,
            title=environment_config.title or profile.environment,
            default_url=environment_config.default_url or "",
            layer=environment_config.layer,
            warn_minutes=config.sessions.warn_minutes,
            grace_seconds=config.sessions.grace_seconds,
            signature=signature_of(environment_config),
            mounts=mounts_of(config, profile, cluster, links),
            datasets=links,
            sources=for_sessions(config),
            environment={k: SecretStr(v) for k, v in (environment or {}).items()},
            callback_url=callback_url,
            bind_address=network.bind,
            ports=(ports.least, ports.most) if ports else None,
            slurm=str(network.bin) if network.scheduler == "slurm" else None,
            workers=profile.workers,
        ),
    )
