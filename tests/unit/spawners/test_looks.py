"""A file system of images that hangs holds neither the hub's threads nor a page or a start."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import stat_result
from pathlib import Path

import pytest

from nearfield.config import EnvironmentConfig
from nearfield.scheduler.images import Card
from nearfield_spawners import cards, looks
from nearfield_spawners.image_facts import default_url


@dataclass
class Hung:
    """A file whose state nobody is told before ``answers``."""

    path: Path
    answers: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    asked: int = 0


@pytest.fixture
def hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hung]:
    file = Hung(tmp_path / "a.sif")
    file.path.write_bytes(b"x")
    stat = Path.stat

    def hang(path: Path, *, follow_symlinks: bool = True) -> stat_result:
        if path == file.path:
            file.asked += 1
            file.begun.set()
            file.answers.wait()
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", hang)
    monkeypatch.setattr(looks, "ANSWER_SECONDS", 0.05)
    yield file
    file.answers.set()


async def others_work() -> None:
    """The one thread of all others is free."""
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "others"), 5) == "others"


async def test_pages_leave_its_card_out_and_share_one_look(
    hung: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    monkeypatch.setattr(cards, "read_card", lambda _: Card(title="late"))
    monkeypatch.setattr(cards, "verify_image", lambda _: None)
    shelf, environment = cards.Cards(), EnvironmentConfig(image=hung.path)
    same = EnvironmentConfig(image=hung.path, title="another")
    views = [asyncio.create_task(shelf.shown(one)) for one in (environment, environment, same)]
    try:
        await asyncio.sleep(0)
        await others_work()
        told = await asyncio.wait_for(asyncio.gather(*views), 5)
        told.append(await asyncio.wait_for(shelf.shown(environment), 5))
        assert [(one or {})["verdict"] for one in told] == [""] * 4
        assert [(one or {})["title"] for one in told] == [""] * 4
        assert hung.begun.wait(5) and hung.asked == 1
    finally:
        hung.answers.set()
    monkeypatch.setattr(looks, "ANSWER_SECONDS", 60)
    monkeypatch.setattr(cards, "WAIT_SECONDS", 60)
    assert ((await shelf.shown(environment)) or {})["title"] == "late"


async def test_starts_go_on_without_what_the_image_says(hung: Hung) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    environment = EnvironmentConfig(image=hung.path)
    starts = [asyncio.create_task(default_url(environment)) for _ in range(3)]
    try:
        await asyncio.sleep(0)
        await others_work()
        assert await asyncio.wait_for(asyncio.gather(*starts), 5) == [""] * 3
        assert hung.begun.wait(5) and hung.asked == 1
    finally:
        hung.answers.set()


async def test_an_error_belongs_to_who_asked() -> None:
    def fail() -> str:
        raise ValueError("wrong")

    shelf: looks.Looks[str] = looks.Looks()
    with pytest.raises(ValueError, match="wrong"):
        await shelf.at("a", fail)
    assert await shelf.at("a", lambda: "right") == "right"


async def test_who_gives_up_takes_no_answer_from_others() -> None:
    answers = threading.Event()
    shelf: looks.Looks[bool] = looks.Looks()
    asked = [asyncio.create_task(shelf.at("a", answers.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.wait([asked[0]])
    answers.set()
    assert await asked[1]
