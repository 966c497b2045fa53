"""How the last session ended is at the top of the form, until the next one starts."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from hublab.ledger import look
from hublab.process import HubProcess

pytestmark = pytest.mark.system


def test_how_the_last_session_ended_is_at_the_top_of_the_form(
    cluster: Any,
    hub: HubProcess,
    visit: Callable[..., Page],
    shot: Callable[[Page, str], None],
) -> None:
    assert hub.request_server("alice", {"profile": "queue"}).status_code in {201, 202}
    hub.wait_ready("alice")
    book = look(hub)
    row = book.row("alice", "")
    assert row is not None
    argv = ["scancel", book.alive[row.job_name].number]
    env = os.environ | {"SLURM_CONF": str(cluster.slurm_conf("lab"))}
    subprocess.run(argv, env=env, check=True, timeout=30)
    hub.wait_gone("alice")

    page = visit("alice")
    ending = page.locator(".nf-ending")
    deadline = time.monotonic() + 20
    while True:  # Slurm says why a moment after the server is over
        page.goto(f"{hub.url}/hub/spawn")
        expect(ending).to_contain_text("The last session ended. The job was cancelled")
        if "still to say" not in ending.inner_text() or time.monotonic() > deadline:
            break
    row = look(hub).row("alice", "")
    assert row is not None and row.ended is not None
    assert row.ended["kind"] == "cancelled", row.ended
    told = row.ended["message"].removeprefix("the job")
    expect(ending).to_contain_text(f"The job{told}; start again if it was not you.")
    ending.get_by_text("The end of its log").click()
    expect(ending.locator("pre")).to_contain_text("CANCELLED")
    top = page.locator("#nearfield > *:visible").first
    assert "nf-ending" in (top.get_attribute("class") or "")
    shot(page, "spawn-last-ending")

    page.get_by_role("button", name="Start", exact=True).click()
    hub.wait_ready("alice")
    hub.stop_server("alice")
    page.goto(f"{hub.url}/hub/spawn")
    page.get_by_role("combobox", name="Search datasets").wait_for()
    expect(ending).to_have_count(0)
