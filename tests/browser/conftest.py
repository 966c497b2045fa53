"""A real hub on the real cluster, and Chromium as the people who use it.

Screenshots go to ``build/screenshots``. Chromium is Debian's: ``apt install chromium``.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from hublab.images import Images, make_images
from hublab.people import PEOPLE, detector_stacks, make_data
from hublab.process import HubProcess
from hublab.running import leave_no_servers, running
from hublab.site import SETTINGS, site_config
from panels.seeding import MANY, seed

REPO = Path(__file__).resolve().parents[2]
SHOTS = REPO / "build/screenshots"

# As root Chromium has no sandbox; without the others it asks the network at every start.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

LOGIN = """
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = os.environ["NEARFIELD_TEST_ADMIN_TOKEN"]
# carol helps alice: she may start alice's sessions and go into them; bob may start them only.
start, enter = "servers!user=alice", "access:servers!user=alice"
c.JupyterHub.load_roles.append({"name": "helper", "users": ["carol"], "scopes": [start, enter]})
c.JupyterHub.load_roles.append({"name": "starter", "users": ["bob"], "scopes": [start]})
"""


def _system_conftest() -> Any:
    """The cluster's fixtures live with the system tests."""
    path = REPO / "tests/system/conftest.py"
    spec = importlib.util.spec_from_file_location("nearfield_system_conftest", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


cluster = _system_conftest().cluster


def page_config(cluster: Any, process: HubProcess, images: Images) -> dict[str, Any]:
    """The tests' site with the profiles that somebody sees who has never been there."""
    config = site_config(cluster, process.folder, process.url)
    image, stand_in = config["environments"]["image"], config["environments"]["stand-in"]
    config["environments"] = {
        "general": {**image, "title": "Python 3 for scattering"},
        "frames": {
            **{**image, "title": "Frames 2026.1", "techniques": ["NXmx", "NXsas"]},
            **{"image": str(images["signed"]), "signature": "required"},
            **{"keyring": str(images.keyring), "signers": [images.fingerprint]},
            "description": "Detector stacks with pyFAI, hdf5plugin and Dask.",
        },
        "fields": {**image, "title": "openPMD viewer", "techniques": ["openPMD"]},
        "stand-in": stand_in,
    }
    small = {"cluster": "lab", "partition": "short", "cores": 1, "memory_mb": 800, "minutes": 30}
    config["hardware"] = {
        "standard": {**small, "title": "One core"},
        "flexible": {
            **small,
            "title": "As much as you need",
            "choices": {
                "cores": {"least": 1, "most": 2},
                "memory_mb": {"least": 400, "most": 1200, "step": 100},
                "minutes": [10, 30, 60],
                "reservation": {"pattern": "beam-[0-9]+"},
            },
        },
        "two-cores": {
            **{**small, "title": "Two cores of the small partition"},
            **{"partition": "small", "cores": 2, "memory_mb": 100},
        },
    }
    both = ["standard", "flexible"]
    config["profiles"] = {
        "general": {
            **{"title": "General analysis", "environment": "general", "hardware": both},
            "description": "NumPy, SciPy, h5py and plotting.",
        },
        "fields": {
            **{"title": "Simulated fields", "environment": "fields", "hardware": both},
            "description": "Views and slices of openPMD series.",
        },
        "frames": {
            **{"title": "Detector frames", "environment": "frames", "hardware": both},
            "description": "Projections and masks of detector stacks.",
        },
        "queue": {
            **{"title": "A queue", "environment": "stand-in"},
            "hardware": ["two-cores", "flexible"],
        },
    }
    return config


@pytest.fixture(scope="session")
def hub(cluster: Any) -> Iterator[HubProcess]:
    """A running hub with a login page, over a catalogue of alice's and bob's data, and of as
    many old records as a facility has."""
    people = make_data(cluster)
    process = HubProcess(cluster=cluster, folder=Path(cluster.dir) / "hub-browser")
    process.prepare(page_config(cluster, process, make_images(cluster)), SETTINGS + LOGIN)
    seed(process.folder / "catalogue.sqlite", "lab", MANY)
    with running(process, people.values()):
        yield process


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is missing: apt install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def logged_in(hub: HubProcess, browser: Browser) -> dict[str, Any]:
    """The cookies of everybody, by name: each logs in once, through the login page."""
    found: dict[str, Any] = {}
    for user in PEOPLE:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{hub.url}/hub/login")
        page.fill("#username_input", user)
        page.fill("#password_input", hub.admin_token)
        page.click("#login_submit")
        page.wait_for_url(re.compile(r"/hub/(spawn|home)"))
        found[user] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def visit(browser: Browser, logged_in: dict[str, Any]) -> Iterator[Callable[..., Page]]:
    """``visit("alice", …)``: a fresh window of that person. Errors of the page fail the test."""
    opened: list[BrowserContext] = []
    errors: list[str] = []

    def open_window(user: str, **options: Any) -> Page:
        size = {"viewport": {"width": 1280, "height": 860}}
        context = browser.new_context(storage_state=logged_in[user], **{**size, **options})
        context.set_default_timeout(20_000)
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_window
    for context in opened:
        context.close()
    assert not errors, errors


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps what the page looks like."""
    SHOTS.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True, animations="disabled")

    return keep


@pytest.fixture
def pids(hub: HubProcess) -> dict[str, str]:
    """One detector stack of each person."""
    return detector_stacks(hub)


@pytest.fixture(autouse=True)
def no_servers_left(hub: HubProcess) -> Iterator[None]:
    """Each test ends without servers and jobs."""
    yield
    leave_no_servers(hub)
