"""The whole of ``nearfield.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from nearfield.config._base import ConfigModel, Name
from nearfield.config.addresses import is_below
from nearfield.config.catalogue import CatalogueConfig, Storage
from nearfield.config.clusters import Cluster, LauncherConfig
from nearfield.config.environments import EnvironmentConfig, RuntimeConfig
from nearfield.config.hardware import HardwareConfig
from nearfield.config.identity import IdentityConfig
from nearfield.config.profiles import ProfileConfig, SessionsConfig
from nearfield.config.sources import Source


class Config(ConfigModel):
    """The whole of ``nearfield.yaml``."""

    catalogue: CatalogueConfig = CatalogueConfig()
    catalogues: dict[Name, Source] = Field(default_factory=dict)
    """Further sources of datasets, searched together with ``catalogue``."""
    storages: dict[Name, Storage] = Field(default_factory=dict)
    clusters: dict[Name, Cluster] = Field(
        default_factory=lambda: {"local": Cluster(scheduler="local")}
    )
    environments: dict[Name, EnvironmentConfig] = Field(
        default_factory=lambda: {"default": EnvironmentConfig(title="This Python environment")}
    )
    runtime: RuntimeConfig | None = None
    """The server of environments with ``server: site``."""
    hardware: dict[Name, HardwareConfig] = Field(
        default_factory=lambda: {"local": HardwareConfig(title="This machine", cluster="local")}
    )
    profiles: dict[Name, ProfileConfig] = Field(
        default_factory=lambda: {
            "default": ProfileConfig(title="Default", environment="default", hardware=("local",))
        }
    )
    sessions: SessionsConfig = SessionsConfig()
    templates: tuple[Path, ...] = ()
    """Folders of template folders, searched before the ones that come with Nearfield."""
    identity: IdentityConfig = IdentityConfig()
    launcher: LauncherConfig = LauncherConfig()

    @model_validator(mode="after")
    def _references(self) -> Self:
        problems = []
        for name, profile in self.profiles.items():
            if profile.environment not in self.environments:
                problems.append(
                    f"profiles.{name}.environment: no environment {profile.environment!r}; "
                    f"there are: {', '.join(self.environments)}"
                )
            problems += [
                f"profiles.{name}.hardware: no hardware {hardware!r}; "
                f"there is: {', '.join(self.hardware)}"
                for hardware in profile.hardware
                if hardware not in self.hardware
            ]
            for storage in profile.storages or ():
                if storage not in self.storages:
                    problems.append(f"profiles.{name}.storages: no storage {storage!r}")
        problems += [
            f"environments.{name}.server: 'site' needs the key runtime, the site's own server"
            for name, environment in self.environments.items()
            if environment.server == "site" and self.runtime is None
        ]
        for name, hardware in self.hardware.items():
            if hardware.cluster not in self.clusters:
                problems.append(f"hardware.{name}.cluster: no cluster {hardware.cluster!r}")
        for name, place_of in self.storages.items():
            for place in place_of.places:
                if place.cluster not in self.clusters:
                    problems.append(f"storages.{name}.places: no cluster {place.cluster!r}")
        if self.catalogue.name in self.catalogues:
            problems.append(f"catalogues.{self.catalogue.name}: the name of `catalogue` itself")
        if problem := self._catalogue_elsewhere():
            problems.append(problem)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _catalogue_elsewhere(self) -> str | None:
        """Each session is handed ``catalogue.url``, so the launcher would refuse them all."""
        url, hubs = self.catalogue.url, self.launcher.hub_urls
        if url is None or hubs is None or is_below(url, hubs):
            return None
        return (
            f"catalogue.url: {url!r} is not below launcher.hub_urls ({', '.join(hubs)}), "
            "and sessions may send their tokens nowhere else: scheme, host and port must be alike"
        )
