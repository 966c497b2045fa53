"""``nearfield run`` and ``nearfield publish``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearfield.cli._context import asking, settings
from nearfield.cli._output import emit_json, one_line, progress

if TYPE_CHECKING:
    from nearfield.provenance.record import Record

CatalogueOption = Annotated[
    Path | None,
    typer.Option("--catalogue", help="A catalogue file.", show_default="as configured"),
]
_OTHERS = 8
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("run")(start)
    app.command("publish")(send)


def start(
    context: typer.Context,
    template: Annotated[str, typer.Argument(help="A template's name, or the path of its folder.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder for the results.")],
    dataset: Annotated[list[str], typer.Option("--dataset", help="PID of an input; repeatable.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    parameters_file: Annotated[
        Path | None,
        typer.Option(
            "--parameters-file",
            metavar="FILE",
            help="Parameters as YAML or JSON; - reads them from standard input. -p comes on top.",
        ),
    ] = None,
    catalogue: CatalogueOption = None,
    json_: JsonOption = False,
) -> None:
    """Run a template notebook over datasets and record what it did."""
    from nearfield.api import plan_run
    from nearfield.templates.find import find_template
    from nearfield.templates.parameters import parse_assignments, read_mapping
    from nearfield.templates.runner import carry_out

    config = settings(context).config
    card = find_template(config, template).card
    values = read_mapping(*_text_of(parameters_file)) if parameters_file else {}
    values |= parse_assignments(card, parameter or [])
    with asking(catalogue):
        plan = plan_run(
            template, dataset, out=out, parameters=values, catalogue=catalogue, config=config
        )
    for note in plan.notes:
        print(f"nearfield: note: {note}", file=sys.stderr)
    with progress(card.name) as show:
        record = carry_out(plan, show)
    for note in record.notes[len(plan.notes) :]:
        print(f"nearfield: note: {note}", file=sys.stderr)
    if json_:
        emit_json(record.model_dump(mode="json"))
    _tell(record, catalogue, quiet=json_)


def _text_of(file: Path) -> tuple[str, str]:
    from nearfield.errors import ParameterError

    if str(file) == "-":
        return sys.stdin.read(), "standard input"
    try:
        return file.read_text(encoding="utf-8"), str(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{file}: cannot be read: {error}") from error


def _tell(record: Record, catalogue: Path | None, *, quiet: bool) -> None:
    from nearfield.errors import RunError

    notebook = Path(record.folder) / record.notebook
    if record.status == "aborted":
        raise RunError(f"run {record.run_id} was stopped", hint=f"as far as it came: {notebook}")
    if record.failure is not None:
        at = f"cell {record.failure.cell}: " if record.failure.cell else ""
        raise RunError(
            f"{record.template.name}: {at}{record.failure.message}",
            hint=f"the notebook as far as it came: {notebook}",
        )
    if quiet:
        return
    print(f"run {record.run_id} completed in {record.folder}")
    for output in record.outputs:
        print(f"  {output.path}  {_size(output.size)}  {output.title or ''}".rstrip())
    if what := _reduced(record):
        print(what)
    words = ["nearfield", "publish", record.folder]
    words += ["--catalogue", str(catalogue.absolute())] if catalogue else []
    print(f"publish it:  {shlex.join(words)}")


def _reduced(record: Record) -> str:
    """Which array it was, where the summary tells; and that there was a choice."""
    array, images = record.summary.get("array"), record.summary.get("image_arrays")
    if not isinstance(array, str) or not array:
        return ""
    choice = ""
    if isinstance(images, int) and images > 1 and record.parameters.get("array") == "":
        others = record.summary.get("other_arrays")
        named = [str(name) for name in others] if isinstance(others, list) else []
        choice = f"  (1 of {images} image arrays; choose another with -p array=…)"
        choice += "".join(f"\n  {one_line(name)}" for name in named[:_OTHERS])
        if len(named) > _OTHERS:
            choice += f"\n  and {len(named) - _OTHERS} more: nearfield catalogue show PID"
    return f"array {array}{choice}"


def send(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder of a completed run.", metavar="DIR")],
    title: Annotated[
        str | None, typer.Option(help="Its title.", show_default="made from template and input")
    ] = None,
    catalogue: CatalogueOption = None,
    json_: JsonOption = False,
) -> None:
    """Publish a completed run as a derived dataset. Repeating it is safe."""
    from nearfield.api import publication

    done = publication(folder, title=title, catalogue=catalogue, config=settings(context).config)
    for note in done.notes:
        print(f"nearfield: note: {note}", file=sys.stderr)
    if json_:
        emit_json(
            {"pid": done.pid, "run_id": done.run_id, "title": done.title, "already": done.already}
        )
    elif done.already:
        print(f"{done.pid}  was published already: {done.title}")
    else:
        print(f"{done.pid}  {done.title}")


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
