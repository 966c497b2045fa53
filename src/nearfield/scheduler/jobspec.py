"""A job as data: everything that sbatch, or a process on this machine, needs.

A JobSpec holds names, numbers and paths only. It is rendered in one place
(:mod:`nearfield.scheduler.render`), after the launcher has held it against the root-owned
profiles (:mod:`nearfield.scheduler.policy`). Patterns below are wide enough for what sites use
and narrow enough that no value can be more than one argument of ``sbatch``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from nearfield.config import ChoiceName, Hardware, Place, SignatureRule, SlurmWord

MAX_PATH = 4096


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path or ".." in PurePosixPath(path).parts:
        raise ValueError("must be an absolute path without '..'")
    return path


JobName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]{0,31}$")]
AbsolutePath = Annotated[str, StringConstraints(max_length=MAX_PATH), AfterValidator(_absolute)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mount(_Model):
    """A folder of the node, seen in the image at ``target``."""

    source: AbsolutePath
    target: AbsolutePath
    read_only: bool = True
    required: bool = True
    """False: left out on a node that does not have ``source``."""


class DatasetLink(_Model):
    """A chosen dataset: ``$NEARFIELD_DATA/<slug>/`` will hold links to these files."""

    pid: str
    slug: Slug
    folder: AbsolutePath
    """The folder that holds the root file: links keep their path relative to it."""
    files: tuple[AbsolutePath, ...] = Field(min_length=1, max_length=1000)


def why_not_linked(folder: str, files: Iterable[str]) -> str:
    """Why no links may be made for these files below ``folder``; "" if they may.

    The paths are a catalogue's word. One that is a parent of another would have the second link
    made through the first, in a folder of somebody else's choice.
    """
    paths = list(files)
    for path in (folder, *paths):
        if why := _why_no_path(path):
            return f"{_shown(path)} {why}"
    start, named = folder.rstrip("/") + "/", set(paths)
    for path in paths:
        if not path.startswith(start) or path == start:
            return f"{_shown(path)} is not in {_shown(folder)}"
    for path in paths:
        for parent in PurePosixPath(path).parents:
            if str(parent) in named:
                return f"{_shown(path)} lies below {_shown(str(parent))}, which is a file too"
    return ""


def _why_no_path(path: str) -> str:
    if not path.startswith("/") or path.startswith("//"):
        return "is not absolute"
    if len(path) > MAX_PATH:
        return f"is longer than {MAX_PATH} characters"
    if "\0" in path:
        return "holds a NUL"
    if path != "/" and any(part in {"", ".", ".."} for part in path[1:].split("/")):
        return "has empty, '.' or '..' components"
    return ""


def _shown(path: str) -> str:
    return repr(path if len(path) <= 300 else path[:300] + "…")


class Runtime(_Model):
    """Where a program on the node itself comes from."""

    venv: AbsolutePath | None = None
    modules: tuple[str, ...] = ()
    modules_init: AbsolutePath = "/etc/profile.d/modules.sh"


class Signature(_Model):
    """Who must have signed the image; the node's word about it is final."""

    rule: SignatureRule
    signers: tuple[str, ...] = ()
    keyring: AbsolutePath


class SessionTask(_Model):
    """A Jupyter server for a user, in an image or on the node's own runtime."""

    kind: Literal["session"] = "session"
    image: AbsolutePath | None = None
    """Apptainer image; None runs the server straight on the node."""
    apptainer: AbsolutePath | None = None
    server: Literal["image", "site"] = "image"
    """With an image: the server runs inside it, or on the node with kernels inside it."""
    command: tuple[str, ...] = ("jupyterhub-singleuser",)
    """Program and fixed arguments of the server, from the site's configuration."""
    kernel: tuple[str, ...] = ("python3", "-m", "ipykernel_launcher")
    """The same of the kernel inside the image."""
    runtime: Runtime = Runtime()
    """For a server that runs on the node itself."""
    environment_name: str = ""
    title: str = ""
    """The environment, as the user knows it."""
    default_url: str = ""
    warn_minutes: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), max_length=20)
    """How long before the time limit a warning is written."""
    grace_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    """So long before the time limit the server is asked to end."""
    layer: bool = False
    """Kernels run on top of a folder of the user's own for ``pip install``."""
    signature: Signature | None = None
    mounts: tuple[Mount, ...] = ()
    datasets: tuple[DatasetLink, ...] = Field(default=(), max_length=200)
    sources: dict[str, Any] = Field(default_factory=dict)
    """Further catalogues and storages, for a session without a nearfield.yaml of its own."""
    environment: dict[EnvName, SecretStr] = Field(default_factory=dict)
    """What JupyterHub hands to the server, tokens included: written to a 0600 file only."""
    callback_url: str | None = None
    """Where the job reports its port."""
    bind_address: str = "0.0.0.0"  # noqa: S104 - compute nodes are reached over the cluster network
    """Address that the server listens on; a name with ``{node}`` is looked up on the node."""
    ports: tuple[int, int] | None = None
    """The first and the last port that it may listen on."""
    slurm: AbsolutePath | None = None
    """Folder of Slurm's commands on the node, for worker jobs; None where there is no Slurm."""
    workers: Annotated[int, Field(ge=0, le=500)] = 0
    """Worker jobs that the session may have at a time."""


class CommandTask(_Model):
    """A plain command, run straight on the node. Never accepted by the launcher."""

    kind: Literal["command"] = "command"
    argv: tuple[str, ...] = Field(min_length=1)
    environment: dict[EnvName, SecretStr] = Field(default_factory=dict)


class Chosen(_Model):
    """What was chosen of a profile. The launcher makes the hardware from it once more."""

    hardware: Annotated[str, StringConstraints(max_length=63)] = ""
    """Name of the hardware."""
    values: dict[ChoiceName, Annotated[int, Field(strict=True)] | SlurmWord] = Field(
        default_factory=dict
    )
    """Its choices."""
    near: Annotated[str, StringConstraints(max_length=63)] | None = None
    """The storage that the job is placed next to."""
    place: Place | None = None
    """Which of that storage's places; None: its first in the cluster."""


class JobSpec(_Model):
    """One job. ``name`` is unique (it holds a nonce) and is how a lost submit is found again."""

    name: JobName
    cluster: SlurmWord
    user: UserName
    profile: str
    chosen: Chosen = Chosen()
    hardware: Hardware = Hardware()
    """What ``chosen`` comes to."""
    task: Annotated[SessionTask | CommandTask, Field(discriminator="kind")]
    comment: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ._:=-]{0,200}$")] = ""

    def wire_json(self) -> str:
        """This spec as JSON with its secrets readable: for the launcher's stdin, nothing else."""
        import json

        data = self.model_dump(mode="json")
        data["task"]["environment"] = {
            k: v.get_secret_value() for k, v in self.task.environment.items()
        }
        return json.dumps(data)
