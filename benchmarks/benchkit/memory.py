"""The memory that a reduction takes beyond the interpreter, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchkit import stacks

CHILD = """
import sys
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack
from benchkit import stacks

def memory(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024

def reduced(path):
    stack = open_stack(path, stacks.NAME)
    found = reduce_stack(
        stack, sum=True, std=True, max=True, roi=stacks.ROI, masks=stacks.masks()
    ).load()
    return found.nbytes / 2**20

reduced(sys.argv[1])  # what is imported and compiled is so from here on
before = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak counts from now on
result = reduced(sys.argv[2])
print(memory("VmHWM") - before - result)
"""


def peak_mb(work: Path, gigabytes: int) -> float:
    """Beyond the interpreter and the result, over a stack of so many GB decoded, in MB."""
    rng = np.random.default_rng(1)
    few = (rng.random((8, *stacks.SHAPE)) < 0.01).astype("u2")
    short, long = work / "short.h5", work / "long.h5"
    stacks.write(short, few, len(few), "bslz4")
    stacks.write(long, few, gigabytes * 10**9 // few[0].nbytes, "bslz4")
    said = subprocess.run(
        [sys.executable, "-c", CHILD, str(short), str(long)],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    long.unlink()
    return float(said)
