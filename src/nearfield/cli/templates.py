"""``nearfield templates``: what there is to run, and whether a template is in order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nearfield.cli._context import settings
from nearfield.cli._output import emit_json, table

app = typer.Typer(no_args_is_help=True, help="Template notebooks.")


@app.command("list")
def show_all(
    context: typer.Context,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the templates that can be run here."""
    from nearfield.templates.find import all_templates

    found, broken = all_templates(settings(context).config)
    for error in broken:
        print(f"nearfield: left out: {error.message}", file=sys.stderr)
    if json_:
        emit_json(
            [
                {**template.card.model_dump(mode="json"), "folder": str(template.folder)}
                for template in found
            ]
        )
        return
    table(
        ["template", "version", "parameters", "title"],
        [[t.card.name, t.card.version, ", ".join(t.card.properties), t.card.title] for t in found],
    )


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="A template folder.", metavar="DIR")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a template: card, notebook, and that the two agree."""
    from nearfield.templates.check import check_template

    problems = check_template(folder)
    if json_:
        emit_json({"folder": str(folder), "ok": not problems, "problems": problems})
    else:
        print("\n".join(problems) if problems else f"{folder}: in order")
    if problems:
        raise typer.Exit(1)
