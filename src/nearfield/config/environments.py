"""``environments:`` and ``runtime:``: what a session runs in.

Four kinds. An image with the server inside (``server: image``); an image that holds a kernel alone,
with the server on the node from the site's own ``runtime`` (``server: site``); environment
modules; a virtual environment. With none of these the command is run on the node as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from nearfield.config._base import AbsolutePath, ConfigModel

ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]{0,127}$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/_.~?=&%-]{0,300}$")]
SignatureRule = Literal["required", "warn", "off"]


def _bare(fingerprint: Any) -> Any:
    if isinstance(fingerprint, str):
        return fingerprint.replace(" ", "").replace(":", "").removeprefix("0x").lower()
    return fingerprint


Fingerprint = Annotated[
    str,
    BeforeValidator(_bare),
    StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$"),
]


class MountConfig(ConfigModel):
    """A folder that the site binds into an image besides the storages."""

    source: AbsolutePath
    target: AbsolutePath | None = None
    read_only: bool = True
    required: bool = True


class OnNode(ConfigModel):
    """How a program is found on a node: on PATH, in a venv, or after loading modules."""

    command: tuple[str, ...] = Field(default=("jupyterhub-singleuser",), min_length=1)
    """Program and arguments of the server."""
    venv: AbsolutePath | None = None
    """A virtual environment on storage that the nodes see."""
    modules: tuple[ModuleName, ...] = ()
    """Environment modules, loaded in this order."""
    modules_init: AbsolutePath = Path("/etc/profile.d/modules.sh")
    """The site's script that defines ``module`` for a POSIX shell."""


class RuntimeConfig(OnNode):
    """The site's own Jupyter server, for environments with ``server: site``."""


def _no_argv(given: Any) -> Any:
    if isinstance(given, list | tuple):
        raise ValueError("is 'image' or 'site'; the server's program and arguments are 'command'")
    return given


class EnvironmentConfig(OnNode):
    """What a session runs in: an Apptainer image, modules, a venv, or the node as it is."""

    title: str = ""
    description: str = ""
    image: AbsolutePath | None = None
    server: Annotated[Literal["image", "site"], BeforeValidator(_no_argv)] = "image"
    """With an image: the server runs inside it, or on the node from the site's ``runtime``."""
    kernel: tuple[str, ...] = Field(default=("python3", "-m", "ipykernel_launcher"), min_length=1)
    """Program and arguments of the kernel inside the image; its program runs the user's layer."""
    apptainer: AbsolutePath = Path("/usr/bin/apptainer")
    mounts: tuple[MountConfig, ...] = ()
    techniques: tuple[str, ...] = ()
    """Techniques that it is made for; empty: those of the image's card, or any."""
    kernels: tuple[str, ...] = ()
    """Kernels that it has, as shown; empty: those of the image's card."""
    default_url: UrlPath | None = None
    """What a session opens first; wins over JupyterHub's own setting."""
    layer: bool = False
    """A folder of the user's own for ``pip install``, kept from session to session."""
    signature: SignatureRule = "off"
    signers: tuple[Fingerprint, ...] = ()
    """Keys that may have signed the image; empty: any of the keyring."""
    keyring: AbsolutePath | None = None
    """A folder of public keys that root alone can change."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.image is None:
            for name in ("server", "kernel", "layer", "signature", "signers", "keyring"):
                if name in self.model_fields_set and getattr(self, name) not in {False, "off"}:
                    raise ValueError(f"{name} is for an image, and there is no image")
        elif self.venv is not None or self.modules:
            raise ValueError("an image and venv or modules exclude each other")
        elif self.server == "site" and "command" in self.model_fields_set:
            raise ValueError("with 'server: site' the command is that of 'runtime'")
        if self.venv is not None and self.modules:
            raise ValueError("venv and modules exclude each other")
        if self.signature != "off" and self.keyring is None:
            raise ValueError(f"signature '{self.signature}' needs keyring, a folder of public keys")
        if self.signature == "off" and self.signers:
            raise ValueError("signers without a signature rule: set signature to required or warn")
        return self
