"""A hub's spawner without a hub: what users send goes in, what would be submitted comes out."""

from __future__ import annotations

import asyncio
import pwd
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from jupyterhub import orm

from fuzzing.site import DATASETS, SITE
from nearfield.config import Config, parse_config
from nearfield.datasets import DatasetFiles, Principal
from nearfield.errors import DatasetNotFoundError, SubmitError
from nearfield.scheduler import JobSpec, PathAccess
from nearfield_spawners import NearfieldSpawner, spawner
from nearfield_spawners.refusal import NotStartedError

ALICE = Principal(name="alice", groups=frozenset({"users"}))


class Submitted(SubmitError):
    """Not an error here: the end of the way that a test looks at."""


class Recorder:
    """A cluster that takes every job, and keeps none."""

    def __init__(self) -> None:
        self.spec: JobSpec | None = None

    async def access(self, _user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return dict.fromkeys(paths, PathAccess.YES)

    async def submit(self, spec: JobSpec) -> str:
        self.spec = spec
        raise Submitted("submitted")


class Probe(NearfieldSpawner):
    """A spawner whose surroundings (database, tokens, groups of this machine) are left out."""

    principal = ALICE

    def save_now(self) -> None:
        pass

    def _job_environment(self) -> dict[str, str]:
        return {"JUPYTERHUB_API_TOKEN": "s3cret", "JUPYTERHUB_USER": "alice"}

    def _callback_url(self) -> str:
        return "http://hub:8081/hub/api/nearfield/port"


async def find(records: dict[str, list[str]], pids: Iterable[str]) -> tuple[DatasetFiles, ...]:
    found = []
    for number, pid in enumerate(pids):
        if pid not in records:
            raise DatasetNotFoundError(f"no dataset {pid}")
        found.append(DatasetFiles(pid=pid, slug=f"d{number}", paths=tuple(records[pid]), size=10))
    return tuple(found)


Ask = Callable[[object], JobSpec | NotStartedError]


@pytest.fixture(scope="session")
def site() -> Config:
    """The configuration, as launcher and hub read it."""
    return parse_config(yaml.safe_dump(SITE, sort_keys=False))


@pytest.fixture(scope="session")
def alice() -> Principal:
    """With the groups that she has on the cluster."""
    return ALICE


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Start with these options: the spec that is submitted, or the refusal."""
    file = tmp_path_factory.mktemp("site") / "nearfield.yaml"
    file.write_text(yaml.safe_dump(SITE, sort_keys=False))
    loop = asyncio.new_event_loop()
    patch = pytest.MonkeyPatch()
    patch.setattr(spawner, "find_datasets", lambda _config, pids, _token: find(DATASETS, pids))
    # The machine's accounts are not part of this: alice need not live here.
    alice = pwd.struct_passwd(("alice", "x", 20001, 20000, "", "/home/alice", "/bin/sh"))
    patch.setattr(pwd, "getpwnam", {"alice": alice}.__getitem__)
    with_file = loop.run_until_complete(_probe(file))

    def start(options: object) -> JobSpec | NotStartedError:
        made, recorder = with_file
        recorder.spec = None
        made.user_options = options if isinstance(options, dict) else {}
        try:
            loop.run_until_complete(_start(made, options))
        except NotStartedError as refusal:
            return recorder.spec or refusal
        raise AssertionError("a start neither ended in a submit nor was refused")

    yield start
    patch.undo()
    loop.close()


async def _probe(file: Path) -> tuple[Probe, Recorder]:
    made = Probe(config_file=str(file))
    made.user = SimpleNamespace(name="alice", groups=[], spawners={})
    made.orm_spawner = orm.Spawner(name="")
    made.api_token = "s3cret"
    recorder = Recorder()

    async def looks(_profile: object) -> dict[str, Any]:
        return {}

    live: Any = made.live
    live.looks = looks
    live._schedulers.update(lab=recorder, other=recorder)
    return made, recorder


async def _start(made: Probe, options: Any) -> None:
    # As JupyterHub does: the options are applied, then the server is started.
    await made.make_plan(options)
    await made.start()
