"""A site whose Slurm, sudo and user are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nearfield.config import Cluster, Config, parse_config
from nearfield.doctor import Finding, Site
from nearfield.doctor.rounds import CHECKS, examine_site
from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler.commands import Result
from nearfield.scheduler.examination import Examination, FolderFacts

CONF = """Configuration data as of 2026-11-21T12:00:00
AccountingStorageEnforce = associations,limits
AccountingStorageType   = accounting_storage/slurmdbd
AuthType                = auth/munge
ClusterName             = lab
MinJobAge               = 300 sec
PrivateData             = none
"""
YAML = """
storages: {raw: {prefix: /data/raw}}
clusters: {lab: {submitter: sudo, launcher: /opt/nearfield/bin/nearfield-launch}}
environments: {image: {image: /images/a.sif, apptainer: /nosuch/apptainer}}
hardware: {small: {cluster: lab}}
profiles: {small: {environment: image, hardware: small}}
launcher: {group: people}
"""

Answers = dict[str, Result | NearfieldError]


def says(out: str = "", *, code: int = 0, err: str = "") -> Result:
    """What a command answers."""
    return Result(code, out, err)


class Commands:
    """Answers by the beginning of the command line, the longest that fits."""

    def __init__(self, answers: Answers) -> None:
        self.answers: Answers = {
            "sinfo --version": says("slurm 22.05.8\n"),
            "sinfo -hN": says("na1\nna2\n"),
            "scontrol show config": says(CONF),
            "sacct -nPX": says(""),
            "sacctmgr -nP show assoc": says("physics||normal\n"),
            "sudo -n -l": says(code=1, err="not allowed"),
            **answers,
        }

    def __call__(self, argv: Sequence[str], env: Mapping[str, str]) -> Result:
        line = " ".join([Path(argv[0]).name, *argv[1:]])
        fitting = [start for start in self.answers if line.startswith(start)]
        if not fitting:
            raise SchedulerUnavailableError(f"{argv[0]} cannot be run: No such file or directory")
        answer = self.answers[max(fitting, key=len)]
        if isinstance(answer, NearfieldError):
            raise answer
        return answer


def examined(**more: Any) -> Examination:
    home = FolderFacts(path="/home/alice", mode=0o700, uid=20001, free_mb=5000, clock_ahead=0.0)
    sessions = home.model_copy(update={"path": "/home/alice/.local/share/nearfield/sessions"})
    given: dict[str, Any] = {
        "host": "hub",
        "user": "alice",
        "uid": 20001,
        "groups": ("people",),
        "home": home,
        "sessions": sessions,
        "readable": {},
    }
    return Examination(**(given | more))


MakeSite = Callable[..., Site]
Ask = Callable[..., list[Finding]]


@pytest.fixture(name="says")
def _says() -> Callable[..., Result]:
    return says


@pytest.fixture(name="examined")
def _examined() -> Callable[..., Examination]:
    return examined


@pytest.fixture
def conf() -> str:
    """What scontrol tells of a site in order."""
    return CONF


@pytest.fixture
def site() -> MakeSite:
    def make(
        answers: Answers | None = None,
        *,
        found: Examination | NearfieldError | None = None,
        yaml: str = YAML,
        **more: Any,
    ) -> Site:
        def ask(name: str, cluster: Cluster, user: str, config: Config) -> Examination:
            answer = examined() if found is None else found
            if isinstance(answer, NearfieldError):
                raise answer
            return answer

        given: dict[str, Any] = {"user": "alice", "uid": 900, "me": "jhub", "resolve": str} | more
        return Site(parse_config(yaml), run=Commands(answers or {}), ask=ask, **given)

    return make


@pytest.fixture
def ask() -> Ask:
    """The findings of one check."""

    def run(name: str, site: Site) -> list[Finding]:
        return list(examine_site(site, {name: CHECKS[name]}))

    return run
