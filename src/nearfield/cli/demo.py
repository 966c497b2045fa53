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
    with _stoppable(), layout.claimed(folder) as here:
        tell(f"demo: preparing {here}")
        place = layout.prepare(here, port)
        tell(f"demo: {layout.remember(place)}")
        scanned = _scan(place)
        count = scanned["registered"]
        tell(f"demo: {count} synthetic datasets in the catalogue; starting JupyterHub")
        try:
            with hub.running_hub(place) as process:
                if headless:
                    journey.Journey(place, scanned).run()
                    return
                print(_welcome(place, scanned["example"]), flush=True)
                process.wait()
        except KeyboardInterrupt:
            tell("\ndemo: the hub and its servers are stopped")
            raise typer.Exit(1 if headless else 0) from None
        tell(f"demo: JupyterHub ended by itself; see {place.log}")
    raise typer.Exit(1)


def _welcome(place: Any, example: str) -> str:
    return (
        f"\nNearfield is at {place.url}\n"
        f"  user      {place.user}\n"
        f"  password  {place.password}\n"
        f"  a dataset to start with: {example}\n\n"
        f"The log is {place.log}. End it with Ctrl-C."
    )


def _scan(place: Any) -> dict[str, Any]:
    """Make the sample data and register it. The hub's service is not up yet: the file is ours."""
    import asyncio

    from nearfield.catalogue import scan_into
    from nearfield.config import load_config
    from nearfield.datasets import dataset_pid
    from nearfield.sample_data import make_sample_data

    made = make_sample_data(place.data)
    config = load_config(place.config_file)
    report = asyncio.run(scan_into(place.catalogue_file, place.data, config))
    example = dataset_pid(config.catalogue.name, "sample-data", made[0].name)
    return {
        "folder": str(place.data),
        "files": len(made),
        "registered": report.known,
        "example": example,
    }


def _stoppable() -> Any:
    """TERM ends the demo as Ctrl-C does, so that no hub is left behind."""
    import contextlib
    import signal

    @contextlib.contextmanager
    def manager() -> Any:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        # INT too: a shell starts background commands with it ignored.
        old = {
            number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    return manager()
