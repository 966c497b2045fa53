"""From the hub's log-in to the numbers in a notebook, through the panel and through the widget."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from hublab.process import HubProcess
from panels.lab import LONG, Lab

pytestmark = pytest.mark.system
Shot = Callable[[Page, str], None]
TITLE = re.compile("detector stack", re.I)


def session(hub: HubProcess, page: Page, user: str) -> Lab:
    """Log in through the page, start what is offered first, wait for JupyterLab."""
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", user)
    page.fill("#password_input", hub.admin_token)
    page.click("#login_submit")
    page.wait_for_url(re.compile(r"/hub/(spawn|home)"))
    page.goto(f"{hub.url}/hub/spawn?opt-profile=general")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(f"/user/{user}/lab"), timeout=LONG)
    Lab(page).ready()
    page.goto(f"{hub.url}/user/{user}/lab?reset")  # without what an earlier test left open
    lab = Lab(page).ready()
    lab.dismiss_news()
    return lab


@pytest.fixture
def page(browser: Browser) -> Any:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def test_from_the_login_to_the_data(
    hub: HubProcess, page: Page, pids: dict[str, str], shot: Shot
) -> None:
    lab = session(hub, page, "alice").open_panel()
    expect(lab.panel.get_by_role("status").first).to_contain_text(
        re.compile(r"100,0\d\d datasets, 50 shown"), timeout=LONG
    )
    lab.find("detector stack")
    expect(lab.rows).to_have_count(1)  # bob's is not hers to see
    lab.rows.first.click()
    expect(lab.card.get_by_role("heading", level=2)).to_have_text(TITLE)
    expect(lab.card).to_contain_text("owner alice")
    lab.insert()
    expect(lab.cells.first).to_contain_text(pids["alice"])
    page.keyboard.press("Shift+Enter")
    expect(lab.output.first).to_be_visible(timeout=LONG)
    expect(lab.output.first).to_have_text(TITLE)
    lab.dismiss_news()
    shot(page, "lab-dataset-in-notebook")
    said = lab.printed("print(signal.shape, signal[0].sum() > 0)")
    assert said == "(40, 128, 128) True", said

    # The same in the notebook itself.
    lab.type_cell("from nearfield_widgets import DatasetPicker\npicker = DatasetPicker()\npicker")
    picker = page.get_by_role("group", name="Dataset picker")
    search = picker.get_by_role("combobox", name="Search datasets")
    search.fill("detector stack")
    search.press("Enter")
    rows = picker.get_by_role("listbox", name="Datasets found").get_by_role("option")
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(rows.first).to_have_attribute("aria-selected", "true")
    expect(picker.get_by_role("list", name="Chosen datasets")).to_have_text(TITLE)
    shot(page, "dataset-picker")
    assert lab.printed("print([d.pid for d in picker.value])") == str([pids["alice"]])
    assert lab.printed("picker.selected = []; print(picker.query, picker.value)").endswith("()")
    expect(picker).to_contain_text("None chosen")


def test_by_keyboard_alone(hub: HubProcess, page: Page, pids: dict[str, str], shot: Shot) -> None:
    lab = session(hub, page, "bob")
    keys = page.keyboard
    keys.press("Control+Alt+d")
    expect(lab.search).to_be_focused()
    keys.type("detector stack")
    keys.press("Enter")
    lab.answered("detector stack")
    expect(lab.rows).to_have_count(1)
    keys.press("ArrowDown")
    expect(lab.rows.first).to_be_focused()
    keys.press("Enter")
    expect(lab.card.get_by_role("heading", level=2)).to_be_focused()
    insert = lab.card.get_by_role("button", name="Insert into notebook")
    for _ in range(5):
        keys.press("Tab")
        if insert.evaluate("button => button === document.activeElement"):
            break
    expect(insert).to_be_focused()
    shot(page, "panel-by-keyboard")
    keys.press("Enter")
    lab.inserted()
    keys.press("Shift+Enter")
    expect(lab.output.first).to_have_text(TITLE, timeout=LONG)
    keys.type("print(ds.pid)")
    keys.press("Shift+Enter")
    expect(lab.output.last).to_have_text(pids["bob"], timeout=LONG)
    keys.press("Control+Alt+d")
    keys.press("Escape")
    expect(lab.rows.first).to_be_focused()
    keys.press("Escape")
    expect(lab.search).to_be_focused()
