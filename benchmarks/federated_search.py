"""What it costs to ask several catalogues at once, over asking each alone.

``python benchmarks/federated_search.py [ROUNDS]`` asks, ROUNDS (15) times each in turn: the home
(SQLite, 2,000 records), a PaNOSC API that answers after 0.15 s, one that answers after 0.6 s, the
three together, and the three with a fourth that takes connections and never answers. The servers
are a process of their own. Then the command line, as it is installed, with the hung one and the
default time-out. Result: ``benchmarks/results/federated_search.json``.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from nearfield.catalogue import (
    Catalogue,
    CatalogueStore,
    FederatedCatalogue,
    open_catalogue,
    stream_search,
)
from nearfield.config import load_config
from nearfield.querying import DatasetsEvent
from nearfield.querying.language import parse
from nearfield.testing.synthetic import synthetic_dataset

RESULT = Path(__file__).parent / "results/federated_search.json"
DELAYS = {"quick": 0.15, "slow": 0.6}
TIMEOUT = 1.5
FIRST_OVER = 0.050
WHOLE_OVER = 1.10
COMMAND_LIMIT = 4.0
QUERY = "technique:saxs"


def records(path: Path, name: str, number: int) -> None:
    store = CatalogueStore(path, name)
    store.register(
        synthetic_dataset(n, pid=f"{name}-{n}", techniques=("SAXS",)) for n in range(number)
    )
    store.close()


def serve(folder: str) -> None:
    """The two servers; each says its port on standard output."""
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn import Config, Server

    from nearfield.catalogue.service import make_app
    from nearfield.config.serving import ServeConfig

    class Late:
        def __init__(self, app: ASGIApp, seconds: float) -> None:
            self.app, self.seconds = app, seconds

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await asyncio.sleep(self.seconds)
            await self.app(scope, receive, send)

    async def work() -> None:
        servers = []
        for name, seconds in DELAYS.items():
            store = CatalogueStore(Path(folder) / f"{name}.sqlite")
            app = Late(make_app(store, None, "/", serve=ServeConfig(public=("panosc",))), seconds)
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            print(name, listener.getsockname()[1], flush=True)
            server = Server(Config(app, log_level="error", ws="none", lifespan="off"))
            servers.append(server.serve([listener]))
        await asyncio.gather(*servers)

    asyncio.run(work())


async def ask(catalogue: Catalogue) -> tuple[float, float]:
    """Seconds to the first datasets, and to the end."""
    began, first = time.perf_counter(), 0.0
    async for event in stream_search(catalogue, parse(QUERY)):
        if isinstance(event, DatasetsEvent) and not first:
            first = time.perf_counter() - began
    return first, time.perf_counter() - began


async def measure(config_path: Path, rounds: int) -> dict[str, tuple[float, float]]:
    config = load_config(config_path)
    whole = open_catalogue(config)
    assert isinstance(whole, FederatedCatalogue)
    by_name = {source.name: source for source in whole.sources}
    kinds = {
        **{name: FederatedCatalogue([by_name[name]]) for name in ("home", *DELAYS)},
        "together": FederatedCatalogue([by_name[name] for name in ("home", *DELAYS)]),
        "with_hung": whole,
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for catalogue in kinds.values():
        await ask(catalogue)  # connections, prepared statements
    for _ in range(rounds):
        for name, catalogue in kinds.items():
            times[name].append(await ask(catalogue))
    await whole.aclose()
    return {
        name: (
            statistics.median(first for first, _ in found),
            statistics.median(end for _, end in found),
        )
        for name, found in times.items()
    }


def command(config_path: Path) -> tuple[float, list[str]]:
    argv = [sys.executable, "-m", "nearfield", "--config", str(config_path)]
    began = time.perf_counter()
    done = subprocess.run(
        [*argv, "catalogue", "search", QUERY, "--json"], capture_output=True, check=True
    )
    seconds = time.perf_counter() - began
    states = json.loads(done.stdout)["sources"]
    return seconds, [f"{s['source']}: {s['message']}" for s in states if s["message"]]


def verdict(times: dict[str, tuple[float, float]], seconds: float, named: list[str]) -> Any:
    alone = [times[name] for name in ("home", *DELAYS)]
    fastest = min(first for first, _ in alone)
    slowest = max(end for _, end in alone)
    checks = {
        "first_after_fastest_s": (times["together"][0] - fastest, FIRST_OVER),
        "first_after_fastest_with_hung_s": (times["with_hung"][0] - fastest, FIRST_OVER),
        "whole_over_slowest": (times["together"][1] / slowest, WHOLE_OVER),
        "with_hung_over_its_timeout": (times["with_hung"][1] / TIMEOUT, WHOLE_OVER),
        "command_with_hung_s": (seconds, COMMAND_LIMIT),
    }
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "benchmark": "federated_search",
        **{
            name: {"is": round(value, 4), "limit": limit} for name, (value, limit) in checks.items()
        },
        "within_limit": all(value <= limit for value, limit in checks.values())
        and named == ["hung: no answer in 3 s"],
        "command_names": named,
        # What the command needs of a processor, and who else wanted one meanwhile.
        "command_cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "load_1_min": round(os.getloadavg()[0], 1),
        "seconds": {
            name: {"first": round(first, 4), "end": round(end, 4)}
            for name, (first, end) in times.items()
        },
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as name, closing(socket.socket()) as hung:
        folder = Path(name)
        for source in ("home", *DELAYS):
            records(folder / f"{source}.sqlite", source, 2000)
        hung.bind(("127.0.0.1", 0))
        hung.listen(100)
        argv = [sys.executable, __file__, "--serve", name]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as servers:
            try:
                assert servers.stdout is not None
                ports = dict(servers.stdout.readline().split() for _ in DELAYS)
                ports["hung"] = str(hung.getsockname()[1])

                def configured(timeout: float) -> Path:
                    path = folder / f"site-{timeout}.yaml"
                    lines = [
                        f"catalogue: {{name: home, path: {folder}/home.sqlite}}",
                        "catalogues:",
                    ]
                    for source, port in ports.items():
                        tail = "" if source == "hung" else "/panosc/api"
                        lines.append(
                            f"  {source}: {{driver: panosc, timeout: {timeout},"
                            f" url: 'http://127.0.0.1:{port}{tail}'}}"
                        )
                    path.write_text("\n".join(lines) + "\n")
                    return path

                times = asyncio.run(measure(configured(TIMEOUT), rounds))
                result = verdict(times, *command(configured(3.0)))
            finally:
                servers.terminate()
    text = json.dumps(result, indent=2)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n")
    print(text)
    return 0 if result["within_limit"] else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main())
