"""``nearfield.yaml``: one file for catalogue, storages, clusters, environments and profiles.

Where it is looked for, first found wins: an explicit path, ``$NEARFIELD_CONFIG``,
``<sys.prefix>/etc/nearfield/nearfield.yaml``, ``/etc/nearfield/nearfield.yaml``. Without a file
the defaults below hold: an embedded catalogue in the user's data folder and this machine as
the only cluster.

Errors name the file, the line and the key.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from nearfield.errors import ConfigError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]

# Each of these becomes one argument of sbatch, and nothing else.
SlurmWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}$")]
Constraint = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_&|()\[\]*,.-]{0,127}$")
]


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("must be an absolute path without '..'")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueConfig(_Model):
    """Where datasets are found."""

    name: Name = "embedded"
    driver: Literal["embedded", "service"] = "embedded"
    path: Path | None = None
    """``embedded``: the SQLite file. A file is for one user; several share a service."""
    url: str | None = None
    """``service``: where ``nearfield catalogue serve`` answers."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.driver == "service" and not self.url:
            raise ValueError("driver 'service' needs url")
        return self

    @property
    def file(self) -> Path:
        return self.path or user_data_dir() / "catalogue.sqlite"


class Place(_Model):
    """Where in a cluster a storage is near."""

    cluster: Name
    partition: str | None = None
    constraint: str | None = None


class Storage(_Model):
    """A path prefix and where it is near."""

    prefix: AbsolutePath
    kind: Literal["posix", "gpfs", "lustre", "nfs", "local"] = "posix"
    places: tuple[Place, ...] = ()
    """Empty: near everywhere."""
    read_only: bool = True
    """Raw areas stay read-only in every session; a processed area says ``read_only: false``."""


class Cluster(_Model):
    """One scheduler and how to speak to it."""

    scheduler: Literal["slurm", "local"] = "slurm"
    submitter: Literal["direct", "sudo"] = "direct"
    """``direct``: as the account that asks. ``sudo``: as each user, through the launcher."""
    launcher: AbsolutePath | None = None
    """Absolute path of nearfield-launch, as named in sudoers."""
    bin: AbsolutePath = Path("/usr/bin")
    """Folder of sbatch, squeue, scancel, sacct."""
    conf: Path | None = None
    """SLURM_CONF, where it is not the host's default."""
    node_address: str = "{node}"
    """How the hub reaches a node; ``{node}`` is Slurm's name for it."""
    poll_seconds: float = Field(default=1.0, gt=0)
    state: Path | None = None
    """``local`` only: where running jobs are remembered."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.submitter == "sudo" and self.launcher is None:
            raise ValueError("submitter 'sudo' needs launcher, an absolute path")
        return self


class MountConfig(_Model):
    """A folder that the site binds into an image besides the storages."""

    source: AbsolutePath
    target: AbsolutePath | None = None
    read_only: bool = True
    required: bool = True


class EnvironmentConfig(_Model):
    """What a session runs in: an Apptainer image, or the node's own runtime."""

    title: str = ""
    image: AbsolutePath | None = None
    server: tuple[str, ...] = ("jupyterhub-singleuser",)
    """Program and arguments of the server; with an image, as seen inside it."""
    apptainer: AbsolutePath = Path("/usr/bin/apptainer")
    mounts: tuple[MountConfig, ...] = ()
    techniques: tuple[str, ...] = ()


class Hardware(_Model):
    """What is asked of the scheduler. ``None`` leaves a choice to the site's default."""

    partition: SlurmWord | None = None
    cores: int = Field(default=1, ge=1, le=4096)
    memory_mb: int = Field(default=2048, ge=1)
    minutes: int = Field(default=60, ge=1)
    gpus: int = Field(default=0, ge=0, le=64)
    gpu_type: SlurmWord | None = None
    account: SlurmWord | None = None
    qos: SlurmWord | None = None
    reservation: SlurmWord | None = None
    constraint: Constraint | None = None


class HardwareConfig(Hardware):
    """What a session gets, and where."""

    title: str = ""
    cluster: Name


class ProfileConfig(_Model):
    """Environment, hardware and who may use them."""

    title: str = ""
    environment: Name
    hardware: Name
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """With neither users nor groups, everybody may."""
    storages: tuple[Name, ...] | None = None
    """Storages bound into the session; None binds all that are near the cluster."""


class LauncherConfig(_Model):
    """Whom ``nearfield-launch`` may act for."""

    group: str | None = None
    """Only members of this Unix group. None refuses everybody."""
    min_uid: int = Field(default=1000, ge=1000)
    audit_log: Path | None = None
    """A file that every user may append to; sudo's own log remains the one to trust."""


