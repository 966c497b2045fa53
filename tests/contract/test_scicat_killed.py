"""A process that derives is killed for real, between the dataset and its files."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asgi import in_thread, serving
from nearfield.testing.catalogue_contract import a_result
from nearfield.testing.fake_scicat import Request
from sourcelab.scicat import filled

DERIVE = """
import asyncio, sys
from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.config import SciCatSource
from nearfield.datasets import DerivedDataset

class Token:
    async def token(self, *, fresh=False):
        return "token-of-alice"

async def main():
    source = SciCatSource.model_validate({"driver": "scicat", "url": sys.argv[1], "timeout": 60})
    catalogue = SciCatCatalogue.from_settings("beamline", source, token=Token())
    try:
        print(await catalogue.derive(DerivedDataset.model_validate_json(sys.stdin.read())))
    finally:
        await catalogue.aclose()

asyncio.run(main())
"""


class Writer:
    """A process of its own, which derives one result."""

    def __init__(self, url: str, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DERIVE, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"NEARFIELD_HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(a_result().model_dump_json())
        self.process.stdin.close()

    def pid(self) -> str:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            said = out.read().strip()
        assert self.process.wait(timeout=60) == 0
        return said


@pytest.mark.parametrize("names_pids", [True, False])
def test_the_next_attempt_completes_it(tmp_path: Path, names_pids: bool) -> None:
    fake = filled(names_pids=names_pids)
    reached, killed = threading.Event(), threading.Event()

    async def hold(request: Request) -> None:
        if request.method == "POST" and request.segments[-1] == "origdatablocks":
            reached.set()
            # In the server's own thread: nobody else is answered until the writer is dead.
            assert killed.wait(timeout=60)
            fake.before = None
            raise ConnectionError("its client is gone")

    fake.before = hold
    with in_thread(lambda: serving(fake)) as url:  # type: ignore[arg-type]
        first = Writer(url, tmp_path)
        assert reached.wait(timeout=60)
        first.process.kill()
        assert first.process.wait(timeout=60) == -9
        assert first.process.stdout is not None
        first.process.stdout.close()
        killed.set()
        pid = Writer(url, tmp_path).pid()
    made = [one for one in fake.datasets.values() if one["type"] == "derived"]
    assert [one["pid"] for one in made] == [pid]
    blocks = [block for block in fake.blocks if block["datasetId"] == pid]
    assert [file["path"] for block in blocks for file in block["dataFileList"]] == ["out.h5"]


@pytest.mark.parametrize("names_pids", [True, False])
def test_four_processes_make_one_result(tmp_path: Path, names_pids: bool) -> None:
    fake = filled(names_pids=names_pids)
    with in_thread(lambda: serving(fake)) as url:  # type: ignore[arg-type]
        writers = [Writer(url, tmp_path) for _ in range(4)]
        pids = {one.pid() for one in writers}
    made = [one["pid"] for one in fake.datasets.values() if one["type"] == "derived"]
    assert made == list(pids)
