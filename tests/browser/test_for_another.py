"""The spawn page for somebody else: looked up with that user's rights, or refused in words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from hublab.process import HubProcess

pytestmark = pytest.mark.system
Visit = Callable[..., Page]


def found(hub: HubProcess, token: str, **more: str) -> list[str]:
    answer = hub.api(
        "GET", "nearfield/datasets", token=token, params={"text": "detector stack", **more}
    )
    assert answer.status_code == 200, answer.text
    return [dataset["pid"] for dataset in answer.json()["datasets"]]


def test_who_may_enter_her_sessions_finds_her_data(
    hub: HubProcess, visit: Visit, pids: dict[str, str], shot: Callable[[Page, str], None]
) -> None:
    carols = hub.user_token("carol")
    assert found(hub, carols) == [], "she finds nothing of alice's for herself"
    page = visit("carol")
    page.goto(f"{hub.url}/hub/spawn/alice?opt-profile=frames")
    expect(page.locator("#nf-for")).to_contain_text("those of alice")
    page.get_by_role("combobox", name="Search datasets").fill("detector")
    page.get_by_role("option", name=re.compile("detector stack", re.I)).click()
    page.keyboard.press("Escape")
    chip = page.get_by_role("list", name="Chosen datasets").get_by_role("listitem")
    expect(chip).to_have_attribute("data-pid", pids["alice"])
    expect(page.locator("#nf-plan:not(.nf-waiting)")).to_contain_text("on storage-a")
    shot(page, "spawn-for-another")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile("/hub/spawn-pending/alice|/user/alice"))
    assert hub.wait_ready("alice")["user_options"]["datasets"] == [pids["alice"]]
    # What she may do for alice she may not do for bob.
    refused = hub.api("GET", "nearfield/datasets", token=carols, params={"user": "bob"})
    assert refused.status_code == 403, refused.text


def test_who_may_only_start_them_does_not_look_with_her_rights(
    hub: HubProcess, visit: Visit, pids: dict[str, str]
) -> None:
    bobs = hub.user_token("bob")
    page = visit("bob")
    page.goto(f"{hub.url}/hub/spawn/alice?opt-profile=queue")
    plan = page.locator("#nf-plan:not(.nf-waiting)")
    expect(plan).to_contain_text("Estimated start")
    search = page.get_by_role("combobox", name="Search datasets")
    search.fill("detector")
    expect(page.locator("#nf-status")).to_contain_text("takes the scope access:servers!user=alice")
    expect(page.get_by_role("option")).to_have_count(0)
    search.fill(pids["alice"])
    search.press("Enter")
    expect(plan).to_contain_text("takes the scope access:servers!user=alice")
    asked = {"datasets": [pids["alice"]], "profile": "frames"}
    for method, path, body in (
        ("GET", "nearfield/datasets", None),
        ("POST", "nearfield/plan", asked),
    ):
        answer = hub.api(method, path, token=bobs, params={"user": "alice"}, json=body)
        assert answer.status_code == 403, answer.text
        assert "access:servers!user=alice" in answer.json()["message"]
        assert pids["alice"] not in answer.text
    assert found(hub, bobs) == [pids["bob"]]


def test_a_plan_is_for_the_server_that_is_meant(hub: HubProcess, visit: Visit) -> None:
    """Its name goes along; a server that is only planned is not made."""
    page = visit("alice")
    with page.expect_request(re.compile("nearfield/plan")) as asked:
        page.goto(f"{hub.url}/hub/spawn/alice/two")
    assert asked.value.url.endswith("nearfield/plan?server=two")
    expect(page.locator("#nf-plan:not(.nf-waiting)")).to_contain_text("Estimated start")
    answer = hub.api(
        "POST",
        "nearfield/plan",
        token=hub.user_token("alice"),
        params={"server": "three"},
        json={"profile": "queue"},
    )
    assert answer.status_code == 200 and answer.json()["problems"] == [], answer.text
    known = hub.api("GET", "users/alice", params={"include_stopped_servers": "1"}).json()
    assert "three" not in known["servers"]
