"""Programs of users that say too much or never end: the hub keeps nothing of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import exchange
from nearfield.scheduler.exchange import EACH, Exchange


def asking(seconds: float = 20, at_once: int = 1) -> Exchange:
    return Exchange("the launcher", seconds=seconds, at_once=at_once)


def until(path: Path) -> list[str]:
    """A program that ends when there is such a file, whatever it is told before."""
    return ["/bin/sh", "-c", f"trap '' TERM; while [ ! -e {path} ]; do sleep 0.02; done; echo ok"]


def pipes() -> int:
    found = list(Path("/proc/self/fd").iterdir())
    return sum(
        str(path.readlink()).startswith(("pipe:", "socket:")) for path in found if path.is_symlink()
    )


async def test_an_answer_arrives_whole_on_both_ways() -> None:
    text = "x" * 500_000
    told = await asking().ask(["/bin/sh", "-c", "tee /dev/stderr; exit 3"], text, user="alice")
    assert (told.code, told.out, told.err) == (3, text, text)


async def test_a_program_that_reads_nothing_still_answers() -> None:
    told = await asking().ask(["/bin/echo", "hello"], "x" * 500_000, user="alice")
    assert (told.code, told.out) == (0, "hello\n")


@pytest.mark.parametrize("where", ["", ">&2"])
async def test_an_endless_answer_is_cut_and_its_program_left(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER", 100_000)
    asked, before = asking(), pipes()
    with pytest.raises(SchedulerUnavailableError, match="the answer is too long"):
        await asked.ask(["/bin/sh", "-c", f"exec cat /dev/zero {where}"], "", user="alice")
    await asked.settled()
    assert pipes() == before


async def test_after_the_time_its_pipes_are_closed_while_it_lives_on() -> None:
    """As the launcher's, which the hub may not signal: here one that ignores the signal."""
    asked, before = asking(0.2), pipes()
    # It ends at the end of its pipe alone: it would wait for ever if that were kept open.
    body = "trap '' TERM; trap 'exit 0' PIPE; while :; do echo x || exit; done"
    with pytest.raises(SchedulerUnavailableError, match="did not answer within"):
        await asked.ask(["/bin/sh", "-c", body], "y" * 500_000, user="alice")
    await asyncio.sleep(0)  # closed pipes are let go in the loop's next turn
    assert pipes() == before
    await asked.settled()
    assert not asked._late


async def test_one_user_delays_nobody_else(tmp_path: Path) -> None:
    asked, go = asking(at_once=EACH + 1), tmp_path / "go"
    alices = [asyncio.create_task(asked.ask(until(go), "", user="alice")) for _ in range(6)]
    try:
        for user in ("bob", "carol", None):
            told = await asyncio.wait_for(asked.ask(["/bin/echo", "hello"], "", user=user), 20)
            assert told.out == "hello\n"
        assert not any(task.done() for task in alices)
    finally:
        go.touch()
        answers = await asyncio.gather(*alices)
    assert [told.out for told in answers] == ["ok\n"] * 6, "her own wait for each other"


async def test_a_full_house_does_not_keep_the_hub_from_its_own_questions(tmp_path: Path) -> None:
    asked, go = asking(at_once=2), tmp_path / "go"
    held = [asyncio.create_task(asked.ask(until(go), "", user=user)) for user in ("a", "b")]
    try:
        await asyncio.sleep(0)
        told = await asyncio.wait_for(asked.ask(["/bin/echo", "hello"], "", user=None), 20)
        assert told.out == "hello\n"
    finally:
        go.touch()
        await asyncio.gather(*held)


async def test_no_more_are_started_for_whom_they_do_not_end(tmp_path: Path) -> None:
    asked, go = asking(0.05, at_once=8), tmp_path / "go"
    for _ in range(EACH):
        with pytest.raises(SchedulerUnavailableError, match="did not answer within"):
            await asked.ask(until(go), "", user="alice")
    words = f"has not ended {EACH} earlier requests for alice"
    with pytest.raises(SchedulerUnavailableError, match=words):
        await asked.ask(["/bin/echo", "hello"], "", user="alice", seconds=20)
    assert (await asked.ask(["/bin/echo", "hello"], "", user="bob", seconds=20)).code == 0
    go.touch()
    await asked.settled()
    assert (await asked.ask(["/bin/echo", "hello"], "", user="alice", seconds=20)).code == 0
