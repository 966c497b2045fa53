"""Each thing that can be wrong has a state of its own in the panel, and says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from nearfield.catalogue import CatalogueStore
from panels.catalogue_down import Hung, takes_no_token
from panels.lab import Lab
from panels.server import LabServer, lab_server

Shot = Callable[[Page, str], None]


def test_a_catalogue_without_datasets(
    lab: Lab, server: LabServer, tmp_path: Path, shot: Shot
) -> None:
    CatalogueStore(tmp_path / "empty.sqlite", "new").close()
    server.use({"catalogue": {"name": "new", "path": str(tmp_path / "empty.sqlite")}})
    lab.find(" ")
    state = lab.trouble("empty")
    expect(state).to_contain_text("No datasets yet")
    expect(state).to_contain_text("nearfield catalogue scan")
    expect(lab.rows).to_have_count(0)
    shot(lab.page, "panel-empty")


def test_nothing_fits(lab: Lab, shot: Shot) -> None:
    lab.find("lysozyme quetzalcoatl")
    state = lab.trouble("none")
    expect(state).to_contain_text("No dataset fits")
    expect(state).to_contain_text("Try fewer")
    shot(lab.page, "panel-no-results")
    state.get_by_role("button", name="Show all datasets").click()
    expect(lab.rows).to_have_count(50)
    expect(lab.search).to_have_value("")


def test_a_mistake_is_shown_at_its_place(lab: Lab, shot: Shot) -> None:
    lab.find("lysozyme")
    expect(lab.rows).to_have_count(50)
    lab.find("\U0001d6fc lysozyme instrment:B02")
    mistake = lab.panel.get_by_role("alert")
    expect(mistake).to_contain_text("unknown field 'instrment'")
    expect(mistake).to_contain_text("did you mean instrument:")
    # The character itself, although one before it is two for a browser.
    expect(mistake.locator("mark")).to_have_text("i")
    before = mistake.locator("code").evaluate("code => code.firstChild.textContent")
    assert before == "\U0001d6fc lysozyme "
    expect(lab.search).to_have_attribute("aria-invalid", "true")
    expect(lab.rows).to_have_count(50)
    shot(lab.page, "panel-syntax-error")
    lab.find("lysozyme instrument:B02")
    expect(mistake).to_be_empty()
    expect(lab.search).to_have_attribute("aria-invalid", "false")


def test_a_hung_catalogue_is_named(
    lab: Lab, server: LabServer, catalogues: dict[str, Any], shot: Shot
) -> None:
    with Hung() as url:
        icat = {"driver": "icat", "facility": "X", "url": url, "timeout": 2}
        server.use({**catalogues, "catalogues": {"far-icat": icat}})
        lab.search.fill("lysozyme")
        # The others' results do not wait for it.
        expect(lab.rows.first).to_contain_text("lysozyme")
        expect(lab.panel.get_by_role("status").first).to_contain_text("asking far-icat")
        shot(lab.page, "panel-one-still-asked")
        named = lab.panel.get_by_role("list", name="Catalogues that did not answer")
        expect(named.get_by_role("listitem")).to_have_count(1)
        expect(named).to_contain_text("far-icat")
        expect(named).to_contain_text("2 s")
        expect(lab.rows.first).to_contain_text("lysozyme")
        shot(lab.page, "panel-one-hung")
        server.use(catalogues)
        named.get_by_role("button", name="Ask far-icat again").click()
        expect(named.get_by_role("listitem")).to_have_count(0)


def test_a_catalogue_that_takes_the_token_no_more(
    lab: Lab, server: LabServer, catalogues: dict[str, Any], shot: Shot
) -> None:
    tokens = server.config.parent / "nearfield/tokens"
    tokens.mkdir(parents=True, exist_ok=True)
    (tokens / "far-icat").touch(mode=0o600)
    (tokens / "far-icat").write_text("expired-long-ago")
    with takes_no_token() as url:
        icat = {"driver": "icat", "facility": "X", "url": url, "token": "file"}
        server.use({**catalogues, "catalogues": {"far-icat": icat}})
        lab.find("lysozyme")
        named = lab.panel.get_by_role("list", name="Catalogues that did not answer")
        expect(named).to_contain_text("far-icat")
        expect(named).to_contain_text("log in again")
        expect(named.get_by_role("button", name="Log in again")).to_be_visible()
        expect(lab.rows.first).to_contain_text("lysozyme")
        assert "expired-long-ago" not in lab.page.content()
        shot(lab.page, "panel-token-of-a-catalogue")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"message": "Forbidden"}),  # the server's own, of a cookie that has expired
        (403, {"message": "home: expired", "hint": "log in again", "reason": "token-expired"}),
    ],
)
def test_an_expired_login(lab: Lab, shot: Shot, status: int, body: dict[str, str]) -> None:
    address = re.compile(r"/nearfield/api/datasets\?")

    def refuse(route: Route) -> None:
        route.fulfill(status=status, content_type="application/json", body=json.dumps(body))

    lab.page.route(address, refuse)
    lab.find("lysozyme")
    state = lab.trouble("token-expired")
    expect(state).to_contain_text("Your log-in has expired")
    shot(lab.page, "panel-login-expired")
    with lab.page.context.expect_page() as opened:
        state.get_by_role("button", name="Log in again").click()
    assert opened.value.url.startswith("http")
    lab.page.unroute(address)
    state.get_by_role("button", name="Try again").click()
    expect(lab.rows.first).to_contain_text("lysozyme")
    expect(state).to_have_count(0)


def test_without_the_server_extension(
    window: Callable[..., Page], tmp_path: Path, catalogues: dict[str, Any], shot: Shot
) -> None:
    with lab_server(tmp_path, catalogues, extension=False) as bare:
        page = window()
        page.goto(bare.page)
        lab = Lab(page).ready().open_panel()
        state = lab.trouble("missing")
        expect(state).to_contain_text("Nearfield's server extension is missing")
        expect(state).to_contain_text("restart")
        expect(state.get_by_role("button", name="Try again")).to_be_visible()
        shot(page, "panel-no-server-extension")
        # Before its server is: what the page asks in the background is no error then.
        page.context.close()


def test_a_server_that_is_gone(lab: Lab, shot: Shot) -> None:
    lab.find("lysozyme")
    lab.page.context.set_offline(True)
    lab.search.fill("copper")
    state = lab.trouble("unreachable")
    expect(state).to_contain_text("The server does not answer")
    expect(lab.rows).to_have_count(0)
    lab.page.context.set_offline(False)
    state.get_by_role("button", name="Try again").click()
    expect(lab.rows.first).to_contain_text("copper")


def test_a_title_with_a_script_is_text(lab: Lab, shot: Shot) -> None:
    lab.find("pid:seeded/000000")
    expect(lab.rows).to_have_count(1)
    expect(lab.rows.first).to_contain_text("<script>window.hacked = true</script><img src=x")
    lab.rows.first.click()
    expect(lab.card.get_by_role("heading", level=2)).to_contain_text("<script>window.hacked")
    shot(lab.page, "panel-script-in-title")
    lab.card.get_by_role("button", name="Insert into notebook").click()
    expect(lab.cells.first).to_contain_text("seeded/000000", timeout=30_000)
    assert lab.page.evaluate("() => 'hacked' in window") is False
    assert lab.panel.locator("script, img").count() == 0


def test_what_is_not_known_is_not_said_to_be_nothing(lab: Lab, shot: Shot) -> None:
    """An answer that breaks off is not all there is; silence is not that nothing fits."""
    row = {"pid": "m/1", "title": "נתונים 12", "techniques": [], "size": 0, "type": "raw"}
    also = {"event": "also", "pid": "m/1", "source": "far-icat"}
    some = [{"event": "datasets", "source": "lab", "datasets": [{**row, "source": "lab"}]}, also]
    silent = [
        {
            "event": "source",
            "source": "far-icat",
            "state": "timeout",
            "message": "no answer in 3 s",
        },
        {"event": "end", "total": 0, "total_exact": True, "next": None},
    ]
    answers = {
        "broken": "".join(json.dumps(one) + "\n" for one in some) + '{"event": "da',
        "silent": "".join(json.dumps(one) + "\n" for one in silent),
    }
    lab.page.route(
        re.compile(r"/nearfield/api/datasets\?"),
        lambda route: route.fulfill(
            content_type="application/x-ndjson",
            body=answers["broken" if "broken" in route.request.url else "silent"],
        ),
    )
    lab.find("broken")
    expect(lab.trouble("unreachable")).to_contain_text("broke off")
    expect(lab.rows).to_have_count(1)
    expect(lab.panel.get_by_text("That is all.")).to_have_count(0)
    # A title in a language from right to left begins there.
    title = lab.rows.first.locator(".nf-row-title")
    assert title.evaluate("title => getComputedStyle(title).direction") == "rtl"
    lab.find("silent")
    expect(lab.trouble("silent")).to_contain_text("No catalogue answered")
    shot(lab.page, "panel-nobody-answered")


def test_a_dataset_that_is_gone_when_its_card_is_opened(lab: Lab) -> None:
    lab.find("lysozyme")
    refusal = {"message": "no dataset seeded/000002", "hint": None, "reason": "not-found"}
    lab.page.route(
        re.compile(r"/nearfield/api/datasets/seeded"),
        lambda route: route.fulfill(
            status=404, content_type="application/json", body=json.dumps(refusal)
        ),
    )
    lab.rows.first.click()
    expect(lab.trouble("not-found")).to_contain_text("no dataset seeded/000002")
    lab.page.keyboard.press("Escape")
    expect(lab.rows.first).to_be_focused()
