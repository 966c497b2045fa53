"""Cards for the page: asked for once, never waited for long."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from nearfield.config import EnvironmentConfig
from nearfield.scheduler.images import Card, ImageReport
from nearfield_spawners import cards


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.sif"
    path.write_bytes(b"x")
    return path


async def known(shelf: cards.Cards, environment: EnvironmentConfig) -> dict[str, object]:
    """The card once the threads are done."""
    await shelf.shown(environment)
    for thread in threading.enumerate():
        if thread.name == "nearfield-look":
            await asyncio.to_thread(thread.join, 10)
    found = await shelf.shown(environment)
    assert found is not None
    return found


async def test_an_image_is_asked_once_for_each_state(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(cards, "read_card", lambda e: asked.append(e) or Card(title="T"))
    report = ImageReport(path="/a", verdict="verified", digest="d", signers=("f",))
    monkeypatch.setattr(cards, "verify_image", lambda _: report)
    shelf, environment = cards.Cards(), EnvironmentConfig(image=image)
    found = await known(shelf, environment)
    assert (found["title"], found["digest"], found["signers"]) == ("T", "d", ["f"])
    await known(shelf, environment)
    assert len(asked) == 1
    await asyncio.to_thread(image.write_bytes, b"xy")
    await known(shelf, environment)
    assert len(asked) == 2


async def test_a_slow_image_keeps_nobody_waiting(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr(cards, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(cards, "read_card", lambda _: done.wait(10) and Card(title="late"))
    monkeypatch.setattr(cards, "verify_image", lambda _: None)
    shelf, environment = cards.Cards(), EnvironmentConfig(image=image)
    first = await shelf.shown(environment)
    assert first is not None
    assert first["title"] == ""
    done.set()
    assert (await known(shelf, environment))["title"] == "late"


async def test_a_card_that_fails_is_an_empty_one(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Card:
        raise OSError("gone")

    monkeypatch.setattr(cards, "read_card", fail)
    monkeypatch.setattr(cards, "verify_image", fail)
    shelf = cards.Cards()
    assert (await known(shelf, EnvironmentConfig(image=image)))["verdict"] == ""
    assert await shelf.of([("bare", EnvironmentConfig())]) == {"bare": None}
    assert (await known(shelf, EnvironmentConfig(image=Path("/nosuch"))))["title"] == ""


@pytest.mark.parametrize(
    ("environment", "datasets", "others"),
    [
        ((), [("NXmx",)], False),
        (("NXmx",), [], False),
        (("NXmx",), [(), ()], False),
        (("nxMX ",), [("NXsas", "NXmx")], False),
        (("NXmx",), [("NXsas",), (), ("NXmx",)], False),
        (("NXmx", "openPMD"), [("NXsas",), ("NXrefscan",)], True),
    ],
)
def test_what_is_made_for_other_data(
    environment: tuple[str, ...], datasets: list[tuple[str, ...]], others: bool
) -> None:
    assert cards.made_for_others(environment, datasets) is others


def test_the_configuration_says_what_an_environment_is_made_for_before_the_image_does() -> None:
    card = {"techniques": ["saxs"]}
    assert cards.techniques_of(EnvironmentConfig(techniques=("NXmx",)), card) == ("NXmx",)
    assert cards.techniques_of(EnvironmentConfig(), card) == ("saxs",)
    assert cards.techniques_of(EnvironmentConfig(), None) == ()
