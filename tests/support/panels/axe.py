"""axe-core on a part of a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SOURCE = Path(__file__).resolve().parents[3] / "js/lab/node_modules/axe-core/axe.min.js"


def violations(page: Page, selector: str) -> list[str]:
    """What axe-core finds in ``selector``, one line each: the rule, where, and what it says."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SOURCE.read_text() + "; null")
    found: dict[str, Any] = page.evaluate(
        "selector => axe.run(selector, { resultTypes: ['violations'] })", selector
    )
    assert found["passes"], f"axe looked at nothing in {selector}"
    return [
        f"{one['id']}: {json.dumps(node['target'])}: {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
