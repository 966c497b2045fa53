"""How fast stacks of frames are reduced, over the limit of the machine and over what others do.

``python benchmarks/reductions.py [FRAMES]`` makes stacks of FRAMES (2,000) frames of 512 by 512
16-bit pixels, one to a chunk, and asks for a sum over the frames, a region's series and four
masks' ("all3"). Beside it, in the same rounds: decoding alone, from memory, in as many threads;
xarray in chunks of 32 frames as an expert writes it and as most do; LiberTEM in processes of its
own, with its default executor and the pipelined one, where it is installed or
``NEARFIELD_BENCH_LIBERTEM`` names a Python that has it (its result must equal ours). Then azimuthal
integration beside h5py and pyFAI's sparse matrix, the memory of long stacks, and two processes
beside one, of a reduction and of loops that share nothing. The files are in the page cache. Each
figure is a median of five rounds, each ratio the median of the ratios within a round, as others
may use the machine; what takes long is given the first frames only, and its time scaled.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchkit import decoding, libertem, others, stacks
from benchkit.memory import peak_mb
from benchkit.processes import two_over_one
from benchkit.report import Report, Target
from benchkit.timing import Contender, compared
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

BINS = 500
SLOW = 256
"""Frames for what takes long."""
PYFAI = 100
"""Frames for pyFAI's loop."""
GIGABYTES = (1, 4, 16)
LIBERTEM = {f"LiberTEM, {executor}": 3.0 for executor in libertem.EXECUTORS}
ALL3 = {"decode only": 0.6, "expert xarray": 3.0, "plain xarray": 10.0, **LIBERTEM}
LIMITS = {"bslz4": ALL3, "gzip": ALL3, "contiguous": {"expert xarray": 5.0, **LIBERTEM}}
AZIMUTHAL_LIMIT, MEMORY_LIMIT_MB, PROCESSES_LIMIT = 3.0, 300.0, 1.8


def all3(path: Path) -> Callable[[], Any]:
    stack, masks = open_stack(path, stacks.NAME), stacks.masks()
    return lambda: reduce_stack(stack, sum=True, roi=stacks.ROI, masks=masks).load()


def everything(path: Path, frames: int) -> dict[str, dict[str, float]]:
    stack, view = open_stack(path, stacks.NAME), others.opened(path)
    few = min(SLOW, frames)
    ours = all3(path)
    contenders = {
        "ours": Contender(ours, frames),
        "decode only": Contender(decoding.limit(stack), frames),
        "expert xarray": Contender(lambda: others.expert(view), frames),
        "plain xarray": Contender(lambda: others.plain(view[:few]), few),
    }
    with ExitStack() as peers:
        if libertem.interpreter() is not None:
            right = ours()
            for executor in libertem.EXECUTORS:
                peer = peers.enter_context(libertem.Peer(executor, path, frames))
                contenders[f"LiberTEM, {executor}"] = Contender(peer.run, frames)
                peer.run()
                for name, found in peer.result().items():
                    # LiberTEM sums in 32-bit floats.
                    np.testing.assert_allclose(found, right[name], rtol=1e-5)
        return compared(contenders, stack.frame_bytes)


def azimuthal(path: Path, frames: int) -> dict[str, dict[str, float]]:
    stack = open_stack(path, stacks.NAME)
    few = min(PYFAI, frames)
    asked = {"geometry": others.geometry(), "bins": BINS}
    contenders = {
        "ours": Contender(lambda: reduce_stack(stack, azimuthal=asked).load(), frames),
        "pyFAI loop": Contender(others.pyfai_loop(path, few, BINS), few),
    }
    return compared(contenders, stack.frame_bytes)


def main() -> int:
    warnings.filterwarnings("ignore")
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    report = Report("reductions", "Reductions of detector stacks", __doc__ or "")
    report.data["load"] = os.getloadavg()[0]
    report.data["libertem"] = libertem.version()
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
        processes(report, path)
        path.unlink()
        report.data["peak_mb"] = {}
        for gigabytes in GIGABYTES:
            peak = report.data["peak_mb"][gigabytes] = peak_mb(work, gigabytes)
            what = f"memory over the interpreter's and the result's, {gigabytes} GB decoded, MB"
            report.targets.append(Target(what, peak, MEMORY_LIMIT_MB))
    return 0 if report.write() else 1


def processes(report: Report, path: Path) -> None:
    report.data["two_processes"] = found = two_over_one(path)
    what = "two processes of one thread over one"
    report.targets.append(Target(what, found["ours"]["by_time"], least=PROCESSES_LIMIT))
    report.table(
        [what, "by time", "by CPU time"],
        ([name, each["by_time"], each["by_cpu_time"]] for name, each in found.items()),
    )


def add(
    report: Report, what: str, found: Mapping[str, Mapping[str, float]], limits: Mapping[str, float]
) -> None:
    for name, limit in limits.items():
        if name in found:
            ratio = found[name]["ours_over"]
            report.targets.append(Target(f"{what}: ours over {name}", ratio, least=limit))
    if not LIBERTEM.keys().isdisjoint(limits.keys() - found.keys()) and not report.notes:
        report.notes.append("LiberTEM is not installed here: it was not measured.")
    columns = ("gb_per_s", "gb_per_cpu_s", "ours_over", "ours_over_by_cpu")
    report.table(
        [what, "GB/s", "GB per CPU s", "ours over it", "the same by CPU time"],
        ([name, *(row[c] for c in columns)] for name, row in found.items()),
    )


if __name__ == "__main__":
    sys.exit(main())
