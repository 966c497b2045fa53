"""JupyterLab on a server of its own, over 100,000 records: what the panel shows in each state.

No hub and no cluster here: the way from a hub's log-in to the data is ``test_data_panel.py``'s, in
the folder above.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from nearfield.catalogue import CatalogueStore, scan
from nearfield.config import parse_config
from nearfield.sample_data import make_sample_data
from panels.lab import Lab
from panels.seeding import MANY, seed
from panels.server import LabServer, lab_server

# JupyterLab saves its layout in the background, and says so where a test takes the network or the
# server away. Requests of the panel do not come from there.
LAYOUT_NOT_SAVED = re.compile(r"^Failed to fetch\n(.*\n)*.*\.save \(\S*/static/lab/jlab_core\.")


@pytest.fixture
def no_servers_left() -> None:
    """There is no hub here that could have any."""


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """nearfield.yaml over 100,000 records and some files that are really there."""
    folder = tmp_path_factory.mktemp("catalogue")
    file = folder / "catalogue.sqlite"
    seed(file, "lab", MANY)
    data = folder / "data"
    data.mkdir()
    make_sample_data(data)
    config = {
        "catalogue": {"name": "lab", "path": str(file)},
        "storages": {"disk": {"prefix": str(data)}},
    }
    store = CatalogueStore(file, "lab")
    scan(store, data, parse_config(json.dumps(config)))
    store.close()
    return config


@pytest.fixture(scope="session")
def server(
    catalogues: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("server"), catalogues) as running:
        yield running


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A fresh window. Errors of the page fail the test."""
    opened: list[BrowserContext] = []
    errors: list[str] = []

    def open_window(**options: Any) -> Page:
        size = {"viewport": {"width": 1280, "height": 860}}
        context = browser.new_context(**{**size, **options})
        context.set_default_timeout(20_000)
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack}"))
        return page

    yield open_window
    for context in opened:
        context.close()
    errors = [error for error in errors if not LAYOUT_NOT_SAVED.search(error)]
    assert not errors, errors


@pytest.fixture
def lab(
    server: LabServer, catalogues: dict[str, Any], window: Callable[..., Page]
) -> Iterator[Lab]:
    """JupyterLab with the panel open, over all records."""
    page = window()
    page.goto(server.page)
    yield Lab(page).ready().open_panel().answered("")
    server.use(catalogues)
