"""``POST plan``: all that is wrong at once, each under its own name, and nothing asked twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nearfield.config import parse_config
from nearfield.datasets import DatasetFiles, Principal
from nearfield.errors import (
    AccountError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    SchedulerUnavailableError,
    SubmitError,
)
from nearfield.scheduler import Availability, NodeGroup, PathAccess
from nearfield.testing.fake_scheduler import FakeScheduler
from nearfield_spawners.hub_api import planning
from nearfield_spawners.hub_api.handler import RefusedError
from nearfield_spawners.hub_api.models import PlanAnswer, schemas
from nearfield_spawners.limits import Seat
from nearfield_spawners.live_config import LiveConfig

SITE = """
catalogue: {url: "http://hub/services/catalogue"}
storages:
  a: {prefix: /data/a, places: [{cluster: lab, constraint: near-a}]}
  b: {prefix: /data/b, places: [{cluster: lab, constraint: near-b}]}
clusters: {lab: {scheduler: slurm}}
hardware:
  roam: {cluster: lab, partition: short}
  wide: {cluster: lab, partition: short, choices: {cores: {least: 1, most: 8}, qos: [fast]}}
  gpu: {cluster: lab, partition: gpu}
environments:
  e: {}
  frames: {techniques: [NXmx]}
  fields: {techniques: [openPMD]}
profiles:
  p: {environment: e, hardware: [gpu, roam, wide]}
  q: {environment: e, hardware: gpu}
  frames: {environment: frames, hardware: gpu}
  fields: {environment: fields, hardware: gpu}
  bobs: {environment: e, hardware: roam, users: [bob]}
