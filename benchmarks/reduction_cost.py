"""The time that a reduction says it will take, beside the time that it takes.

``python benchmarks/reduction_cost.py [FRAMES]`` makes stacks of FRAMES (1,500) frames of 512 by 512
16-bit pixels in several ways of storing. In a new process for each, the stack is reduced once; then
it is asked for half of its frames and for all of them, the estimates are noted, and both are
computed, five times. Told is how many times too long or too short the estimate was (at least 1;
medians, and the first one after the first run), and that of the estimate before anything was
measured, which rests on an assumed rate. The files are in the page cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchkit import stacks
from benchkit.report import Report, Target

FRAMES = 1500
LIMIT = 2.0
CASES = {
    "bslz4: sum, region, masks": ("bslz4", "dict(sum=True, roi=stacks.ROI, masks=stacks.masks())"),
    "gzip: mean, deviation": ("gzip", "dict(mean=True, std=True)"),
    "contiguous: maximum, region": ("contiguous", "dict(max=True, roi=stacks.ROI)"),
    "tiles of 16 frames: sum": ("tiles", "dict(sum=True)"),
    "bslz4: azimuthal": (
        "bslz4",
        "dict(azimuthal={'geometry': others.geometry(), 'bins': 500})",
    ),
    "gzip, dark and flat: mean": (
        "gzip",
        "dict(mean=True, dark=np.ones(stacks.SHAPE), flat=np.full(stacks.SHAPE, 2.0))",
    ),
}
CHILD = """
import json, statistics, sys, time, warnings
import numpy as np
from benchkit import others, stacks
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

warnings.filterwarnings("ignore")
stack, asked = open_stack(sys.argv[1], stacks.NAME), eval(sys.argv[2])
assumed = reduce_stack(stack, **asked).nearfield.cost
reduce_stack(stack, **asked).load()
told, took, off = [], [], []
for number in range(10):
    half = slice(0, stack.shape[0] // (2 - number % 2))
    found = reduce_stack(stack, frames=half, **asked)
    cost = found.nearfield.cost
    assert cost.measured and not assumed.measured
    told.append(cost.seconds)
    began = time.perf_counter()
    found.load()
    took.append(time.perf_counter() - began)
    off.append(max(told[-1] / took[-1], took[-1] / told[-1]))
truth = statistics.median(took[1::2])
print(json.dumps({
    "assumed_s": assumed.seconds, "told_s": statistics.median(told[1::2]), "took_s": truth,
    "assumed_off": max(assumed.seconds / truth, truth / assumed.seconds),
    "first_off": off[0], "half_off": statistics.median(off[::2]),
    "whole_off": statistics.median(off[1::2]),
}))
"""


def main() -> int:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    report = Report("reduction_cost", "What a reduction says it will take", __doc__ or "")
    with tempfile.TemporaryDirectory(prefix="nearfield-bench-cost-") as folder:
        content, paths = stacks.scattering(), {}
        for storage in stacks.STORAGE:
            paths[storage] = Path(folder) / f"{storage}.h5"
            stacks.write(paths[storage], content, frames, storage)
        for what, (storage, asked) in CASES.items():
            said = subprocess.run(
                [sys.executable, "-c", CHILD, str(paths[storage]), asked],
                cwd=Path(__file__).parent,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            found = report.data[what] = json.loads(said)
            goal = f"{what}: estimate over truth, or truth over estimate"
            report.targets.append(Target(goal, max(found["half_off"], found["whole_off"]), LIMIT))
    columns = ("assumed_s", "told_s", "took_s", "assumed_off", "first_off", "half_off", "whole_off")
    report.table(
        ["reduction", *columns],
        ([what, *(row[c] for c in columns)] for what, row in report.data.items()),
    )
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
