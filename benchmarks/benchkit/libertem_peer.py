"""LiberTEM's side of the benchmark of reductions: runs in an interpreter that has LiberTEM.

``python -m benchkit.libertem_peer EXECUTOR CPUS`` takes lines of JSON: ``["load", path, frames]``,
``["run"]``, which says how many seconds and CPU seconds (of all its processes) it took, and
``["save", path]``, which writes the last result as ``.npz``. Each is answered with a line.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np
import psutil

from benchkit import stacks


def cpu_seconds() -> float:
    """Of this process and those that it started."""
    own = psutil.Process()
    total = 0.0
    for one in [own, *own.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.Error:  # it has just ended
            continue
        total += times.user + times.system
    return total


def mask_factories() -> list[Any]:
    """The region as a mask, then the four masks, as LiberTEM takes them: made in its workers."""
    return [region, *(lambda n=n: ring(n) for n in range(len(stacks.RINGS)))]


def region() -> np.ndarray:
    made = np.zeros(stacks.SHAPE, "f4")
    made[stacks.ROI] = 1
    return made


def ring(number: int) -> np.ndarray:
    return list(stacks.masks().values())[number].astype("f4")


def main() -> None:
    from libertem.api import Context  # type: ignore[import-not-found]
    from libertem.udf.masks import ApplyMasksUDF  # type: ignore[import-not-found]
    from libertem.udf.sum import SumUDF  # type: ignore[import-not-found]

    warnings.filterwarnings("ignore")
    with Context.make_with(sys.argv[1], cpus=int(sys.argv[2]), gpus=0) as context:
        say("ready")
        data = found = None
        for line in sys.stdin:
            what, *told = json.loads(line)
            if what == "load":
                path, frames = told
                data = context.load("hdf5", path=path, ds_path=stacks.NAME, nav_shape=(frames,))
                weigh = ApplyMasksUDF(mask_factories=mask_factories())
                say("loaded")
            elif what == "run":
                began, cpu = time.perf_counter(), cpu_seconds()
                found = context.run_udf(data, [SumUDF(), weigh])
                took = time.perf_counter() - began
                say([took, cpu_seconds() - cpu])
            else:
                whole, series = (each["intensity"].data for each in found)
                np.savez(told[0], sum=whole, roi=series[:, 0], masks=series[:, 1:])
                say("saved")


def say(what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