"""
LAB = Availability(
    groups=(
        NodeGroup(partition="short", nodes=1, features=frozenset({"near-a"})),
        NodeGroup(partition="short", nodes=1, features=frozenset({"near-b"})),
        NodeGroup(partition="gpu", nodes=1, features=frozenset({"near-b"})),
    )
)
DATA = {
    pid: DatasetFiles(pid=pid, slug=pid, paths=(f"/data/{pid[0]}/{pid}.h5",), size=size)
    for pid, size in (("a1", 100), ("b1", 1000), ("b2", 10))
}

TECHNIQUES = {"a1": ("nxMX",), "b1": (), "b2": ("NXsas",)}


@pytest.fixture
def lab() -> FakeScheduler:
    return FakeScheduler(cluster="lab", has=LAB)


@pytest.fixture
def spawner(tmp_path: Path, lab: FakeScheduler, monkeypatch: pytest.MonkeyPatch) -> Any:
    file = tmp_path / "nearfield.yaml"
    file.write_text(SITE)
    live = LiveConfig(file)
    live._schedulers["lab"] = lab
    user = SimpleNamespace(name="alice", spawners={})
    made = SimpleNamespace(
        live=live,
        site=live.config,
        user=user,
        account="alice",
        orm_spawner=None,
        principal=Principal(name="alice"),
    )
    user.spawners[""] = made

    async def find(config: Any, pids: list[str], token: str) -> tuple[DatasetFiles, ...]:
        assert token == "alices"
        if missing := [pid for pid in pids if pid not in DATA]:
            raise DatasetNotFoundError(f"no dataset {missing[0]!r} that you may see")
        return tuple(DATA[pid] for pid in pids)

    async def techniques(config: Any, pids: list[str], token: str) -> tuple[tuple[str, ...], ...]:
        assert token == "alices"
        return tuple(TECHNIQUES.get(pid, ()) for pid in pids)

    monkeypatch.setattr(planning, "find_datasets", find)
    monkeypatch.setattr(planning, "find_techniques", techniques)
    monkeypatch.setattr(planning, "check_user", lambda *context: "alice")
    monkeypatch.setattr(planning, "token_for", lambda spawner: "alices")
    return made


async def plan(spawner: Any, **options: Any) -> PlanAnswer:
    return await planning.Planner(spawner).plan(options)


def fields(found: PlanAnswer) -> list[str]:
    return [problem.field for problem in found.problems]


async def test_a_good_plan(spawner: Any, lab: FakeScheduler) -> None:
    found = await plan(spawner, profile="p", datasets=["a1", "b1", "b2"])
    assert (found.profile, found.hardware, found.near) == ("p", "gpu", "b")
    assert (found.bytes_near, found.bytes_far, found.problems) == (1010, 100, ())
    assert [(r.pid, r.answer) for r in found.rights] == [
        ("a1", "yes"),
        ("b1", "yes"),
        ("b2", "yes"),
    ]
    assert found.start is not None and found.start.latest == found.start.earliest
    others = [(o.profile, o.hardware, o.near) for o in found.alternatives]
    # What is made for openPMD is left out: no dataset is; what is made for one of them stays.
    assert others == [
        *(("p", "roam", "b"), ("p", "wide", "b")),
        *(("q", "gpu", "b"), ("frames", "gpu", "b")),
    ]
    # The first three come with an estimate.
    assert [o.start is not None for o in found.alternatives] == [True, True, True, False]


@pytest.mark.parametrize(
    ("chosen", "pid", "wanted"),
    [
        ("q", "b2", {"p"}),
        ("q", "b1", {"p", "frames", "fields"}),
        ("frames", "b2", {"p", "q"}),
    ],
)
async def test_alternatives_made_for_other_data_are_left_out(
    spawner: Any, chosen: str, pid: str, wanted: set[str]
) -> None:
    found = await plan(spawner, profile=chosen, datasets=[pid])
    assert {other.profile for other in found.alternatives} == wanted


async def test_techniques_that_nobody_can_tell_leave_nothing_out(
    spawner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*asked: object) -> tuple[tuple[str, ...], ...]:
        raise CatalogueUnavailableError("the catalogue does not answer")

    monkeypatch.setattr(planning, "find_techniques", away)
    found = await plan(spawner, profile="q", datasets=["b2"])
    assert {other.profile for other in found.alternatives} == {"p", "frames", "fields"}
    assert found.problems == ()


async def test_looking_again_asks_the_scheduler_for_rights_alone(
    spawner: Any, lab: FakeScheduler
) -> None:
    await plan(spawner, profile="p", datasets=["a1"])
    lab.calls.clear()
    for _ in range(20):
        await plan(spawner, profile="p", datasets=["a1"])
    assert set(lab.calls) == {"access"}


async def test_another_kind_of_hardware_is_chosen_if_it_takes_the_numbers(spawner: Any) -> None:
    found = await plan(spawner, profile="p", datasets=["b1"], cores=4)
    assert (found.hardware, found.problems) == ("wide", ())


async def test_everything_that_is_wrong_at_once(spawner: Any, lab: FakeScheduler) -> None:
    lab.denied["/data/b/b1.h5"] = PathAccess.NO
    lab.fails["estimate"] = SubmitError("sbatch would refuse the job: Invalid account")
    spawner.user.spawners["other"] = SimpleNamespace(seat=Seat("other", "p", "7"))
    found = await plan(spawner, profile="p", datasets=["b1", "gone"])
    assert fields(found) == ["profile", "datasets", "datasets", "hardware"]
    told = [problem.message for problem in found.problems]
    assert "server 'other'" in told[0]
    assert "'gone'" in told[1]
    assert "b1" in told[2] and "/data/b/b1.h5" in told[2] and "may not read" in told[2]
    assert "Invalid account" in told[3]
    assert [problem.pid for problem in found.problems] == [None, "gone", "b1", None]
    assert found.start is None


@pytest.mark.parametrize(
    ("running", "server", "problem"),
    [
        ("", "", ""),
        ("two", "two", ""),
        ("", "two", "the default server"),
        ("two", "", "server 'two'"),
        ("two", "three", "server 'two'"),
    ],
)
async def test_the_plan_is_for_the_server_that_is_meant(
    spawner: Any, running: str, server: str, problem: str
) -> None:
    file = spawner.live.path
    file.write_text(SITE + "sessions: {named: true, per_user: 1}\n")
    spawner.site = parse_config(file.read_text())
    servers = spawner.user.spawners
    servers[running] = SimpleNamespace(**vars(spawner) | {"seat": Seat(running, "p", "7")})
    known = set(servers)
    found = await planning.Planner(spawner, server).plan({"profile": "p"})
    assert [one.field for one in found.problems] == (["profile"] if problem else [])
    assert not problem or problem in found.problems[0].message
    assert set(servers) == known, "no server is made for a plan"


async def test_a_named_server_where_there_are_none_is_a_problem(spawner: Any) -> None:
    found = await planning.Planner(spawner, "two").plan({"profile": "p"})
    assert fields(found) == ["profile"]
    assert "no named servers" in found.problems[0].message


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"profile": "p", "hardware": "wide", "cores": 9, "qos": "slow"}, ["cores", "qos"]),
        ({"profile": "p", "hardware": "gpu", "cores": 1}, ["cores"]),
        ({"profile": "p", "hardware": "nope"}, ["hardware"]),
        ({"profile": "nope"}, ["profile"]),
        ({"profile": "bobs"}, ["profile"]),
        ({}, ["profile"]),
        ({"cores": "x", "runtime": 1}, ["cores", "runtime"]),
        ({"datasets": ["a b"]}, ["datasets.0"]),
    ],
)
async def test_each_problem_has_the_name_of_its_field(
    spawner: Any, options: dict[str, Any], wanted: list[str]
) -> None:
    assert sorted(fields(await plan(spawner, **options))) == sorted(wanted)


async def test_a_silent_cluster_is_a_plan_without_times(spawner: Any, lab: FakeScheduler) -> None:
    away = SchedulerUnavailableError("munge is away")
    lab.fails |= {"estimate": away, "availability": away, "access": away}
    found = await plan(spawner, profile="p", hardware="roam", datasets=["a1"])
    assert (found.near, found.start) == ("a", None)
    assert "estimate" not in lab.calls
    assert [p.message for p in found.problems] == ["munge is away"]


async def test_nothing_is_asked_in_the_name_of_an_account_that_is_not_hers(
    spawner: Any, lab: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*context: object) -> str:
        raise AccountError("the account 'bob' belongs to another user of this hub")

    monkeypatch.setattr(planning, "check_user", refused)
    found = await plan(spawner, profile="p", datasets=["a1"])
    assert fields(found) == ["account"]
    assert (found.rights, found.start) == ((), None)
    assert set(lab.calls) <= {"availability"}


async def test_one_user_has_one_plan_made_at_a_time_and_few_waiting() -> None:
    running, most = 0, 0

    async def one(user: str) -> str:
        nonlocal running, most
        try:
            async with planning._one_at_a_time(user):
                running += 1
                most = max(most, running)
                await asyncio.sleep(0)
                running -= 1
        except RefusedError as error:
            return str(error.status_code)
        return "made"

    found = await asyncio.gather(*(one("alice") for _ in range(8)))
    assert found == ["made"] * 5 + ["429"] * 3
    assert most == 1
    await asyncio.gather(one("alice"), one("bob"))
    assert most == 2, "another user does not wait"
    assert planning._planning == {}


def test_the_schemas_are_the_published_ones() -> None:
    published = Path(__file__).parents[3] / "docs/reference/hub-api.schema.json"
    assert json.loads(published.read_text()) == json.loads(schemas()), (
        "renew it: python -c 'from nearfield_spawners.hub_api.models import schemas;"
        " print(schemas())'"
    )
