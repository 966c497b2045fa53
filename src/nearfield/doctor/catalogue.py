"""Does the catalogue answer where sessions look for it?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nearfield.catalogue.network_files import ADVICE, network_kind
from nearfield.config import written_by_demo
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.scheduler.wire import one_line

if TYPE_CHECKING:
    import httpx


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """The service's own health page, by the address that sessions are given."""
    settings = site.config.catalogue
    if settings.driver == "embedded" and (kind := network_kind(settings.file)):
        yield report.warning(f"{settings.file} is on {kind}", ADVICE)
    url = settings.url
    if not url:
        yield report.not_checked(
            "no catalogue service: datasets cannot be chosen at the start of a session",
            "set catalogue.url in nearfield.yaml",
        )
        return
    import httpx

    address = f"{url.rstrip('/')}/health"
    hint = (
        "the hub starts it: look for 'catalogue' in the hub's log, and whether the address"
        " can be reached from here"
    )
    try:
        answer = httpx.get(address, timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if written_by_demo(site.source):
            # It has ended, as it should: nothing is broken.
            folder = shlex.quote(str(site.config.catalogue.file.parent))
            yield report.not_checked(
                "the demo is not running", f"make demo, or nearfield demo --dir {folder}"
            )
            return
        yield report.problem(f"{address}: {type(error).__name__}: {error}", hint)
        return
    if answer.is_success:
        yield report.ok(f"{address} answers")
    else:
        yield report.problem(f"{address}: status {answer.status_code}{_reason(answer)}", hint)


def _reason(answer: httpx.Response) -> str:
    try:
        said = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {one_line(str(said), 200)}"
