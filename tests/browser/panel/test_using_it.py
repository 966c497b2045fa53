"""What one does in the panel: complete, filter, load more, drag, come back, undo nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

from panels.lab import Lab

Shot = Callable[[Page, str], None]


def test_typing_completes_fields_and_values(lab: Lab) -> None:
    offers = lab.panel.get_by_role("listbox", name="Completions")
    lab.search.press_sequentially("instr")
    expect(offers.get_by_role("option").first).to_contain_text("instrument")
    expect(lab.search).to_have_attribute("aria-expanded", "true")
    lab.page.keyboard.press("ArrowDown")
    active = lab.search.get_attribute("aria-activedescendant")
    assert active and lab.page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    lab.page.keyboard.press("Enter")
    expect(lab.search).to_have_value("instrument:")
    # A field asks for its value at once.
    expect(offers.get_by_role("option", name=re.compile("B07"))).to_contain_text("5,000")
    offers.get_by_role("option", name=re.compile("B07")).click()
    expect(lab.search).to_have_value(re.compile(r"^instrument:B07 ?$"))
    expect(lab.rows.first).to_contain_text("B07")
    expect(lab.search).to_be_focused()


def test_a_filter_is_a_part_of_the_search(lab: Lab) -> None:
    lab.find("lysozyme")
    lab.panel.get_by_role("button", name="Filters").click()
    value = lab.panel.get_by_role("group", name="Instrument").get_by_role("button").first
    name = (value.locator(".nf-facet-name").text_content() or "").strip()
    value.focus()
    lab.page.keyboard.press("Enter")
    lab.answered(f"lysozyme instrument:={name}")
    expect(lab.search).to_have_value(f"lysozyme instrument:={name}")
    same = lab.panel.locator(f".nf-facet-value[data-key='instrument/{name}']")
    expect(same).to_have_attribute("aria-pressed", "true")
    expect(same).to_be_focused()
    lab.page.keyboard.press("Enter")
    lab.answered("lysozyme")


def test_more_are_loaded_and_the_focus_stays(lab: Lab) -> None:
    lab.find("haematite")
    expect(lab.rows).to_have_count(50)
    seen = lab.rows.evaluate_all("rows => rows.map(row => row.dataset.pid)")
    lab.search.press("ArrowDown")
    expect(lab.rows.first).to_be_focused()
    lab.page.keyboard.press("End")
    expect(lab.rows.nth(49)).to_be_focused()
    lab.page.keyboard.press("ArrowDown")
    expect(lab.rows.nth(50)).to_be_focused()
    expect(lab.rows).to_have_count(100)
    now = lab.rows.evaluate_all("rows => rows.map(row => row.dataset.pid)")
    assert now[:50] == seen and len(set(now)) == 100
    lab.panel.get_by_role("button", name="Load more").click()
    expect(lab.rows).to_have_count(150)
    # One stop of the Tab key, however long the list is.
    assert lab.panel.locator(".nf-row[tabindex='0']").count() == 1


def drag(lab: Lab, target: Locator) -> None:
    """The first result to the upper left of ``target``."""
    row, to = lab.rows.first.bounding_box(), target.bounding_box()
    assert row and to
    mouse = lab.page.mouse
    mouse.move(row["x"] + 60, row["y"] + 12)
    mouse.down()
    for step in range(1, 11):
        mouse.move(
            row["x"] + 60 + (to["x"] + 200 - row["x"] - 60) * step / 10,
            row["y"] + 12 + (to["y"] + 10 - row["y"] - 12) * step / 10,
        )
        lab.page.wait_for_timeout(30)
    mouse.up()


def test_what_is_run_before_the_kernel_is_there_is_run(lab: Lab) -> None:
    """JupyterLab itself forgets it; the wait here is for a kernel that starts slowly."""
    waiting: list[Route] = []
    held = True

    def hold(route: Route) -> None:
        if held and route.request.method == "POST":
            waiting.append(route)
        else:
            route.fallback()

    lab.page.route(re.compile(r"/api/sessions(\?|$)"), hold)
    lab.find("pid:seeded/000555").rows.first.click()
    # A double click is one wish.
    lab.card.get_by_role("button", name="Insert into notebook").dblclick()
    expect(lab.cells.first).to_contain_text("seeded/000555")
    expect(lab.page.get_by_text("is starting").first).to_be_attached()
    expect(lab.page.get_by_text("Inserted into")).to_have_count(0)
    lab.page.keyboard.press("Shift+Enter")
    expect(lab.cells).to_have_count(2)
    expect(lab.output).to_have_count(0)
    expect(lab.page.locator(".jp-NotebookPanel")).to_have_count(1)
    # JupyterLab itself may have asked twice, and keeps the last.
    held = False
    assert waiting
    for route in waiting:
        route.continue_()
    lab.inserted()
    expect(lab.output.first).to_contain_text("lysozyme")
    expect(lab.cells.filter(has_text="seeded/000555")).to_have_count(1)


def test_a_dragged_dataset_is_a_cell_where_it_is_dropped(lab: Lab) -> None:
    lab.find("pid:seeded/000555").rows.first.click()
    lab.insert()
    target = lab.cells.first
    lab.page.keyboard.press("Control+Alt+d")
    lab.card.get_by_role("button", name="Results").click()
    lab.find("pid:seeded/000777")
    drag(lab, target)
    # Above the cell that was there, with the server's own code: it names the catalogue.
    expect(lab.cells.first).to_contain_text('nearfield.dataset("seeded/000777", source="lab")')
    expect(lab.cells.last).to_contain_text("seeded/000555")
    assert lab.page.evaluate("() => getSelection().toString()") == ""
    expect(lab.card).to_be_hidden()  # a drag is no click

    # An editor of files takes the same text.
    lab.page.evaluate("() => void window.jupyterapp.commands.execute('fileeditor:create-new', {})")
    editor = lab.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_be_visible()
    drag(lab, editor)
    expect(editor).to_contain_text('nearfield.dataset("seeded/000777", source="lab")')


def test_search_and_card_come_back(lab: Lab) -> None:
    lab.find("collagen instrument:B03")
    lab.rows.nth(2).click()
    title = lab.card.get_by_role("heading", level=2)
    kept = title.text_content()
    # What is kept is written a moment later.
    with lab.page.expect_response(re.compile(r"/lab/api/workspaces")):
        pass
    lab.page.goto(lab.page.url.split("?")[0])
    again = Lab(lab.page).ready()
    expect(again.panel).to_be_visible()
    expect(again.card.get_by_role("heading", level=2)).to_have_text(kept or "")
    again.page.keyboard.press("Control+Alt+d")
    again.card.get_by_role("button", name="Results").click()
    expect(again.search).to_have_value("collagen instrument:B03")
    expect(again.rows.first).to_contain_text("collagen")


def test_every_action_is_in_the_palette(lab: Lab, shot: Shot) -> None:
    lab.find("collagen")
    lab.rows.first.focus()
    lab.command("Show Dataset")
    expect(lab.card.get_by_role("heading", level=2)).to_contain_text("collagen")
    lab.command("Insert Dataset into Notebook")
    lab.inserted()
    lab.command("Search Datasets")
    lab.command("Back to the Datasets Found")
    expect(lab.rows.first).to_be_visible()
    lab.command("Show or Hide Filters of Datasets")
    expect(lab.panel.get_by_role("group", name="Technique")).to_be_visible()
    lab.command("Load More Datasets")
    expect(lab.rows).to_have_count(100)
    lab.command("Clear Search for Datasets")
    lab.answered("")
