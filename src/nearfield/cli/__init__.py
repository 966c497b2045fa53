"""The ``nearfield`` command.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 blocked (a needed part is missing), 130 stopped by
Ctrl-C.
One module per command group; heavy imports happen inside the commands.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from nearfield._version import __version__
from nearfield.cli import catalogue, demo, doctor, profiles, provenance, runs, session, templates
from nearfield.cli._context import Settings
from nearfield.cli._meant import usage_words
from nearfield.cli._output import complain, one_line
from nearfield.errors import NearfieldError

STOPPED = 130

app = typer.Typer(
    name="nearfield",
    no_args_is_help=True,
    add_completion=False,
    help="From a catalogue dataset to a published, re-runnable result, next to the data.",
)
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(profiles.app, name="profiles")
app.add_typer(provenance.app, name="provenance")
app.add_typer(session.app, name="session")
app.add_typer(templates.app, name="templates")
runs.add_to(app)
demo.add_to(app)
doctor.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nearfield {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="The nearfield.yaml to use.", show_default="searched for")
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show a traceback when something fails.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Settings(config_path=config, debug=debug)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # httpx brings a command of its own, and imports what that needs (rich, pygments) with it: a
    # seventh of what a search imports. This process is ours alone.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    sys.exit(run_command(sys.argv[1:] if argv is None else argv))


def run_command(argv: list[str]) -> int:
    """Run one command and return its exit code; what went wrong is on standard error."""
    command = typer.main.get_command(app)
    debug = "--debug" in argv
    try:
        result = command.main(args=argv, prog_name="nearfield", standalone_mode=False)
    except typer.Abort:
        complain("stopped")
        return 1
    except typer.TyperException as error:  # wrong usage, in typer's own words
        # Without arguments typer has printed the help already, and has nothing to add.
        if words := getattr(error, "format_message", error.__str__)():
            complain(usage_words(words, command, argv))
        return 2
    except NearfieldError as error:
        if debug:
            raise
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("stopped")
        return STOPPED
    except BrokenPipeError:
        # The reader of our output has gone (| head): not a failure worth a message.
        sys.stderr.close()
        return 1
    except Exception as error:
        if debug:
            raise
        complain(f"{_unexpected(error)}\n  run again with --debug for the details")
        return 1
    if result == STOPPED:  # typer's own end of a command that Ctrl-C reached
        complain("stopped")
    return result if isinstance(result, int) else 0


def _unexpected(error: Exception) -> str:
    """A file that cannot be used says so by itself: no permission, no space."""
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.strerror:
        return f"{one_line(os.fsdecode(error.filename))}: {error.strerror}"
    return f"unexpected: {type(error).__name__}: {error}"
