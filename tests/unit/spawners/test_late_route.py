"""A session that leaves the queue after its hub has come back is reachable once it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyterhub import orm

from nearfield_spawners import late_route

Lab = Any
Holds = Callable[[Callable[[], bool]], Awaitable[None]]


class Proxy:
    """JupyterHub's, as far as it is asked for."""

    def __init__(self) -> None:
        self.routes: list[str] = []
        self.fails = False

    async def add_user(self, user: Any, server_name: str) -> None:
        if self.fails:
            raise ConnectionRefusedError("the proxy is away")
        self.routes.append(f"{user.name}/{server_name}")


@pytest.fixture
def proxy(lab: Lab) -> Proxy:
    made = Proxy()
    lab.user.settings = {"proxy": made}
    return made


async def after_a_restart(lab: Lab, *, reported: bool) -> Any:
    """The spawner of the next hub, before JupyterHub has asked for the server's address."""
    first = lab.spawner("late")
    start = asyncio.create_task(first.start())
    await lab.submitted(first)
    if reported:
        lab.scheduler.advance(1)
        first.accept_port(5000)
        await start
    start.cancel()
    again = lab.spawner("late", state=first.get_state())
    again._start_pending = False
    again._check_pending = True
    again.orm_spawner.server = orm.Server(
        proto="http", ip="", port=1, base_url="/user/alice/late/", cookie_name=""
    )
    return again


def taken_for_ready(spawner: Any) -> None:
    """What JupyterHub does when a server that it has asked for answers."""
    spawner.start_polling()
    spawner._check_pending = False


async def test_one_that_had_to_be_waited_for_gets_its_route(
    lab: Lab, holds: Holds, proxy: Proxy
) -> None:
    spawner = await after_a_restart(lab, reported=False)
    asked = asyncio.create_task(spawner.get_url())
    lab.scheduler.advance(1)
    spawner.accept_port(5000)
    assert await asked == "http://node1:5000/user/alice/late/"
    assert proxy.routes == []
    taken_for_ready(spawner)
    await holds(lambda: proxy.routes == ["alice/late"])
    spawner.stop_polling()


async def test_one_whose_address_was_known_is_left_to_jupyterhub(
    lab: Lab, holds: Holds, proxy: Proxy
) -> None:
    spawner = await after_a_restart(lab, reported=True)
    assert await spawner.get_url() == "http://node1:5000/user/alice/late/"
    taken_for_ready(spawner)
    assert spawner._late_route._adding is None
    spawner.stop_polling()


async def test_one_that_answered_late_gets_its_route_too(
    lab: Lab, holds: Holds, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner = await after_a_restart(lab, reported=True)
    await spawner.get_url()
    monkeypatch.setattr(late_route, "EARLY_SECONDS", -1.0)
    taken_for_ready(spawner)
    await holds(lambda: proxy.routes == ["alice/late"])
    spawner.stop_polling()


@pytest.mark.parametrize("away", ["the server", "the proxy"])
async def test_what_is_gone_meanwhile_gets_none(
    lab: Lab, proxy: Proxy, caplog: pytest.LogCaptureFixture, away: str
) -> None:
    spawner = await after_a_restart(lab, reported=False)
    asked = asyncio.create_task(spawner.get_url())
    lab.scheduler.advance(1)
    spawner.accept_port(5000)
    await asked
    taken_for_ready(spawner)
    proxy.fails = away == "the proxy"
    spawner._stop_pending = away == "the server"
    await spawner._late_route._adding
    assert proxy.routes == []
    assert ("the proxy is away" in caplog.text) == proxy.fails
    spawner.stop_polling()
