"""axe-core finds nothing to complain about in the panel, whatever it shows, in both themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from panels.axe import violations
from panels.catalogue_down import Hung
from panels.contrast import faint
from panels.lab import Lab
from panels.server import LabServer

PANEL = "#nearfield-data"
Shot = Callable[[Page, str], None]


def complaints(page: Page) -> list[str]:
    return [*violations(page, PANEL), *faint(page, PANEL)]


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_no_violations(
    lab: Lab, server: LabServer, catalogues: dict[str, Any], shot: Shot, theme: str
) -> None:
    lab.theme(theme)
    word = theme.rpartition(" ")[2].lower()
    found: dict[str, list[str]] = {}

    lab.find("lysozyme type:raw")
    lab.panel.get_by_role("button", name="Filters").click()
    expect(lab.panel.get_by_role("group", name="Technique")).to_be_visible()
    lab.rows.first.hover()
    found["results and filters"] = complaints(lab.page)
    shot(lab.page, f"panel-filters-{word}")
    lab.panel.get_by_role("button", name="Filters").click()

    lab.search.press("End")
    lab.search.press_sequentially(" instrument:B0")
    expect(lab.panel.get_by_role("listbox", name="Completions")).to_be_visible()
    lab.page.keyboard.press("ArrowDown")
    found["completions"] = complaints(lab.page)
    shot(lab.page, f"panel-completions-{word}")
    lab.page.keyboard.press("Escape")

    lab.find("detector stack")
    lab.rows.first.click()
    expect(lab.card.get_by_role("heading", level=2)).to_contain_text("detector stack")
    for details in lab.card.locator("summary").all():
        details.click()
    found["card"] = complaints(lab.page)
    shot(lab.page, f"panel-card-{word}")
    lab.page.keyboard.press("Escape")

    lab.find("lysozyme instrment:B02")
    found["mistake"] = complaints(lab.page)
    lab.find("quetzalcoatl")
    found["nothing"] = complaints(lab.page)
    with Hung() as url:
        icat = {"driver": "icat", "facility": "X", "url": url, "timeout": 0.5}
        server.use({**catalogues, "catalogues": {"far-icat": icat}})
        lab.find("lysozyme")
        expect(lab.panel).to_contain_text("no answer in")
        found["one hung"] = complaints(lab.page)
    assert {what: seen for what, seen in found.items() if seen} == {}


def test_what_is_looked_for_is_found(lab: Lab) -> None:
    """The tests themselves: a button without a name is seen, and white on orange."""
    lab.find("lysozyme")
    assert complaints(lab.page) == []
    lab.page.add_style_tag(content=".nf-row mark { background: orange; color: white; }")
    assert any("MARK" in one for one in faint(lab.page, PANEL))
    lab.panel.evaluate("panel => panel.append(document.createElement('button'))")
    assert any("button-name" in one for one in violations(lab.page, PANEL))
