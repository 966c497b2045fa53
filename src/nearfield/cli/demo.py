"""``nearfield demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", help="Where everything of the demo is kept.")
    ] = Path("nearfield-demo"),
    headless: Annotated[
        bool, typer.Option(help="Do the whole journey through the REST API and exit.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Port of 127.0.0.1.", min=1024, max=65535)
    ] = None,
) -> None:
    """Start JupyterHub on this machine with sample data and embedded defaults."""
    import sys

    from nearfield.demo import hub, journey, layout, proxy

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    proxy.command()
    tell(f"demo: preparing {folder}")
    place = layout.prepare(folder, port)
    scanned = _scan(place)
    tell(f"demo: {scanned['registered']} synthetic datasets in the catalogue; starting JupyterHub")
    with _stoppable(), hub.running_hub(place) as process:
        if headless:
            journey.Journey(place, scanned).run()
            return
        print(
            f"\nNearfield is at {place.url}\n  user      {place.user}\n"
            f"  password  {place.password}\n\nThe log is {place.log}. End it with Ctrl-C.",
            flush=True,
        )
        try:
            process.wait()
        except KeyboardInterrupt:
            tell("\ndemo: stopping the hub and its servers")
            return
    raise typer.Exit(1)


def _scan(place: Any) -> dict[str, Any]:
    """Make the sample data and register it. The hub's service is not up yet: the file is ours."""
    import asyncio

    from nearfield.catalogue import scan_into
    from nearfield.config import load_config
    from nearfield.sample_data import make_sample_data

    made = make_sample_data(place.data)
    config = load_config(place.config_file)
    report = asyncio.run(scan_into(place.catalogue_file, place.data, config))
    return {"folder": str(place.data), "files": len(made), "registered": report.known}


def _stoppable() -> Any:
    """TERM ends the demo as Ctrl-C does, so that no hub is left behind."""
    import contextlib
    import signal

    @contextlib.contextmanager
    def manager() -> Any:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        old = signal.signal(signal.SIGTERM, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, old)

    return manager()
