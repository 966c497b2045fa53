"""`nearfield catalogue harvest` as a process against our own service, killed and run again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi import in_thread, serving
from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig
from nearfield.testing.synthetic import synthetic_dataset

COUNT = 650  # seven pages
OPEN = ServeConfig(public=("oai",), url="https://data.test", admin_email="a@data.test")


class Gate:
    """Passes requests on, but holds the n-th one for records until it is opened."""

    def __init__(self, app: ASGIApp, hold: int) -> None:
        self._app, self._hold = app, hold
        self.asked: list[str] = []
        self.reached, self.opened = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        import asyncio

        if scope["type"] == "http":
            params = parse_qs(scope["query_string"].decode())
            if params["verb"] == ["ListRecords"]:
                self.asked.append(params.get("resumptionToken", [""])[0])
                if len(self.asked) == self._hold:
                    self.reached.set()
                    await asyncio.to_thread(self.opened.wait, 30)
        await self._app(scope, receive, send)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    store = CatalogueStore(tmp_path / "source.sqlite")
    store.register(synthetic_dataset(number) for number in range(COUNT))
    made = Gate(make_app(store, None, "/", serve=OPEN), hold=4)
    yield made
    made.opened.set()
    store.close()


def test_killed_in_the_middle_it_goes_on_where_it_was(gate: Gate, tmp_path: Path) -> None:
    file = tmp_path / "harvested.sqlite"
    config = tmp_path / "nearfield.yaml"
    config.write_text("{}\n")
    # uvicorn takes any ASGI application.
    with in_thread(lambda: serving(gate)) as url:  # type: ignore[arg-type]
        argv = [sys.executable, "-m", "nearfield", "--config", str(config)]
        argv += ["catalogue", "harvest", f"{url}/oai", "--catalogue", str(file), "--json"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
            assert gate.reached.wait(30)
            first.send_signal(signal.SIGKILL)
            assert first.wait(30) == -signal.SIGKILL
        store = CatalogueStore(file)
        assert store.count() == 300
        store.close()
        gate.opened.set()

        again = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode == 0, again.stderr
        said = json.loads(again.stdout)
        assert (said["resumed"], said["pages"], said["registered"]) == (True, 4, COUNT - 300)
        # The page that was not written was asked for again, and none before it.
        assert gate.asked[3] == gate.asked[4]
        assert len(gate.asked) == len(set(gate.asked)) + 1 == 8

        third = subprocess.run(argv[:-1], capture_output=True, text=True, timeout=60, check=False)
        assert third.returncode == 0, third.stderr
        assert "changed since" in third.stdout
    store = CatalogueStore(file)
    assert store.count() == COUNT
    store.close()
