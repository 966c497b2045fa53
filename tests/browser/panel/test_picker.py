"""DatasetPicker in a notebook: its search is the kernel's, what is chosen is Python's."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from panels.axe import violations
from panels.contrast import faint
from panels.lab import LONG, Lab

Shot = Callable[[Page, str], None]


@pytest.fixture
def shown(lab: Lab) -> Lab:
    """A notebook with a picker in it."""
    lab.find("pid:seeded/000555").rows.first.click()
    lab.insert()
    lab.type_cell("from nearfield_widgets import DatasetPicker\npicker = DatasetPicker()\npicker")
    expect(picker_of(lab)).to_be_visible(timeout=LONG)
    return lab


def picker_of(lab: Lab) -> Locator:
    return lab.page.get_by_role("group", name="Dataset picker")


def rows_of(picker: Locator) -> Locator:
    return picker.get_by_role("listbox", name="Datasets found").get_by_role("option")


def test_choose_several_and_use_them(shown: Lab, shot: Shot) -> None:
    picker = picker_of(shown)
    search = picker.get_by_role("combobox", name="Search datasets")
    search.fill("zeolite instrument:B02")
    search.press("Enter")
    expect(rows_of(picker).first).to_contain_text("zeolite", timeout=LONG)
    search.press("ArrowDown")
    shown.page.keyboard.press("Space")
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("Enter")
    expect(picker.get_by_role("status").last).to_have_text("2 datasets chosen")
    chosen = picker.get_by_role("list", name="Chosen datasets").get_by_role("listitem")
    pids = chosen.evaluate_all("items => items.map(item => item.dataset.pid)")
    assert len(pids) == 2
    shot(shown.page, "picker")
    assert shown.printed("print([d.pid for d in picker.value], picker.query)") == (
        f"{pids!r} zeolite instrument:B02"
    )
    picker.get_by_role("button", name=re.compile("^Remove")).first.click()
    assert shown.printed("print(picker.selected)") == repr(pids[1:])
    shown.type_cell("picker.selected = []; picker.query = 'pid:seeded/000000'")
    expect(picker).to_contain_text("None chosen")
    expect(rows_of(picker)).to_have_count(1)
    expect(rows_of(picker).first).to_contain_text("<script>window.hacked")
    picker.get_by_role("button", name="Details").click()
    expect(picker.get_by_role("heading", level=2)).to_contain_text("<script>")
    picker.get_by_role("button", name="Choose").click()
    expect(picker.get_by_role("button", name="Choose")).to_have_attribute("aria-pressed", "true")
    assert shown.page.evaluate("() => 'hacked' in window") is False


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_no_violations(shown: Lab, theme: str, shot: Shot) -> None:
    shown.theme(theme)
    picker = picker_of(shown)
    expect(rows_of(picker).first).to_be_visible()
    rows_of(picker).first.click()
    expect(picker.get_by_role("list", name="Chosen datasets")).to_be_visible()
    picker.get_by_role("button", name="Filters").click()
    expect(picker.get_by_role("group", name="Technique")).to_be_visible()
    assert violations(shown.page, ".nf-picker") == []
    assert faint(shown.page, ".nf-picker") == []
    shot(shown.page, f"picker-{theme.rpartition(' ')[2].lower()}")


def test_a_mistake_is_shown_in_the_notebook_too(shown: Lab) -> None:
    picker = picker_of(shown)
    search = picker.get_by_role("combobox", name="Search datasets")
    search.fill("instrment:B02")
    search.press("Enter")
    expect(picker.get_by_role("alert")).to_contain_text("unknown field 'instrment'")
    expect(picker.get_by_role("alert").locator("mark")).to_have_text("i")
