"""What the routes answer, as models: their JSON schema is the reference."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nearfield.querying import DatasetSummary, SourceState
from nearfield.scheduler import StartRange
from nearfield_spawners.options import SpawnOptions
from nearfield_spawners.rights import Right


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RangeChoice(_Model):
    """A slider."""

    kind: Literal["range"] = "range"
    least: int
    most: int
    step: int


class ListChoice(_Model):
    """One of these."""

    kind: Literal["list"] = "list"
    values: tuple[int | str, ...]


class PatternChoice(_Model):
    """A word, all of which matches."""

    kind: Literal["pattern"] = "pattern"
    pattern: str


AnyChoice = Annotated[RangeChoice | ListChoice | PatternChoice, Field(discriminator="kind")]


class HardwareChoice(_Model):
    """One hardware of a profile."""

    name: str
    title: str
    cluster: str
    partition: str | None
    defaults: dict[str, int | str | None]
    choices: dict[str, AnyChoice]


class EnvironmentShown(_Model):
    """What a session runs in."""

    name: str
    title: str
    description: str
    card: dict[str, Any] | None


class ProfileChoice(_Model):
    """One profile that the user may use."""

    name: str
    title: str
    description: str
    techniques: tuple[str, ...]
    environment: EnvironmentShown
    hardware: tuple[HardwareChoice, ...]
    per_user: int | None


class SessionLimits(_Model):
    """How many sessions the user may have, and has."""

    per_user: int
    named: bool
    running: int


class ChoicesAnswer(_Model):
    """``GET choices``."""

    profiles: tuple[ProfileChoice, ...]
    sessions: SessionLimits


class DatasetsAnswer(_Model):
    """``GET datasets``. ``next`` is the cursor of the next page, null at the end."""

    datasets: tuple[DatasetSummary, ...]
    next: str | None
    total: int
    total_exact: bool = True
    """False: there are at least so many."""
    unusable: dict[str, str] = Field(default_factory=dict)
    """By PID: why a dataset that was found cannot be chosen for a session."""
    sources: tuple[SourceState, ...] = ()
    """Where several catalogues were searched: how each one did."""


class PartitionShown(_Model):
    """What is free in a partition. ``pending``: waiting jobs that the hub may see."""

    cores_idle: int = 0
    cores_total: int = 0
    nodes_idle: int = 0
    nodes_total: int = 0
    gpus_idle: int = 0
    gpus_total: int = 0
    pending: int = 0


class ClusterShown(_Model):
    """A cluster. ``message`` says why it does not answer; the numbers are then the last known."""

    answers: bool
    as_of: float
    partitions: dict[str, PartitionShown]
    default_partition: str | None
    message: str


class AvailabilityAnswer(_Model):
    """``GET availability``."""

    clusters: dict[str, ClusterShown]


class StartShown(_Model):
    """Unix times. ``latest`` is null where nobody can say."""

    earliest: float
    latest: float | None

    @classmethod
    def of(cls, start: StartRange | None) -> StartShown | None:
        if start is None:
            return None
        latest = None if start.latest is None else start.latest.timestamp()
        return cls(earliest=start.earliest.timestamp(), latest=latest)


class Alternative(_Model):
    """Another profile and hardware for the same datasets."""

    profile: str
    hardware: str
    near: str | None
    bytes_far: int
    start: StartShown | None
    reason: str


class RightShown(_Model):
    """May the user read a dataset? ``unknown``: the node decides before the server starts."""

    pid: str
    answer: Literal["yes", "no", "unknown"]
    path: str
    reason: str

    @classmethod
    def of(cls, right: Right) -> RightShown:
        return cls(pid=right.pid, answer=right.answer, path=right.path, reason=right.reason)


class Problem(_Model):
    """Why such a session would not start."""

    field: str
    message: str
    hint: str | None = None
    pid: str | None = None
    """The dataset that it is about."""


class PlanAnswer(_Model):
    """``POST plan``. With ``problems`` a start would be refused."""

    profile: str | None = None
    hardware: str | None = None
    near: str | None = None
    reason: str = ""
    bytes_near: int = 0
    bytes_far: int = 0
    alternatives: tuple[Alternative, ...] = ()
    rights: tuple[RightShown, ...] = ()
    start: StartShown | None = None
    notes: tuple[str, ...] = ()
    """What the user should know although a start would work."""
    problems: tuple[Problem, ...] = ()


class StageShown(_Model):
    """A step of a start, at a Unix time."""

    name: str
    percent: int
    message: str
    at: float


class WarningShown(_Model):
    """The time limit is near. ``minutes``: which of ``sessions.warn_minutes`` was passed."""

    minutes: int
    message: str


class EndedShown(_Model):
    """How the last session of this server ended (docs/reference/spawner.md)."""

    kind: str
    message: str
    hint: str
    log: str
    at: float
    host: str | None


class SessionShown(_Model):
    """One server of a user. Times are Unix times."""

    server: str
    profile: str
    hardware: str
    cluster: str
    job: str
    state: Literal["starting", "running", "suspended", "unknown", "stopping", "ended"]
    host: str | None
    url: str | None
    started: float | None
    ends: float | None
    remaining_seconds: float | None
    warning: WarningShown | None
    stages: tuple[StageShown, ...]
    ended: EndedShown | None


class SessionsAnswer(_Model):
    """``GET sessions``."""

    sessions: tuple[SessionShown, ...]


class CatalogueTokenAnswer(_Model):
    """A token of the asking user's for that one catalogue."""

    access_token: str = Field(repr=False)
    expires_in: int | None
    """Seconds; None where the provider does not say."""


class BatchTokenAnswer(_Model):
    """A token of the hub's, with which a batch asks the catalogues and nothing else."""

    token: str = Field(repr=False)
    expires: float
    """Unix time."""
    scopes: tuple[str, ...]


class ErrorAnswer(_Model):
    """Every answer that is not a success."""

    status: int
    message: str
    hint: str | None = None
    reason: str | None = None
    """``syntax``: a search that cannot be understood."""
    position: int | None = None
    """``syntax``: the character of the search where."""


class TokenErrorAnswer(ErrorAnswer):
    """The same where a program asks for a token."""

    reason: Literal["token-expired", "not-found", "unavailable", "blocked"] | None


ANSWERS: dict[str, type[BaseModel]] = {
    "choices": ChoicesAnswer,
    "datasets": DatasetsAnswer,
    "availability": AvailabilityAnswer,
    "plan": PlanAnswer,
    "sessions": SessionsAnswer,
    "error": ErrorAnswer,
    "catalogue-token": CatalogueTokenAnswer,
    "batch-token": BatchTokenAnswer,
    "token-error": TokenErrorAnswer,
}
"""Route → what it answers."""


def schemas() -> str:
    """The JSON schemas of all answers, and of what ``plan`` takes, as one JSON text."""
    found = {name: model.model_json_schema() for name, model in ANSWERS.items()}
    return json.dumps({**found, "options": SpawnOptions.model_json_schema()}, indent=1)
