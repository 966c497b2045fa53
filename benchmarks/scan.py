"""How fast a folder of small HDF5 files is scanned, the first time and when nothing has changed.

``python benchmarks/scan.py [FILES]`` makes FILES (10,000) NeXus files, scans them into an empty
catalogue, scans again, and writes ``benchmarks/results/scan.json``. The files are in the page
cache: what is measured is the scan, not the disk. Memory is the peak of the scanning process and
of the largest of its workers. ``cpu_ms_per_file`` and ``load`` tell how much of the time others
had: on two free cores the first scan cannot be faster than ``2000 / cpu_ms_per_file``.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from nearfield.catalogue import CatalogueStore, scan
from nearfield.config import Config

FIRST_LIMIT = 300.0
AGAIN_LIMIT = 20_000.0
MEMORY_LIMIT_MB = 300.0
PER_FOLDER = 500
RESULT = Path(__file__).parent / "results/scan.json"


def make_file(path: Path, number: int) -> None:
    """A NeXus file as a beamline writes one per point: 20 objects, an image of 64 by 64."""
    with h5py.File(path, "w") as file:
        file.attrs.update(NeXus_version="4.4.0", default="entry")
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="data")
        entry["title"] = f"point {number}"
        entry["definition"] = "NXsas"
        entry["start_time"] = f"2024-01-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:00Z"
        instrument = entry.create_group("instrument")
        instrument.attrs["NX_class"] = "NXinstrument"
        instrument["name"] = "SAXS-1"
        for name, nx_class in (("source", "NXsource"), ("mono", "NXmonochromator")):
            instrument.create_group(name).attrs["NX_class"] = nx_class
        instrument["source/name"], instrument["source/probe"] = "Synthetic Source", "x-ray"
        instrument["mono/energy"] = 8.0 + number * 1e-4
        instrument["mono/energy"].attrs["units"] = "keV"
        sample = entry.create_group("sample")
        sample.attrs["NX_class"] = "NXsample"
        sample["name"] = f"film {number % 40}"
        data = entry.create_group("data")
        data.attrs.update(NX_class="NXdata", signal="frame", axes=["y", "x"])
        data["frame"] = np.full((64, 64), number % 1000, dtype="i4")
        data["x"], data["y"] = np.arange(64), np.arange(64)


def make_tree(root: Path, files: int) -> None:
    for number in range(files):
        folder = root / f"run{number // PER_FOLDER:03d}"
        folder.mkdir(exist_ok=True)
        make_file(folder / f"point_{number:06d}.h5", number)


def megabytes(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss / 1024, 1)


def cpu_seconds() -> float:
    """Of this process and of its workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> int:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    work = Path(tempfile.mkdtemp(prefix="nearfield-bench-scan-"))
    try:
        root = work / "data"
        root.mkdir()
        make_tree(root, files)
        before = megabytes(resource.RUSAGE_SELF)
        store = CatalogueStore(work / "catalogue.sqlite")
        load, cpu, began = os.getloadavg()[0], cpu_seconds(), time.perf_counter()
        report = scan(store, root, Config())
        first = time.perf_counter() - began
        cpu = cpu_seconds() - cpu
        assert (report.registered, report.failed) == (files, ())
        again, again_cpu = [], []
        for _ in range(3):
            began_cpu = cpu_seconds()
            began = time.perf_counter()
            report = scan(store, root, Config())
            again.append(time.perf_counter() - began)
            again_cpu.append(cpu_seconds() - began_cpu)
            assert (report.unchanged, report.registered) == (files, 0)
        store.close()
    finally:
        shutil.rmtree(work)
    rate, rate_again = files / first, files / sorted(again)[1]
    workers = megabytes(resource.RUSAGE_CHILDREN)
    peak = megabytes(resource.RUSAGE_SELF)
    result = {
        "benchmark": "scan",
        "files": files,
        "first_files_per_s": round(rate, 1),
        "first_limit": FIRST_LIMIT,
        "cpu_ms_per_file": round(cpu / files * 1000, 3),
        "unchanged_files_per_s": round(rate_again, 1),
        "unchanged_limit": AGAIN_LIMIT,
        "unchanged_cpu_ms_per_file": round(sorted(again_cpu)[1] / files * 1000, 4),
        "load": round(load, 1),
        "peak_mb": peak,
        "mb_before_the_scan": before,
        "largest_worker_mb": workers,
        "memory_limit_mb": MEMORY_LIMIT_MB,
        "within_limits": rate >= FIRST_LIMIT
        and rate_again >= AGAIN_LIMIT
        and max(peak, workers) <= MEMORY_LIMIT_MB,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    text = json.dumps(result, indent=2)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n")
    print(text)
    return 0 if result["within_limits"] else 1


if __name__ == "__main__":
    sys.exit(main())
