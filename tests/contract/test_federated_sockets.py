"""Three catalogues behind real sockets, one of which takes connections and never answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nearfield
from asgi import in_thread, serving
from nearfield.catalogue import CatalogueStore, open_catalogue, stream_search
from nearfield.catalogue.service import make_app
from nearfield.config import Config, load_config
from nearfield.config.serving import ServeConfig
from nearfield.querying import DatasetsEvent, EndEvent, SourceEvent
from nearfield.querying.language import parse
from nearfield.testing.synthetic import synthetic_dataset

DOI = "10.5281/zenodo.7"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own service as a public PaNOSC API."""
    store = CatalogueStore(tmp_path_factory.mktemp("portal") / "c.sqlite")
    store.register(
        [
            synthetic_dataset(3, pid=DOI, techniques=("SAXS",)),
            synthetic_dataset(4, pid="portal-4", techniques=("NXsas",)),
            synthetic_dataset(5, pid="portal-5", techniques=("tomography",)),
        ]
    )
    app = make_app(store, None, "/s/", serve=ServeConfig(public=("panosc",)))
    with in_thread(lambda: serving(app)) as url:
        yield f"{url}/s/panosc/api"
    store.close()


@pytest.fixture
def hung() -> Iterator[str]:
    """The kernel takes the connection and the request; nobody ever answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"


@pytest.fixture
def site(tmp_path: Path, portal: str, hung: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    store = CatalogueStore(tmp_path / "home.sqlite", "home")
    store.register(
        [
            synthetic_dataset(1, pid="home-1", techniques=("SAXS",)),
            synthetic_dataset(3, pid="home-3", doi=DOI, techniques=("SAXS",)),
        ]
    )
    store.close()
    file = tmp_path / "nearfield.yaml"
    file.write_text(
        f"catalogue: {{name: home, path: {tmp_path / 'home.sqlite'}}}\n"
        "catalogues:\n"
        f"  portal: {{driver: panosc, url: '{portal}', timeout: 20}}\n"
        f"  hung: {{driver: panosc, url: '{hung}', timeout: 1}}\n"
    )
    monkeypatch.setenv("NEARFIELD_CONFIG", str(file))
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
    return file


def test_the_command_names_the_hung_one_after_the_time_that_it_has(site: Path) -> None:
    """With nothing said of times. How long the whole takes, benchmarks/federated_search.py says."""
    site.write_text(re.sub(r", timeout: \d+", "", site.read_text()))
    argv = [sys.executable, "-m", "nearfield", "catalogue", "search", "technique:saxs", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert [d["pid"] for d in said["datasets"]] == ["portal-4", "home-3", "home-1"]
    assert said["datasets"][1]["also_in"] == ["portal"]
    # Of the one that is silent nobody knows how many there would be.
    assert (said["total"], said["total_exact"], said["next"]) == (3, False, None)
    states = {state["source"]: (state["state"], state["message"]) for state in said["sources"]}
    assert states == {
        "home": ("answered", None),
        "portal": ("answered", None),
        "hung": ("timeout", "no answer in 3 s"),
    }


async def test_results_are_told_before_the_hung_one_is_given_up(site: Path) -> None:
    catalogue = open_catalogue(config())
    order: list[str] = []
    try:
        async for event in stream_search(catalogue, parse("technique:saxs")):
            if isinstance(event, DatasetsEvent):
                order += [dataset.pid for dataset in event.datasets]
            elif isinstance(event, SourceEvent) and event.state != "asking":
                order.append(f"{event.source} {event.state}")
            elif isinstance(event, EndEvent):
                order.append("end")
    finally:
        await catalogue.aclose()
    assert order[-2:] == ["hung timeout", "end"]
    assert {"home-1", "portal-4"} <= set(order[:-2])


async def test_leaving_the_search_leaves_no_connection(site: Path) -> None:
    before = open_sockets()
    catalogue = open_catalogue(config())
    events = stream_search(catalogue, parse("technique:saxs"))
    async for event in events:
        if isinstance(event, DatasetsEvent):
            break
    await events.aclose()
    await catalogue.aclose()
    # The portal is in this process, too: its end is closed a moment later, by its own thread.
    for _ in range(250):
        if open_sockets() <= before:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"left open: {open_sockets() - before}")


def test_python_works_without_a_hub(site: Path) -> None:
    page = nearfield.search("technique:saxs", source=("home", "portal"))
    assert [dataset.pid for dataset in page] == ["portal-4", "home-3", "home-1"]
    found = nearfield.dataset(f"https://doi.org/{DOI}", source="portal")
    assert (found.pid, found.source) == (DOI, "portal")
    assert "portal" in found._repr_html_()


def config() -> Config:
    return load_config()


def open_sockets() -> set[str]:
    names = set()
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own, already closed
            names.add(str(one.readlink()))
    return {name for name in names if name.startswith("socket:")}
