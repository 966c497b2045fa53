"""How fast stacks of frames are reduced, over the limit of the machine and over what others do.

``python benchmarks/reductions.py [FRAMES]`` makes stacks of FRAMES (2,000) frames of 512 by 512
16-bit pixels, one to a chunk, and asks for a sum over the frames, a region's series and four
masks' ("all3"). Beside it, in the same rounds: decoding alone, from memory, in as many threads;
xarray in chunks of 32 frames as an expert writes it and as most do; LiberTEM where it is installed.
Then azimuthal integration beside h5py and pyFAI's sparse matrix, the memory of long stacks, and
two processes beside one. The files are in the page cache. Each figure is a median of five rounds,
each ratio the median of the ratios within a round, as others may use the machine; what takes long
is given the first frames only, and its time scaled.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchkit import decoding, others, stacks
from benchkit.memory import peak_mb
from benchkit.processes import two_over_one
from benchkit.report import Report, Target
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

ROUNDS = 5
BINS = 500
SLOW = 256
"""Frames for what takes long."""
PYFAI = 100
"""Frames for pyFAI's loop."""
GIGABYTES = (1, 4, 16)
LIMITS = {
    "bslz4": {"decode only": 0.6, "expert xarray": 3.0, "plain xarray": 10.0, "LiberTEM": 3.0},
    "gzip": {"decode only": 0.6, "expert xarray": 3.0, "plain xarray": 10.0},
    "contiguous": {"expert xarray": 5.0},
}
AZIMUTHAL_LIMIT, MEMORY_LIMIT_MB, PROCESSES_LIMIT = 3.0, 300.0, 1.8

Contender = tuple[Callable[[], Any], int]
"""What is timed, and how many frames it takes."""


def rounds(contenders: Mapping[str, Contender]) -> dict[str, list[tuple[float, float]]]:
    """For each contender its ``(seconds, CPU seconds)`` a frame, in each round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for run, _ in contenders.values():
        run()  # what is compiled or imported is so before the first round
    for _ in range(ROUNDS):
        for name, (run, frames) in contenders.items():
            cpu, began = time.process_time(), time.perf_counter()
            run()
            took, used = time.perf_counter() - began, time.process_time() - cpu
            found[name].append((took / frames, used / frames))
    return found


def compared(
    contenders: Mapping[str, Contender], bytes_a_frame: int
) -> dict[str, dict[str, float]]:
    """Speeds, and how many times as fast as each of the others the one called ``ours`` is."""
    times = rounds(contenders)
    found = {}
    for name, taken in times.items():
        wall, cpu = zip(*taken, strict=True)
        found[name] = {
            "gb_per_s": bytes_a_frame / statistics.median(wall) / 1e9,
            "gb_per_cpu_s": bytes_a_frame / max(statistics.median(cpu), 1e-12) / 1e9,
            "ours_over": statistics.median(
                other[0] / ours[0] for other, ours in zip(taken, times["ours"], strict=True)
            ),
            "ours_over_by_cpu": statistics.median(
                other[1] / ours[1] for other, ours in zip(taken, times["ours"], strict=True)
            ),
        }
    return found


def all3(path: Path) -> Callable[[], Any]:
    stack, masks = open_stack(path, stacks.NAME), stacks.masks()
    return lambda: reduce_stack(stack, sum=True, roi=stacks.ROI, masks=masks).load()


def everything(path: Path, frames: int) -> dict[str, dict[str, float]]:
    stack, view = open_stack(path, stacks.NAME), others.opened(path)
    few = min(SLOW, frames)
    contenders: dict[str, Contender] = {
        "ours": (all3(path), frames),
        "decode only": (decoding.limit(stack), frames),
        "expert xarray": (lambda: others.expert(view), frames),
        "plain xarray": (lambda: others.plain(view[:few]), few),
    }
    libertem = others.libertem(path, frames)
    if libertem is not None:
        contenders["LiberTEM"] = (libertem, frames)
    return compared(contenders, stack.frame_bytes)


def azimuthal(path: Path, frames: int) -> dict[str, dict[str, float]]:
    stack = open_stack(path, stacks.NAME)
    few = min(PYFAI, frames)
    asked = {"geometry": others.geometry(), "bins": BINS}
    contenders: dict[str, Contender] = {
        "ours": (lambda: reduce_stack(stack, azimuthal=asked).load(), frames),
        "pyFAI loop": (others.pyfai_loop(path, few, BINS), few),
    }
    return compared(contenders, stack.frame_bytes)


def main() -> int:
    warnings.filterwarnings("ignore")
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    report = Report("reductions", "Reductions of detector stacks", __doc__ or "")
    report.data["load"] = os.getloadavg()[0]
    report.data["libertem"] = importlib.util.find_spec("libertem") is not None
    with tempfile.TemporaryDirectory(prefix="nearfield-bench-reductions-") as folder:
        work, content = Path(folder), stacks.scattering()
        for storage, limits in LIMITS.items():
            path = work / f"{storage}.h5"
            stacks.write(path, content, frames, storage)
            found = report.data[storage] = everything(path, frames)
            add(report, storage, found, limits)
            if storage != "bslz4":
                path.unlink()
        path = work / "bslz4.h5"
        found = report.data["azimuthal"] = azimuthal(path, frames)
        add(report, f"azimuthal, {BINS} bins", found, {"pyFAI loop": AZIMUTHAL_LIMIT})
        report.data["two_processes"] = both = two_over_one(path, ROUNDS)
        report.targets.append(
            Target("two processes of one thread over one", both, least=PROCESSES_LIMIT)
        )
        path.unlink()
        report.data["peak_mb"] = {}
        for gigabytes in GIGABYTES:
            peak = report.data["peak_mb"][gigabytes] = peak_mb(work, gigabytes)
            what = f"memory over the interpreter's and the result's, {gigabytes} GB decoded, MB"
            report.targets.append(Target(what, peak, MEMORY_LIMIT_MB))
    return 0 if report.write() else 1


def add(
    report: Report, what: str, found: Mapping[str, Mapping[str, float]], limits: Mapping[str, float]
) -> None:
    for name, limit in limits.items():
        if name in found:
            ratio = found[name]["ours_over"]
            report.targets.append(Target(f"{what}: ours over {name}", ratio, least=limit))
    if "LiberTEM" in limits and "LiberTEM" not in found:
        report.notes.append("LiberTEM is not installed here: it was not measured.")
    columns = ("gb_per_s", "gb_per_cpu_s", "ours_over", "ours_over_by_cpu")
    report.table(
        [what, "GB/s", "GB per CPU s", "ours over it", "the same by CPU time"],
        ([name, *(row[c] for c in columns)] for name, row in found.items()),
    )


if __name__ == "__main__":
    sys.exit(main())
