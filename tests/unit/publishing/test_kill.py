"""A publisher that is killed with SIGKILL at every step, and one that comes after it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import SqliteCatalogue
from nearfield.publishing.publication import publish_run
from nearfield.querying import Query

STEPS = ("verified", "prepared", "claimed", "derived", "marked", "done")

PUBLISHER = """
import asyncio, os, signal, sys
from pathlib import Path
from nearfield.catalogue import SqliteCatalogue
from nearfield.datasets import Principal
from nearfield.publishing.publication import publish_run

folder, file, last = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def on_step(step):
    print(step, flush=True)
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    catalogue = SqliteCatalogue.open(file, "test", Principal(name="ada"), create=False)
    done = await publish_run(folder, catalogue, target="t", on_step=on_step)
    print(done.pid)

asyncio.run(main())
"""


def publisher(folder: Path, file: Path, last: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PUBLISHER, str(folder), str(file), last],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_killed_and_repeated(
    run_folder: Path, catalogue_file: Path, open_it: Callable[[], SqliteCatalogue], step: str
) -> None:
    killed = publisher(run_folder, catalogue_file, step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.split()[-1] == step
    expected = STEPS[: STEPS.index(step) + 1]
    assert tuple(killed.stdout.split()) == expected

    async def again() -> None:
        catalogue = open_it()
        before = {d.pid for d in (await catalogue.search(Query(type="derived"))).datasets}
        assert bool(before) == (step in ("derived", "marked", "done"))
        done = await publish_run(run_folder, catalogue, target="t")
        assert done.already == (step in ("marked", "done"))
        page = await catalogue.search(Query(type="derived"))
        assert [d.pid for d in page.datasets] == [done.pid]
        assert before <= {done.pid}
        assert len(await catalogue.files(done.pid)) == 3
        await catalogue.aclose()

    asyncio.run(again())


def test_killed_again_and_again(
    run_folder: Path, catalogue_file: Path, open_it: Callable[[], SqliteCatalogue]
) -> None:
    for step in ("prepared", "prepared", "claimed", "derived", "derived"):
        assert publisher(run_folder, catalogue_file, step).returncode == -signal.SIGKILL
    finished = publisher(run_folder, catalogue_file, "never")
    assert finished.returncode == 0, finished.stderr
    names = [entry.name for entry in (run_folder / ".nearfield").iterdir()]
    assert [name for name in names if name.startswith(".")] == []

    async def count() -> int:
        catalogue = open_it()
        page = await catalogue.search(Query(type="derived"))
        await catalogue.aclose()
        return page.total

    assert asyncio.run(count()) == 1
