"""Do the further catalogues answer, with a token that may be used?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from nearfield.catalogue._asking import Answer, FederatedSource
from nearfield.catalogue._asking import ask as ask_source
from nearfield.catalogue._drivers import open_sources, own_tokens
from nearfield.catalogue._file_tokens import FileToken
from nearfield.catalogue._tokens import TokenSource
from nearfield.config import Source
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import BlockedError, SourceLoginError, SourceStatusError
from nearfield.hub_access import HubAccess
from nearfield.querying import Page, Query


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """One dataset is asked of each, as the account that asks."""
    without: dict[str, str] = {}

    def tokens(name: str, settings: Source) -> TokenSource | None:
        if why := _no_token(name, settings):
            without[name] = why
            return None
        return own_tokens(name, settings)

    for name, settings in site.config.catalogues.items():
        if settings.token != "none" and _in_clear(settings.url):  # noqa: S105
            yield report.warning(
                f"{name}: tokens go to {settings.url} unencrypted", "use its https:// address"
            )
    for answer in asyncio.run(_ask_all(open_sources(site.config.catalogues, tokens))):
        yield _judge(report, answer, without.get(answer.source.name))


def _no_token(name: str, settings: Source) -> str | None:
    """Why it is asked without one, where it is said to want one."""
    if settings.token == "file" and not (path := FileToken(name).path).exists():  # noqa: S105
        return f"each user has a token of their own; here is none ({path})"
    if settings.token == "hub":  # noqa: S105
        try:
            HubAccess.current()
        except BlockedError:
            return "the hub gives its users' tokens to sessions: run this in one"
    return None


def _in_clear(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return parts.scheme == "http" and not local


async def _ask_all(sources: list[FederatedSource]) -> list[Answer[Page]]:
    try:
        return await asyncio.gather(
            *(
                ask_source(one, lambda catalogue: catalogue.search(Query(limit=1)))
                for one in sources
            )
        )
    finally:
        for one in sources:
            if one.catalogue is not None:
                await one.catalogue.aclose()


def _judge(report: Reporter, answer: Answer[Page], without: str | None) -> Finding:
    name = answer.source.name
    if answer.value is not None:
        number = f"{answer.value.total}" + ("" if answer.value.total_exact else " or more")
        said = f"{name} answers in {answer.seconds:.1f} s; datasets: {number}"
        return report.ok(f"{said} of the public ones" if without else said)
    if without and _wants_token(answer.error):
        return report.not_checked(f"{name} answers, and wants a token", without)
    state = answer.state()
    return report.problem(f"{name}: {state.message}", state.hint or "check its url and driver")


def _wants_token(error: Exception | None) -> bool:
    refused = isinstance(error, SourceStatusError) and error.status in (401, 403)
    return refused or isinstance(error, SourceLoginError)
