"""One writer per run: a file that only one can make, and that outlives nobody for long."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nearfield.catalogue._lease import HELD, lease
from nearfield.errors import CatalogueUnavailableError


def held_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def number_of_nobody() -> int:
    """Of a process that is over and reaped."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


async def turn(seconds: float) -> None:
    await asyncio.sleep(0)


async def test_one_after_the_other(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        async with lease("beamline", "run-1", tmp_path, sleep=turn):
            inside.append(number)
            most = max(most, len(inside))
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*map(work, range(10)))
    assert most == 1
    assert held_in(tmp_path) == []


async def test_other_runs_and_sources_do_not_wait(tmp_path: Path) -> None:
    async with (
        lease("beamline", "run-1", tmp_path),
        lease("beamline", "run-2", tmp_path),
        lease("other", "run-1", tmp_path),
    ):
        assert len(held_in(tmp_path)) == 3


async def test_one_that_is_held_is_waited_for_and_then_told(tmp_path: Path) -> None:
    async with lease("beamline", "run-1", tmp_path):
        with pytest.raises(CatalogueUnavailableError, match=r"^beamline: run 'run-1' is being"):
            async with lease("beamline", "run-1", tmp_path, sleep=turn):
                pass
        # Not that of the one who goes on.
        assert len(held_in(tmp_path)) == 1


async def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    async with lease("beamline", "run-1", tmp_path):
        (left,) = held_in(tmp_path)
    left.touch()
    made = left.stat().st_mtime
    now = made + HELD - 1
    with pytest.raises(CatalogueUnavailableError):
        async with lease("beamline", "run-1", tmp_path, sleep=turn, clock=lambda: now):
            pass
    async with lease("beamline", "run-1", tmp_path, sleep=turn, clock=lambda: made + HELD + 1):
        assert held_in(tmp_path) == [left]
    assert held_in(tmp_path) == []


async def test_a_killed_process_of_this_host_is_not_waited_for(tmp_path: Path) -> None:
    async with lease("beamline", "run-1", tmp_path):
        (left,) = held_in(tmp_path)
        host, pid, _ = left.read_text().split()
    assert pid == str(os.getpid())
    over = number_of_nobody()
    left.write_text(f"{host} {over} x")
    async with lease("beamline", "run-1", tmp_path, sleep=turn):
        pass
    left.write_text(f"elsewhere {over} x")
    with pytest.raises(CatalogueUnavailableError):
        async with lease("beamline", "run-1", tmp_path, sleep=turn):
            pass


async def test_who_was_too_slow_takes_nobody_elses_away(tmp_path: Path) -> None:
    async with lease("beamline", "run-1", tmp_path):
        (file,) = held_in(tmp_path)
        file.write_text("somebody else's by now")
    assert held_in(tmp_path) == [file]


async def test_it_ends_with_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with lease("beamline", "run-1", tmp_path / "new"):
            1 / 0  # noqa: B018
    assert held_in(tmp_path / "new") == []
    assert os.stat(tmp_path / "new").st_mode & 0o777 == 0o700  # noqa: PTH116
