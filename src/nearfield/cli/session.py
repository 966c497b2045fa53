"""``nearfield session``: the session that the command runs in, its datasets, a batch's token."""

from __future__ import annotations

import os
import shlex
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from nearfield.cli._output import emit_json, table

if TYPE_CHECKING:
    from nearfield.session_data import SessionDataset

app = typer.Typer(
    no_args_is_help=True,
    help="In a session: its datasets, and a token for a batch that outlives it.",
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("show")
def show(json_: JsonOption = False) -> None:
    """Show the datasets of this session."""
    from nearfield.api import session_datasets

    _print(session_datasets(), json_)


@app.command("add")
def add(
    pids: Annotated[list[str], typer.Argument(metavar="PID…", help="Datasets by their PID.")],
    json_: JsonOption = False,
) -> None:
    """Add datasets to this session: they appear below $NEARFIELD_DATA at once.

    Nothing is added unless all of them can be read here. A dataset that is there already stays.
    """
    from nearfield.api import session_add

    _print(session_add(pids), json_)


@app.command("batch-token")
def batch_token(
    file: Annotated[
        Path | None, typer.Argument(help="A new file; without it one in $NEARFIELD_HOME/tokens.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, help="How long it is good for.")] = 72,
    note: Annotated[str, typer.Option(help="What it is for, on the hub's page Token.")] = "",
) -> None:
    """Make a token with which a batch can ask the catalogues after this session has ended.

    It is good for nothing else, and lies in a file that only you can read. The batch finds it
    where $NEARFIELD_HUB_TOKEN_FILE names the file.
    """
    from nearfield.hub_access import TOKEN_FILE, make_batch_token

    made = make_batch_token(hours=hours, note=note, file=None if file is None else file.absolute())
    typer.echo(made)
    typer.echo(f"for the batch: export {TOKEN_FILE}={shlex.quote(str(made))}", err=True)


@app.command("revoke-token")
def revoke_token(file: Annotated[Path, typer.Argument(help="What batch-token wrote.")]) -> None:
    """Make a batch's token worthless and remove its file."""
    from nearfield.hub_access import revoke_batch_token

    revoke_batch_token(file)


def _print(found: list[SessionDataset], json_: bool) -> None:
    if json_:
        emit_json(
            {
                "profile": os.environ.get("NEARFIELD_PROFILE"),
                "data": os.environ.get("NEARFIELD_DATA"),
                "datasets": [one.model_dump(mode="json") for one in found],
            }
        )
        return
    if found:
        # Once: repeated in each row it would leave no room for what differs.
        typer.echo(f"$NEARFIELD_DATA is {PurePosixPath(found[0].path).parent}")
    rows = [
        [one.pid, one.slug, "added" if one.added else "at start", one.problem or "readable"]
        for one in found
    ]
    table(["dataset", "folder in it", "since", "state"], rows)
    for one in found:
        for told in one.not_linked:
            typer.echo(f"not linked: {told}", err=True)
