"""``environments:``: what a session runs in."""

from __future__ import annotations

from pathlib import Path

from nearfield.config._base import AbsolutePath, ConfigModel


class MountConfig(ConfigModel):
    """A folder that the site binds into an image besides the storages."""

    source: AbsolutePath
    target: AbsolutePath | None = None
    read_only: bool = True
    required: bool = True


class EnvironmentConfig(ConfigModel):
    """What a session runs in: an Apptainer image, or the node's own runtime."""

    title: str = ""
    image: AbsolutePath | None = None
    server: tuple[str, ...] = ("jupyterhub-singleuser",)
    """Program and arguments of the server; with an image, as seen inside it."""
    apptainer: AbsolutePath = Path("/usr/bin/apptainer")
    mounts: tuple[MountConfig, ...] = ()
    techniques: tuple[str, ...] = ()
    """Techniques that it is made for; empty: any."""
