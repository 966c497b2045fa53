"""How many sessions one user may have, counted before anything is awaited."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from nearfield.config import Config, parse_config
from nearfield.errors import TooManySessionsError, UsageError
from nearfield_spawners import NearfieldSpawner
from nearfield_spawners.limits import Seat, check_limits
from nearfield_spawners.refusal import NotStartedError

SITE = """
clusters: {{here: {{scheduler: local}}}}
hardware: {{one: {{cluster: here}}}}
profiles:
  small: {{environment: default, hardware: one}}
  large: {{environment: default, hardware: one, per_user: 1}}
sessions: {{named: {named}, per_user: {per_user}}}
"""


def site(named: str = "true", per_user: int = 3) -> Config:
    return parse_config(SITE.format(named=named, per_user=per_user))


def test_as_many_as_the_site_allows() -> None:
    taken = [Seat("", "small", "17"), Seat("b", "small")]
    check_limits(site(per_user=3), "c", "small", taken)
    with pytest.raises(TooManySessionsError) as caught:
        check_limits(site(per_user=2), "c", "small", taken)
    assert caught.value.message == (
        "a user may have 2 sessions at a time, and there are: the default server (profile small,"
        " job 17); server 'b' (profile small)"
    )


def test_a_profile_has_a_limit_of_its_own() -> None:
    check_limits(site(), "b", "large", [Seat("", "small")])
    check_limits(site(), "b", "small", [Seat("", "large")])
    with pytest.raises(TooManySessionsError, match=r"have 1 session of profile 'large' at a time"):
        check_limits(site(), "b", "large", [Seat("", "large")])


def test_without_named_servers_there_is_the_default_one() -> None:
    check_limits(site("false"), "", "small", [])
    with pytest.raises(UsageError, match="no named servers here"):
        check_limits(site("false"), "b", "small", [])


class People:
    """A user whose servers are made as JupyterHub makes them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.user = SimpleNamespace(name="alice", groups=[], spawners={})

    def server(self, name: str) -> Any:
        spawner = NearfieldSpawner(config_file=str(self.file))
        spawner.user = self.user
        spawner.orm_spawner = orm.Spawner(name=name)
        spawner._start_pending = True  # as JupyterHub says while it starts one
        self.user.spawners[name] = spawner
        return spawner


@pytest.fixture
def people(tmp_path: Path) -> People:
    file = tmp_path / "nearfield.yaml"
    file.write_text(SITE.format(named="true", per_user=2))
    return People(file)


async def test_of_starts_at_once_no_more_than_allowed_get_through(people: People) -> None:
    starts = [people.server(name).make_plan({"profile": "small"}) for name in ("", "b", "c", "d")]
    done = await asyncio.gather(*starts, return_exceptions=True)
    refused = [answer for answer in done if isinstance(answer, NotStartedError)]
    assert len(refused) == 2
    assert {(answer.reason, answer.status_code) for answer in refused} == {("limit", 429)}
    assert "the default server (profile small); server 'b'" in str(refused[0])


async def test_a_start_that_was_refused_takes_no_seat(people: People) -> None:
    first, second, third = (people.server(name) for name in ("", "b", "c"))
    with pytest.raises(NotStartedError, match="no catalogue service"):
        await first.make_plan({"profile": "small", "datasets": ["p/1"]})
    await second.make_plan({"profile": "small"})
    await third.make_plan({"profile": "small"})
    assert [s.seat and s.seat.server for s in (first, second, third)] == [None, "b", "c"]


async def test_a_running_session_counts_and_an_ended_one_does_not(people: People) -> None:
    first, second = people.server(""), people.server("b")
    await first.make_plan({"profile": "large"})
    first.load_state(
        {"job_name": "nearfield-1", "profile_name": "large", "job_id": "here/alice/17"}
    )
    first._start_pending = False
    with pytest.raises(NotStartedError, match=r"default server \(profile large, job 17\)"):
        await second.make_plan({"profile": "large"})
    first.clear_state()
    await second.make_plan({"profile": "large"})


async def test_a_changed_limit_holds_at_the_next_start(people: People) -> None:
    await people.server("").make_plan({"profile": "small"})
    people.file.write_text(SITE.format(named="true", per_user=1))
    os.utime(people.file, ns=(1, 1))
    with pytest.raises(NotStartedError, match="may have 1 session at a time"):
        await people.server("b").make_plan({"profile": "small"})