class Config(_Model):
    """The whole of ``nearfield.yaml``."""

    catalogue: CatalogueConfig = CatalogueConfig()
    storages: dict[Name, Storage] = Field(default_factory=dict)
    clusters: dict[Name, Cluster] = Field(
        default_factory=lambda: {"local": Cluster(scheduler="local")}
    )
    environments: dict[Name, EnvironmentConfig] = Field(
        default_factory=lambda: {"default": EnvironmentConfig(title="This Python environment")}
    )
    hardware: dict[Name, HardwareConfig] = Field(
        default_factory=lambda: {"local": HardwareConfig(title="This machine", cluster="local")}
    )
    profiles: dict[Name, ProfileConfig] = Field(
        default_factory=lambda: {
            "default": ProfileConfig(title="Default", environment="default", hardware="local")
        }
    )
    templates: tuple[Path, ...] = ()
    """Folders of template folders, searched before the ones that come with Nearfield."""
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
            if profile.hardware not in self.hardware:
                problems.append(f"profiles.{name}.hardware: no hardware {profile.hardware!r}")
            for storage in profile.storages or ():
                if storage not in self.storages:
                    problems.append(f"profiles.{name}.storages: no storage {storage!r}")
        for name, hardware in self.hardware.items():
            if hardware.cluster not in self.clusters:
                problems.append(f"hardware.{name}.cluster: no cluster {hardware.cluster!r}")
        for name, place_of in self.storages.items():
            for place in place_of.places:
                if place.cluster not in self.clusters:
                    problems.append(f"storages.{name}.places: no cluster {place.cluster!r}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def user_data_dir() -> Path:
    """``$NEARFIELD_HOME`` or the XDG data folder of this user."""
    if home := os.environ.get("NEARFIELD_HOME"):
        return Path(home)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local/share") / "nearfield"


def candidates() -> list[Path]:
    """Where a configuration is looked for when none is named, first found wins."""
    found = [
        Path(sys.prefix) / "etc/nearfield/nearfield.yaml",
        Path("/etc/nearfield/nearfield.yaml"),
    ]
    if named := os.environ.get("NEARFIELD_CONFIG"):
        found.insert(0, Path(named))
    return found


def load_config(path: Path | None = None) -> Config:
    """Read and check the configuration.

    Raises:
        ConfigError: the named file is missing or unreadable, is not YAML, repeats a key, or
            has a key or value that does not fit; the message names file, line and key.
    """
    if path is None:
        named = os.environ.get("NEARFIELD_CONFIG")
        path = Path(named) if named else next((p for p in candidates() if p.is_file()), None)
        if path is None:
            return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse_config(text, str(path))


def parse_config(text: str, source: str = "nearfield.yaml") -> Config:
    """Check the text of a configuration; ``source`` is what errors call it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{source}{line}: not valid YAML: {problem}") from error
    if root is None:
        raise ConfigError(f"{source}: is empty", hint="a file with nothing to say is left out")
    lines: dict[tuple[str, ...], int] = {}
    _collect_lines(root, (), lines, source)
    data = yaml.safe_load(text)
    if not isinstance(data, dict):
        raise ConfigError(f"{source}, line 1: must be a mapping, found {type(data).__name__}")
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, lines, source))) from error


def _collect_lines(
    node: yaml.Node, at: tuple[str, ...], lines: dict[tuple[str, ...], int], source: str
) -> None:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise ConfigError(
                    f"{source}, line {key.start_mark.line + 1}: key {name!r} is there twice"
                )
            seen.add(name)
            lines[(*at, name)] = key.start_mark.line + 1
            _collect_lines(value, (*at, name), lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*at, str(index)), lines, source)


def load_site_config(path: Path | None = None) -> Config:
    """The configuration of a hub or launcher, which must say what jobs may be.

    The defaults are for one person on one machine. A file that was cut short must not turn a
    site into that.

    Raises:
        ConfigError: as :func:`load_config`, or the file lacks clusters, hardware or profiles.
    """
    config = load_config(path)
    if path is not None:
        for key in ("clusters", "hardware", "profiles"):
            if key not in config.model_fields_set:
                raise ConfigError(f"{path}: has no {key!r}", hint="a hub needs them said in full")
    return config


def _known_keys(model: type[BaseModel]) -> set[str]:
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            found |= _known_keys(inner)
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _explain(error: ValidationError, lines: dict[tuple[str, ...], int], source: str) -> list[str]:
    found = []
    for problem in error.errors():
        at = tuple(str(part) for part in problem["loc"] if part != "[key]")
        known: Any = next((at[:n] for n in range(len(at), -1, -1) if at[:n] in lines), ())
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            near = get_close_matches(at[-1], _known_keys(Config), n=1)
            message = "unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
        elif problem["type"] == "tuple_type":
            message = "must be a list: [a, b]"
        # A broken reference is found at the root: point at the key that it names.
        if not at:
            named = tuple(message.split(":", 1)[0].split("."))
            known = named if named in lines else known
        where = f"{source}, line {lines.get(known, 1)}"
        found.append(f"{where}, {'.'.join(at)}: {message}" if at else f"{where}: {message}")
    return found
