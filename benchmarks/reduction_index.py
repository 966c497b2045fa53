"""What it costs to learn where a stack's bytes are: the first time, and from the cache.

``python benchmarks/reduction_index.py [LINKS]`` makes a master of LINKS (3,000) files of ten
frames, linked and mapped by a virtual dataset, datasets of 10**4, 10**5 and 10**6 chunks, and
virtual datasets of 10**3 and 10**4 mappings of one frame in falling order. It writes
``benchmarks/results/reduction_index.json``. The files are in the page cache: what is measured is
the index, not the disk. Each open is one of a new process' own, medians of five; CPU time is told
beside, for machines that others use too. That nothing is quadratic is told by the CPU time for
each frame or mapping, of the largest over the smallest. ``nearfield.reduce(FILE, mean=True)`` of
the master, which has to find the array and the names of its axes too, is timed in the same way,
after its imports.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from benchkit.report import Report, Target

FRAMES_A_FILE = 10
ROUNDS = 5
FIRST_LIMIT, CACHED_LIMIT = 3.0, 0.2
GROWTH_LIMIT = 1.5

HEAD = """
import json, resource, sys, time
from nearfield.reductions.index import files, open_stack
from nearfield.reductions.kernels.sums import Sum
from nearfield.reductions.asking import frames_of
from nearfield.reductions.plan import Plan
files.FRESH = -1.0  # what was made for this benchmark counts as old
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
OPEN = """
wall, cpu = time.perf_counter(), time.process_time()
stack = open_stack(sys.argv[1], sys.argv[2])
assert stack.refused is None and not stack.partial and stack.shape[0] == int(sys.argv[3])
plan = Plan(stack, frames_of(stack), {"sum": Sum()})
assert plan.tasks
"""
REDUCE = """
import nearfield, nearfield.reductions.source
reduce = nearfield.reduce
wall, cpu = time.perf_counter(), time.process_time()
found = reduce(sys.argv[1], mean=True, array=sys.argv[2] or None)
assert found.attrs["frame_count"] == int(sys.argv[3]) and not found.nearfield.cost.measured
"""
TAIL = """
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([wall, cpu, (after - before) / 1024]))
"""


def make_master(folder: Path, links: int) -> None:
    shape = (FRAMES_A_FILE, 16, 16)
    frames = np.arange(FRAMES_A_FILE * 256, dtype="u2").reshape(shape)
    layout = h5py.VirtualLayout((links * FRAMES_A_FILE, 16, 16), "u2")
    with h5py.File(folder / "master.h5", "w") as master:
        group = master.create_group("entry/data")
        for number in range(links):
            name = f"data_{number + 1:06d}.h5"
            with h5py.File(folder / name, "w") as file:
                file.create_dataset(
                    "entry/data/data", data=frames, chunks=(1, 16, 16), compression="gzip"
                )
            group[f"data_{number + 1:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
            first = number * FRAMES_A_FILE
            source = h5py.VirtualSource(name, "entry/data/data", shape)
            layout[first : first + FRAMES_A_FILE] = source
        master.create_virtual_dataset("entry/virtual", layout)


def make_chunks(folder: Path, frames: int) -> None:
    with h5py.File(folder / f"chunks{frames}.h5", "w", libver="latest") as file:
        made = file.create_dataset("d", (frames, 2, 2), "u1", chunks=(1, 2, 2))
        for first in range(0, frames, 10_000):
            made[first : first + 10_000] = 1


def make_mappings(folder: Path, frames: int) -> None:
    layout = h5py.VirtualLayout((frames, 2, 2), "u1")
    source = h5py.VirtualSource("chunks10000.h5", "d", (10_000, 2, 2))
    for frame in range(frames):
        layout[frame] = source[frames - 1 - frame]
    with h5py.File(folder / f"mappings{frames}.h5", "w") as file:
        file.create_virtual_dataset("d", layout)


def opened(path: Path, name: str, frames: int, cache: Path, how: str) -> list[float]:
    said = subprocess.run(
        [sys.executable, "-c", HEAD + how + TAIL, str(path), name, str(frames)],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [float(value) for value in said.strip("[]\n").split(",")]


def measured(path: Path, name: str, frames: int, work: Path, how: str = OPEN) -> dict[str, float]:
    """Medians of the first time and of the cache, each in a process of its own."""
    first, again = [], []
    for _ in range(ROUNDS):
        cache = Path(tempfile.mkdtemp(prefix="cache-", dir=work))
        first.append(opened(path, name, frames, cache, how))
        again.append(opened(path, name, frames, cache, how))
    names = ("s", "cpu_s", "mb")
    found = {}
    for which, rows in (("first", first), ("cached", again)):
        for name_of, column in zip(names, zip(*rows, strict=True), strict=True):
            found[f"{which}_{name_of}"] = round(statistics.median(column), 4)
    return found


def main() -> int:
    links = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    report = Report("reduction_index", "The index of a stack", __doc__ or "")
    with tempfile.TemporaryDirectory(prefix="nearfield-bench-index-") as folder:
        work = Path(folder)
        make_master(work, links)
        total = links * FRAMES_A_FILE
        cases = {
            f"{links} links": (work / "master.h5", "entry/data", total),
            f"virtual, {links} sources": (work / "master.h5", "entry/virtual", total),
        }
        for frames in (10_000, 100_000, 1_000_000):
            make_chunks(work, frames)
            cases[f"{frames} chunks"] = (work / f"chunks{frames}.h5", "d", frames)
        for frames in (1_000, 10_000):
            make_mappings(work, frames)
            cases[f"{frames} mappings"] = (work / f"mappings{frames}.h5", "d", frames)
        found = {what: measured(*case, work) for what, case in cases.items()}
        master = work / "master.h5"
        for what, name in (("links", "entry/data"), ("no array named", "")):
            found[f"reduce, {what}"] = measured(master, name, total, work, REDUCE)
    report.data = dict(found)
    for what in (*list(cases)[:2], *list(found)[-2:]):
        report.targets.append(Target(f"first plan, {what}, s", found[what]["first_s"], FIRST_LIMIT))
        report.targets.append(Target(f"cached, {what}, s", found[what]["cached_s"], CACHED_LIMIT))
    for kind, few, many in (("chunks", 10_000, 1_000_000), ("mappings", 1_000, 10_000)):
        small, large = found[f"{few} {kind}"], found[f"{many} {kind}"]
        growth = (large["first_cpu_s"] / many) / (small["first_cpu_s"] / few)
        what = f"CPU time for each of {many} {kind}, over each of {few}"
        report.targets.append(Target(what, round(growth, 3), GROWTH_LIMIT))
    columns = ("first_s", "first_cpu_s", "first_mb", "cached_s", "cached_cpu_s", "cached_mb")
    report.table(
        ["stack", *columns], ([what, *(row[c] for c in columns)] for what, row in found.items())
    )
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
