"""Programs of users that say too much or never end: the hub keeps nothing of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import exchange
from nearfield.scheduler.exchange import Exchange


def asking(seconds: float = 20) -> Exchange:
    return Exchange("the launcher", seconds=seconds, at_once=1)


def pipes() -> int:
    found = list(Path("/proc/self/fd").iterdir())
    return sum(
        str(path.readlink()).startswith(("pipe:", "socket:")) for path in found if path.is_symlink()
    )


async def test_an_answer_arrives_whole_on_both_ways() -> None:
    text = "x" * 500_000
    told = await asking().ask(["/bin/sh", "-c", "tee /dev/stderr; exit 3"], text)
    assert (told.code, told.out, told.err) == (3, text, text)


async def test_a_program_that_reads_nothing_still_answers() -> None:
    told = await asking().ask(["/bin/echo", "hello"], "x" * 500_000)
    assert (told.code, told.out) == (0, "hello\n")


@pytest.mark.parametrize("where", ["", ">&2"])
async def test_an_endless_answer_is_cut_and_its_program_left(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER", 100_000)
    asked, before = asking(), pipes()
    with pytest.raises(SchedulerUnavailableError, match="the answer is too long"):
        await asked.ask(["/bin/sh", "-c", f"exec cat /dev/zero {where}"], "")
    await asked.settled()
    assert pipes() == before


async def test_after_the_time_its_pipes_are_closed_while_it_lives_on() -> None:
    """As the launcher's, which the hub may not signal: here one that ignores the signal."""
    asked, before = asking(0.2), pipes()
    # It ends at the end of its pipe alone: it would wait for ever if that were kept open.
    body = "trap '' TERM; trap 'exit 0' PIPE; while :; do echo x || exit; done"
    with pytest.raises(SchedulerUnavailableError, match="did not answer within"):
        await asked.ask(["/bin/sh", "-c", body], "y" * 500_000)
    await asyncio.sleep(0)  # closed pipes are let go in the loop's next turn
    assert pipes() == before
    await asked.settled()
    assert not asked._late
