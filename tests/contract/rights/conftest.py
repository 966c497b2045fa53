"""Whose process it is, for the tests of rights: the source, the home, a session's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from asgi import in_thread
from asgi.service import running
from nearfield.catalogue import CatalogueStore
from panels.server import LabServer, lab_server
from rightslab.asking import config_of, keep_token, token_of
from rightslab.sources import Source, source
from rightslab.table import PEOPLE, SEES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hub's own service, which holds nothing yet."""
    store = CatalogueStore(tmp_path_factory.mktemp("home") / "home.sqlite", "home")
    with in_thread(lambda: running(store)) as url:
        yield url
    store.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A session's server; the tests say whose."""
    folder = tmp_path_factory.mktemp("lab")
    CatalogueStore(folder / "home.sqlite", "home").close()
    with lab_server(folder, {}) as server:
        yield server


@pytest.fixture(scope="module", params=sorted(SEES))
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def held(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with source(driver, tmp_path_factory.mktemp(driver)) as found:
        yield found


@pytest.fixture(params=PEOPLE)
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def process(
    held: Source, who: str, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process is that person's."""
    config = config_of(held, who, {"driver": "service", "url": home})
    (tmp_path / "nearfield.yaml").write_text(json.dumps(config))
    keep_token(tmp_path, who)
    monkeypatch.setenv("NEARFIELD_CONFIG", str(tmp_path / "nearfield.yaml"))
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
    monkeypatch.delenv("NEARFIELD_CATALOGUE_URL", raising=False)
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    if token := token_of(who):
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", token)


@pytest.fixture
def session(held: Source, who: str, lab: LabServer) -> Iterator[httpx.Client]:
    """The Jupyter server is that person's."""
    keep_token(lab.config.parent / "nearfield", who)
    lab.use(config_of(held, who, {"path": str(lab.config.parent / "home.sqlite")}))
    with httpx.Client(
        base_url=f"{lab.url}/nearfield/api/",
        headers={"Authorization": f"token {lab.token}"},
        timeout=60,
    ) as client:
        yield client
