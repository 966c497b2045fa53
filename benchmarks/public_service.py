"""What strangers cost: the public interfaces of the catalogue's service.

``python benchmarks/public_service.py [DATASETS]`` fills two catalogues with DATASETS (100000)
public records, one while the memory of what was public is kept, and takes: what that costs a
write; the first and the last page of an OAI-PMH list; how long a hub's user waits for a search
(p95) alone, and while six strangers ask without a pause for all that is costly. The server is a
process of its own. Result: ``benchmarks/results/public_service.json``.
"""

from __future__ import annotations

import asyncio
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.serving.announced import Announcements, Selection
from nearfield.config.serving import ServeConfig
from nearfield.datasets import Dataset
from nearfield.testing.synthetic import synthetic_dataset

RESULT = Path(__file__).parent / "results/public_service.json"
STRANGERS = 6
SEARCHES = 100
WRITE_LIMIT = 1.5
PAGE_LIMIT = 2.0
WAIT_LIMIT = 0.25
COSTLY: tuple[dict[str, Any], ...] = (
    {"where": {"title": {"ilike": "%no such title%"}}},
    {
        "include": [
            {
                "relation": "parameters",
                "scope": {
                    "where": {"and": [{"name": "energy"}, {"value": {"gt": 4.9e4}}, {"unit": "eV"}]}
                },
            }
        ],
        "limit": 1000,
    },
    {"limit": 1000, "include": ["files", "parameters"]},
)


def records(first: int, last: int) -> Iterator[Dataset]:
    for number in range(first, last):
        yield synthetic_dataset(
            number % 3000,
            pid=f"p{number}",
            title=f"measurement {number}",
            instrument=f"ID{number % 40}",
            scientific={"energy": {"value": number % 50 + 0.5, "unit": "keV"}},
        )


def fill(store: CatalogueStore, other: CatalogueStore, number: int) -> float:
    """Seconds for filling the first, with the memory, over seconds for the other; in turns."""
    Announcements(store)
    seconds = dict.fromkeys((store, other), 0.0)
    for first in range(0, number, 10_000):
        for one in seconds:
            started = time.perf_counter()
            one.load(records(first, min(first + 10_000, number)))
            seconds[one] += time.perf_counter() - started
    return seconds[store] / seconds[other]


def pages(store: CatalogueStore) -> dict[str, float]:
    """Seconds for a page of a list at its beginning and at its end."""
    known = Announcements(store)
    with store.reading() as connection:
        last = connection.execute(
            "SELECT stamp, pid FROM announced ORDER BY stamp DESC, pid DESC LIMIT 1 OFFSET 150"
        ).fetchone()
    found = {}
    for name, place in (("first", None), ("last", tuple(last))):
        taken = []
        for _ in range(20):
            started = time.perf_counter()
            page, _ = known.page(Selection(), place, 100)
            known.datasets([one.pid for one in page])
            taken.append(time.perf_counter() - started)
            assert len(page) == 100
        found[name] = statistics.median(taken)
    return found


def serve(file: str) -> None:
    """The service, with a hub that knows one user; says its port on standard output."""
    from uvicorn import Config, Server

    from nearfield.catalogue._hub_auth import HubAuthenticator
    from nearfield.catalogue.service import make_app
    from nearfield.testing.fake_hub import FakeHub

    hub = HubAuthenticator(
        "http://hub.test/hub/api",
        transport=httpx.MockTransport(FakeHub()),
        groups_of=lambda name: frozenset(),
    )
    opened = ServeConfig(public=("panosc", "oai"), url="https://x.test", admin_email="a@x.test")
    app = make_app(CatalogueStore(Path(file)), hub, serve=opened)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    asyncio.run(Server(Config(app, log_level="error")).serve([listener]))


async def waits(url: str) -> dict[str, float]:
    """p95 of a user's search in seconds, alone and among strangers."""
    over = asyncio.Event()

    async def stranger(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            while not over.is_set():
                said = json.dumps(COSTLY[number % len(COSTLY)])
                await client.get("/panosc/api/Datasets", params={"filter": said})

    async def user() -> float:
        taken = []
        headers = {"authorization": "Bearer alice-token"}
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers) as client:
            for _ in range(SEARCHES):
                started = time.perf_counter()
                answer = await client.get("/summaries?text=measurement")
                answer.raise_for_status()
                taken.append(time.perf_counter() - started)
                await asyncio.sleep(0.02)
        return statistics.quantiles(taken, n=20)[-1]

    await user()
    alone = await user()
    crowd = [asyncio.create_task(stranger(number)) for number in range(STRANGERS)]
    await asyncio.sleep(1)
    among = await user()
    over.set()
    await asyncio.gather(*crowd)
    return {"alone": alone, "among_strangers": among}


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "c.sqlite"
        store = CatalogueStore(file)
        other = CatalogueStore(Path(folder) / "other.sqlite")
        write = fill(store, other, number)
        other.close()
        page = pages(store)
        store.close()
        argv = [sys.executable, __file__, "serve", str(file)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                found = asyncio.run(waits(f"http://127.0.0.1:{int(server.stdout.readline())}"))
            finally:
                server.terminate()
    ratio = page["last"] / page["first"]
    result = {
        "benchmark": "public_service",
        "datasets": number,
        "write_with_memory_over_without": {"is": round(write, 3), "limit": WRITE_LIMIT},
        "last_page_over_first": {"is": round(ratio, 3), "limit": PAGE_LIMIT},
        "user_waits_among_strangers_s": {
            "is": round(found["among_strangers"], 4),
            "limit": WAIT_LIMIT,
        },
        "user_waits_alone_s": round(found["alone"], 4),
        "page_s": {name: round(seconds, 5) for name, seconds in page.items()},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    result["within_limit"] = (
        write <= WRITE_LIMIT and ratio <= PAGE_LIMIT and found["among_strangers"] <= WAIT_LIMIT
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if result["within_limit"] else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main())
