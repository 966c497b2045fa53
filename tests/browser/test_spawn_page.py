"""The spawn page in a real browser: from a dataset to a session, in all the ways people use it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, Route, expect

from hublab.process import HubProcess

pytestmark = pytest.mark.system
Visit = Callable[..., Page]
Shot = Callable[[Page, str], None]


def planned(page: Page) -> Any:
    """The summary, once it is about what is chosen now."""
    summary = page.locator("#nf-plan:not(.nf-waiting)")
    expect(summary).to_contain_text(re.compile("Estimated start|cannot"))
    return summary


def start(page: Page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()


def in_theme(page: Page, name: Literal["dark", "light"]) -> None:
    page.emulate_media(color_scheme=name)
    page.evaluate("name => { document.documentElement.dataset.bsTheme = name; }", name)


def test_from_a_dataset_to_lab(hub: HubProcess, visit: Visit, shot: Shot) -> None:
    """Somebody who has never seen it: dataset, environment, hardware, stages, Lab with /data."""
    page = visit("alice")
    page.goto(f"{hub.url}/hub/spawn")
    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    expect(page.locator(".nf-free").first).to_contain_text("cores idle")

    page.get_by_role("combobox", name="Search datasets").fill("detector")
    option = page.get_by_role("option", name=re.compile("detector stack", re.I))
    expect(option).to_contain_text("storage-a")
    shot(page, "spawn-search")
    option.click()
    page.keyboard.press("Escape")
    chip = page.get_by_role("list", name="Chosen datasets").get_by_role("listitem")
    expect(chip).to_contain_text("on storage-a")

    # What is made for the data is first and chosen; the others can still be reached.
    first = page.locator("#nf-profiles .nf-card").first
    expect(first).to_contain_text("fits your data")
    expect(first.get_by_role("radio")).to_be_checked()
    other = page.locator("#nf-profiles .nf-other").filter(has_text="Simulated fields")
    expect(other).to_contain_text("made for other data")
    page.get_by_role("radio", name="As much as you need").check()
    page.get_by_role("slider", name="Memory (MiB)").fill("1000")
    expect(page.get_by_role("spinbutton", name="Memory (MiB)")).to_have_value("1000")
    expect(planned(page)).to_contain_text("next to your data on storage-a; 0 B cross the network")
    shot(page, "spawn-ready-to-start")
    in_theme(page, "dark")
    shot(page, "spawn-ready-to-start-dark")
    in_theme(page, "light")

    start(page)
    page.wait_for_url(re.compile("/hub/spawn-pending/alice"))
    steps = page.get_by_role("list", name="Steps")
    expect(steps).to_contain_text("Submitted as job")
    shot(page, "pending")
    page.wait_for_url(re.compile("/user/alice/lab"), timeout=60_000)
    page.locator("#jp-main-dock-panel").wait_for(timeout=60_000)
    token = hub.user_token("alice")
    seen = hub.execute("alice", token, "import os; print(sorted(os.listdir('/data')))")
    server = hub.server("alice")
    assert server is not None
    assert len(server["user_options"]["datasets"]) == 1
    assert server["user_options"]["memory_mb"] == 1000
    assert len(eval(seen)) == 1, seen  # noqa: S307 - the list that our own code printed
    shot(page, "lab")


def test_by_keyboard_alone(hub: HubProcess, visit: Visit) -> None:
    page = visit("bob")
    page.goto(f"{hub.url}/hub/spawn")
    search = page.get_by_role("combobox", name="Search datasets")
    search.wait_for()
    keys = page.keyboard

    def tab_to(target: Any) -> None:
        for _ in range(30):
            if target.evaluate("element => element === document.activeElement"):
                outline = target.evaluate(
                    "e => { const c = e.closest('.nf-card') ?? e; const s = getComputedStyle(e);"
                    " const t = getComputedStyle(c); return s.outlineStyle + t.outlineStyle"
                    " + s.boxShadow; }"
                )
                assert outline != "nonenonenone", "the focus cannot be seen"
                return
            keys.press("Tab")
        raise AssertionError("cannot be reached by Tab")

    tab_to(search)
    keys.type("detector")
    expect(page.locator("#nf-results").get_by_role("option")).to_have_count(1)
    keys.press("ArrowDown")
    active = search.get_attribute("aria-activedescendant")
    assert active and page.locator(f"#{active}").get_attribute("aria-selected") == "false"
    keys.press("Enter")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    assert page.url.endswith("/hub/spawn"), "Enter in the search starts nothing"
    keys.press("Escape")
    expect(page.get_by_role("listbox", name="Datasets found")).to_be_hidden()
    tab_to(page.get_by_role("radio", name="Detector frames"))
    keys.press("ArrowDown")
    while not page.get_by_role("radio", name="A queue").is_checked():
        keys.press("ArrowDown")
    tab_to(page.get_by_role("radio", name="Two cores of the small partition"))
    keys.press("ArrowDown")
    cores = page.get_by_role("slider", name="CPU cores")
    tab_to(cores)
    keys.press("ArrowRight")
    tab_to(page.get_by_role("button", name="Start", exact=True))
    planned(page)
    keys.press("Enter")
    page.wait_for_url(re.compile("/hub/spawn-pending/bob|/user/bob"))
    options = hub.wait_ready("bob")["user_options"]
    assert (options["profile"], options["hardware"], options["cores"]) == ("queue", "flexible", 2)
    assert len(options["datasets"]) == 1


def test_without_javascript(
    hub: HubProcess, visit: Visit, pids: dict[str, str], shot: Shot
) -> None:
    page = visit("alice", java_script_enabled=False)
    page.goto(f"{hub.url}/hub/spawn")
    page.get_by_label("Datasets (PIDs, one per line)").fill(pids["bob"])
    page.locator("[name=profile][value=general]").check()
    page.locator("[name='hardware:general'][value=flexible]").check()
    page.locator("[name='cores:general:flexible']").fill("77")
    page.locator("[name=profile][value=queue]").check()
    # Each profile offers its own hardware alone.
    offered = page.locator("[data-hardware] > input:visible")
    expect(offered).to_have_count(2)
    assert {one.get_attribute("name") for one in offered.all()} == {"hardware:queue"}
    page.locator("[name='hardware:queue'][value=flexible]").check()
    # Of the other profiles nothing counts, whatever is in their fields.
    page.locator("[name='cores:queue:flexible']").fill("2")
    shot(page, "spawn-without-javascript")
    start(page)
    # bob's dataset is refused on the page, and what was chosen is still there.
    expect(page.locator(".spawn-error-msg")).to_contain_text(pids["bob"])
    expect(page.locator("[name='cores:queue:flexible']")).to_have_value("2")
    page.get_by_label("Datasets (PIDs, one per line)").fill(pids["alice"])
    start(page)
    options = hub.wait_ready("alice")["user_options"]
    assert options == {
        **{"profile": "queue", "hardware": "flexible", "datasets": [pids["alice"]]},
        **{"cores": 2, "memory_mb": 800, "minutes": 30},
    }


def test_a_link_fills_in_and_starts_nothing(
    hub: HubProcess, visit: Visit, pids: dict[str, str]
) -> None:
    page = visit("alice")
    wanted = f"opt-dataset={pids['alice']}&opt-profile=general&opt-hardware=flexible&opt-cores=2"
    page.goto(f"{hub.url}/hub/spawn?{wanted}")
    assert hub.server("alice") is None
    chip = page.get_by_role("list", name="Chosen datasets").get_by_role("listitem")
    expect(chip).to_contain_text("on storage-a")
    # A link's environment stays, also where another one is made for the data.
    expect(page.get_by_role("radio", name="General analysis")).to_be_checked()
    expect(page.get_by_role("radio", name="As much as you need")).to_be_checked()
    expect(page.get_by_role("slider", name="CPU cores")).to_have_value("2")
    planned(page)
    assert hub.server("alice") is None
    page.goto(f"{hub.url}/hub/spawn?opt-profile=nothing&opt-runtime=1")
    expect(page.get_by_role("alert").first).to_contain_text("link")
    assert hub.server("alice") is None


def test_what_may_not_be_read_is_said_in_place(
    hub: HubProcess, visit: Visit, pids: dict[str, str], shot: Shot
) -> None:
    page = visit("alice")
    page.goto(f"{hub.url}/hub/spawn?opt-dataset={pids['bob']}")
    problem = page.locator("#nf-data .nf-problem, #nf-data .nf-why").filter(has_text=pids["bob"])
    expect(problem.first).to_be_visible()
    expect(planned(page)).to_contain_text("cannot start")
    shot(page, "spawn-refused")
    start(page)
    expect(page.locator("#nf-data").locator(":focus")).to_be_visible()
    assert hub.server("alice") is None
    # Taken away, it can start.
    page.get_by_role("button", name=re.compile("^Remove")).click()
    expect(planned(page)).to_contain_text("Estimated start")


def test_a_value_outside_its_limits_is_said_beside_it(hub: HubProcess, visit: Visit) -> None:
    page = visit("alice")
    page.goto(f"{hub.url}/hub/spawn?opt-profile=general&opt-hardware=flexible")
    word = page.get_by_role("textbox", name="Reservation")
    word.fill("Friday")
    word.blur()
    beside = page.locator("[data-option=reservation] .nf-problem").filter(visible=True)
    expect(beside).to_contain_text("beam-[0-9]+")
    expect(word).to_have_attribute("aria-invalid", "true")


def test_waiting_and_cancelling(hub: HubProcess, visit: Visit, shot: Shot) -> None:
    assert hub.request_server("carol", {"profile": "queue"}).status_code in {201, 202}
    hub.wait_ready("carol")
    page = visit("alice")
    page.goto(f"{hub.url}/hub/spawn?opt-profile=queue")
    planned(page)
    start(page)
    page.wait_for_url(re.compile("/hub/spawn-pending/alice"))
    waiting = page.locator(".nf-stepline.nf-now")
    expect(waiting).to_contain_text("Waiting in the queue")
    expect(page.locator("#nf-since")).to_contain_text("for ")
    shot(page, "pending-in-the-queue")
    in_theme(page, "dark")
    shot(page, "pending-in-the-queue-dark")
    page.set_viewport_size({"width": 400, "height": 740})
    shot(page, "pending-in-the-queue-narrow")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url(re.compile("/hub/spawn/alice"), timeout=30_000)
    assert hub.server("alice") is None


def test_a_catalogue_or_cluster_that_is_down_is_said(
    hub: HubProcess, visit: Visit, shot: Shot
) -> None:
    page = visit("alice")
    down = '{"status": 503, "message": "the catalogue does not answer", "hint": null}'
    page.route("**/nearfield/datasets*", lambda r: r.fulfill(status=503, body=down))
    page.route("**/nearfield/plan", lambda r: r.abort())
    page.route("**/nearfield/availability", lambda r: r.abort())
    page.goto(f"{hub.url}/hub/spawn?opt-profile=queue&opt-hardware=flexible")
    page.get_by_role("combobox", name="Search datasets").fill("detector")
    expect(page.locator("#nf-status")).to_contain_text("You can still start without one")
    expect(page.locator("#nf-plan")).to_contain_text("You can still start")
    expect(page.locator(".nf-free:visible").first).to_contain_text("cannot be told now")
    shot(page, "spawn-catalogue-down")
    start(page)
    hub.wait_ready("alice")


def test_a_search_that_is_not_understood_is_pointed_at(
    hub: HubProcess, visit: Visit, shot: Shot
) -> None:
    page = visit("alice")
    page.goto(f"{hub.url}/hub/spawn")
    query = page.get_by_role("combobox", name="Search datasets")
    status = page.locator("#nf-status")
    query.fill("detector technque:NXsas")
    expect(status).to_contain_text("unknown field 'technque'")
    expect(status).to_contain_text("did you mean technique:?")
    expect(status.locator("mark")).to_have_text("t")
    expect(status.locator("code")).to_have_text("detector technque:NXsas")
    shot(page, "spawn-search-not-understood")
    in_theme(page, "dark")
    shot(page, "spawn-search-not-understood-dark")
    # What was typed stays, and is mended.
    expect(query).to_have_value("detector technque:NXsas")
    query.fill("detector technique:NXsas")
    expect(page.get_by_role("option").first).to_be_visible()
    expect(status.locator("mark")).to_have_count(0)
    query.fill("technique:NXnothing")
    expect(status).to_contain_text("No dataset that you may see fits")


def test_what_a_session_cannot_have_is_shown_and_not_chosen(
    hub: HubProcess, visit: Visit, shot: Shot
) -> None:
    page = visit("alice")
    far = {"pid": "10.5281/zenodo.7", "title": "Far <b>away</b>", "techniques": ["SAXS"]}
    nothing = dict.fromkeys(("instrument", "created", "storage"))
    answer = {
        "datasets": [{**far, **nothing, "size": 1000, "files": 1, "type": "raw", "source": "far"}],
        "next": None,
        "total": 1,
        "unusable": {far["pid"]: "It lies on no storage of this site."},
        "sources": [{"source": "icat", "state": "timeout", "message": "no answer in 3 s"}],
    }
    page.route("**/nearfield/datasets*", lambda r: r.fulfill(body=json.dumps(answer)))
    page.goto(f"{hub.url}/hub/spawn")
    page.get_by_role("combobox", name="Search datasets").fill("far")
    option = page.locator("#nf-results").get_by_role("option")
    expect(option).to_contain_text("Far <b>away</b>")
    expect(option).to_contain_text("It lies on no storage of this site.")
    expect(option).to_have_attribute("aria-disabled", "true")
    status = page.locator("#nf-status")
    expect(status).to_contain_text("Not from all catalogues: icat: no answer in 3 s")
    shot(page, "spawn-search-unusable")
    for choose in (lambda: option.click(force=True), lambda: page.keyboard.press("Enter")):
        choose()
        expect(status).to_contain_text("cannot be chosen")
        expect(option).to_have_attribute("aria-selected", "false")
    expect(page.locator("#nf-chosen li")).to_have_count(0)


def test_on_a_narrow_screen(
    hub: HubProcess, visit: Visit, pids: dict[str, str], shot: Shot
) -> None:
    page = visit("alice", viewport={"width": 360, "height": 740})
    page.goto(f"{hub.url}/hub/spawn?opt-dataset={pids['alice']}&opt-hardware=flexible")
    planned(page)
    page.locator(".nf-image:visible summary").click()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} px wider than the screen"
    shot(page, "spawn-narrow")


def test_the_card_of_the_chosen_environment(
    hub: HubProcess, visit: Visit, pids: dict[str, str], shot: Shot
) -> None:
    page = visit("alice")
    page.goto(f"{hub.url}/hub/spawn?opt-dataset={pids['alice']}&opt-profile=frames")
    card = page.locator(".nf-image").filter(visible=True)
    # A hub that has yet to look at the image is asked again.
    expect(card.locator("summary")).to_contain_text("Signature verified", timeout=15_000)
    page.get_by_role("radio", name="Detector frames").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("open", "")
    expect(card).to_contain_text("Detector stacks with pyFAI")
    expect(card).to_contain_text("python3")
    shown = hub.api("GET", "nearfield/choices", token=hub.user_token("alice")).json()
    told = {one["name"]: one["environment"]["card"] for one in shown["profiles"]}
    expect(card).to_contain_text(told["frames"]["digest"])
    [signer] = told["frames"]["signers"]
    assert signer.upper() in card.inner_text().replace(" ", "")
    planned(page)
    shot(page, "spawn-environment")
    page.get_by_role("radio", name="General analysis").check()
    expect(card).to_have_count(1)
    expect(card.locator("summary")).to_contain_text("No signature asked for")
    # What has no image has no card.
    page.get_by_role("radio", name="A queue").check()
    expect(card).to_have_count(0)


def test_what_a_session_will_miss_is_said_and_hinders_nothing(
    hub: HubProcess, visit: Visit
) -> None:
    page = visit("alice")
    missed = "dataset x links to /far/<b>away</b>, in no storage of this profile"

    def with_note(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "notes": [missed]})

    page.route("**/nearfield/plan", with_note)
    page.goto(f"{hub.url}/hub/spawn?opt-profile=queue")
    note = page.get_by_role("list", name="Notes").get_by_role("listitem")
    expect(note).to_have_text("D" + missed[1:] + ".")
    expect(planned(page)).to_contain_text("Estimated start")


def test_nothing_made_for_other_data_is_offered_instead(
    hub: HubProcess, pids: dict[str, str]
) -> None:
    asked = {"profile": "queue", "datasets": [pids["alice"]]}
    answer = hub.api("POST", "nearfield/plan", token=hub.user_token("alice"), json=asked)
    assert answer.status_code == 200, answer.text
    offered = {other["profile"] for other in answer.json()["alternatives"]}
    assert "frames" in offered
    assert "fields" not in offered
