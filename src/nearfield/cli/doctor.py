"""``nearfield doctor``: why does it not start, why can it not be read?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearfield.cli._context import settings
from nearfield.cli._output import complain, emit_json

if TYPE_CHECKING:
    from nearfield.doctor import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red", "not checked": "cyan"}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("doctor")(examine)


def examine(
    context: typer.Context,
    *,
    user: Annotated[
        str | None, typer.Option(help="Also ask what this account may do and find.")
    ] = None,
    hub: Annotated[
        str | None, typer.Option(help="The hub's account, if it is not you.", metavar="ACCOUNT")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what keeps sessions from starting, on a hub, a login node or a node.

    Exit code 0: nothing found, 1: a problem, 3: nothing could be looked at.
    """
    from nearfield.config import load_config
    from nearfield.doctor import Finding, Site, Verdict, examine_site
    from nearfield.errors import ConfigError

    source = settings(context).config_path or _used()
    if source is None:
        complain("there is no nearfield.yaml here\n  name one: nearfield --config FILE doctor")
        raise typer.Exit(3)
    findings: list[Finding] = []
    try:
        site = Site(config=load_config(source), source=source, user=user, hub=hub)
    except ConfigError as error:
        findings.append(
            Finding("configuration", Verdict.PROBLEM, error.message, error.hint or "mend the file")
        )
        if not json_:
            _show(findings[0])
    else:
        for finding in examine_site(site):
            findings.append(finding)
            if not json_:
                _show(finding)
    if json_:
        emit_json({"user": user, "findings": [f.as_json() for f in findings]})
    if any(f.verdict is Verdict.PROBLEM for f in findings):
        raise typer.Exit(1)


def _used() -> Path | None:
    from nearfield.config import candidates

    return next((path for path in candidates() if path.is_file()), None)


def _show(finding: Finding) -> None:
    word = f"{finding.verdict.value:<12}"
    if sys.stdout.isatty():
        word = typer.style(word, fg=_COLOURS[finding.verdict.value])
    typer.echo(f"{word} {finding.check:<14} {finding.message}")
    if finding.hint and finding.verdict.value != "ok":
        for line in finding.hint.splitlines():
            typer.echo(f"{'':<28}{line}")
