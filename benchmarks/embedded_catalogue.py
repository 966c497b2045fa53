"""The embedded catalogue with a million datasets: import, searches, others beside a writer.

``python benchmarks/embedded_catalogue.py [COUNT] [FILE]`` writes
``benchmarks/results/embedded_catalogue.json`` and ``.md``. The records are synthetic and the same
every time. With FILE the catalogue is made there and kept, and taken as it is if it is there.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchkit.loading import beside_a_load
from benchkit.questions import Question, questions
from benchkit.readers import beside_a_writer
from benchkit.records import ANYBODY, MEMBER, STAFF, records
from benchkit.report import Report, Target
from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.datasets import Dataset

EACH = 60
PART = 100_000
READERS = 50
PEOPLE = {"anybody": ANYBODY, "member": MEMBER, "staff": STAFF}


def load(path: Path, count: int) -> dict[str, Any]:
    """In a process of its own, whose memory is counted.

    Making the records is part of it: they are made while others are written.
    """
    store, marks = CatalogueStore(path), []
    began, busy = time.perf_counter(), time.process_time()

    def watched() -> Iterator[Dataset]:
        for number, record in enumerate(records(count)):
            if number % PART == 0:
                marks.append(time.perf_counter())
            yield record

    store.load(watched())
    store.close()
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    return {
        "records": count,
        "seconds": round(seconds, 2),
        # What it takes on a machine that does nothing else at the same time.
        "cpu_seconds": round(cpu, 2),
        "records_per_second": round(count / seconds),
        "records_per_second_by_part": [
            round(PART / (after - before)) for before, after in itertools.pairwise(marks)
        ],
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "file_mb": round(path.stat().st_size / 1e6),
    }


async def ask(store: CatalogueStore, asked: list[Question]) -> list[dict[str, Any]]:
    """Each search as a face asks it: the first page, and the facets."""
    found = []
    for question in asked:
        catalogue = SqliteCatalogue(store, PEOPLE[question.who])
        began, busy = time.perf_counter(), time.process_time()
        page = await catalogue.search(question.query)
        paged = time.perf_counter()
        facets = await catalogue.facets(question.query)
        done = time.perf_counter()
        found.append(
            {
                "kind": question.kind,
                "who": question.who,
                "total": page.total,
                "narrow": page.total_exact and page.total <= 10_000,
                "exact": facets.exact,
                "page_ms": (paged - began) * 1000,
                "facets_ms": (done - paged) * 1000,
                "both_ms": (done - began) * 1000,
                "cpu_ms": (time.process_time() - busy) * 1000,
                "query": question.query.model_dump_json(exclude_defaults=True),
            }
        )
    return found


def p95(values: Iterable[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def main() -> int:
    if sys.argv[1:2] == ["--load"]:
        print(json.dumps(load(Path(sys.argv[2]), int(sys.argv[3]))))
        return 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="nearfield-bench-") as folder:
        path = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder) / "catalogue.sqlite"
        return measure(path, count)


def measure(path: Path, count: int) -> int:
    report = Report(
        "embedded_catalogue",
        f"The embedded catalogue with {count:,} datasets",
        "Synthetic records of 60 instruments and 6,000 proposals; half of them public. A search is "
        "the first page of 50, asked as an anonymous reader, a member of 24 proposals, and staff; "
        "narrow ones have at most 10,000 hits. Every search is another one.",
    )
    if not path.exists():
        command = [sys.executable, __file__, "--load", str(path), str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        imported = json.loads(done.stdout)
        report.data["import"] = imported
        per_record = imported["seconds"] / count * 1e6
        report.targets += [
            Target("import, µs per record (10,000 a second)", per_record, 100),
            Target("import, MB of memory", imported["memory_mb"], 300),
        ]
    store = CatalogueStore(path)
    some = random.Random(7)  # noqa: S311 - no secret, the same every time
    asyncio.run(ask(store, list(questions(some, 30))))  # the file into the system's cache
    found = asyncio.run(ask(store, list(questions(some, EACH))))
    narrow = [one for one in found if one["narrow"]]
    broad = [one for one in found if not one["narrow"]]
    report.targets += [
        Target(
            "searches of at most 10,000 hits with facets, p95 in ms",
            p95(one["both_ms"] for one in narrow),
            50,
        ),
        Target("broader searches, first page, p95 in ms", p95(o["page_ms"] for o in broad), 100),
    ]
    report.table(
        ["search", "times", "page, median ms", "page, p95", "facets, p95", "slowest together"],
        sorted(_row(kind, found) for kind in {one["kind"] for one in found}),
    )
    turns = beside_a_load(path)
    report.table(
        ["beside a bulk load", "writes", "median ms", "longest ms"],
        [["another writer", turns.written, turns.median_ms, turns.longest_ms]],
    )
    waits = beside_a_writer(path, READERS)
    report.targets.append(
        Target(f"{READERS} readers and a writer: waits of over 100 ms for a lock", waits.waits, 0)
    )
    report.data |= {
        "narrow": len(narrow),
        "broad": len(broad),
        "narrow_cpu_p95_ms": p95(one["cpu_ms"] for one in narrow),
        "broad_cpu_p95_ms": p95(one["cpu_ms"] for one in broad),
        "broad_facets_p95_ms": p95(one["facets_ms"] for one in broad),
        "slowest": sorted(found, key=lambda one: -one["both_ms"])[:10],
        "beside_a_load": turns._asdict(),
        "readers": waits._asdict(),
    }
    store.close()
    return 0 if report.write() else 1


def _row(kind: str, found: list[dict[str, Any]]) -> list[object]:
    of_kind = [one for one in found if one["kind"] == kind]
    pages = [one["page_ms"] for one in of_kind]
    return [
        kind,
        len(of_kind),
        statistics.median(pages),
        p95(pages),
        p95(one["facets_ms"] for one in of_kind),
        max(one["both_ms"] for one in of_kind),
    ]


if __name__ == "__main__":
    sys.exit(main())
