"""``nearfield provenance``: what a run did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearfield.cli._output import emit_json

if TYPE_CHECKING:
    from nearfield.provenance.record import Record

app = typer.Typer(no_args_is_help=True, help="What a run did.")


@app.callback()
def _group() -> None:
    """What a run did."""


@app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(help="The folder of a run.", metavar="DIR")],
    json_: Annotated[bool, typer.Option("--json", help="Print the record itself.")] = False,
) -> None:
    """Show the provenance record of a run."""
    from nearfield.provenance.record import read_record

    record = read_record(folder)
    if json_:
        emit_json(record.model_dump(mode="json"))
        return
    for name, value in _lines(record):
        print(f"{name:<13}{value}".rstrip())


def _lines(record: Record) -> list[tuple[str, str]]:
    status: str = record.status
    if status == "running":
        status += "  (or cut off: nothing has been recorded since it began)"
    template = record.template
    code = f"{template.name} {template.version}"
    if template.commit:
        code += f", commit {template.commit[:12]}" + (" and changes" if template.modified else "")
    lines = [("run", record.run_id), ("status", status)]
    if record.failure:
        at = f"cell {record.failure.cell}: " if record.failure.cell else ""
        lines.append(("failure", f"{at}{record.failure.message}"))
    lines += [("template", code), ("by", f"{record.agent} on {record.host}")]
    lines.append(("began", f"{record.started:%Y-%m-%d %H:%M:%S} UTC"))
    if record.ended:
        seconds = (record.ended - record.started).total_seconds()
        lines.append(("took", f"{seconds:.1f} s"))
    for given in record.inputs:
        lines.append(("input", f"{given.pid}  {given.name}"))
        lines += [
            ("", f"{file.path}{'  (changed since it was catalogued)' if file.changed else ''}")
            for file in given.files
        ]
    for name, value in record.parameters.items():
        # What the template took where it was left to it, if its summary tells.
        taken = record.summary.get(name) if value in ("", None) else None
        lines.append(("parameter", f"{name} = {value!r}" + (f", taken: {taken}" if taken else "")))
    lines += [
        ("output", f"{out.path}  {out.size} bytes  sha256 {out.sha256[:16]}…")
        for out in record.outputs
    ]
    lines += [("not recorded", f"{entry.path}: {entry.reason}") for entry in record.not_recorded]
    if kernel := record.kernel:
        packages = f"{len(kernel.packages)} packages" if kernel.packages else "packages unknown"
        lines.append(("kernel", f"{kernel.language} {kernel.version}, {packages}"))
    lines += [("environment", f"{name}={value}") for name, value in record.environment.items()]
    lines += [("job", f"{name}={value}") for name, value in record.job.items()]
    lines += [("captured by", ", ".join(record.capture_layers)), ("", record.completeness)]
    return lines
