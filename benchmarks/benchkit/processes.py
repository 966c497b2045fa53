"""How much more two processes of one thread do than one: a limit that a lock would set."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

CHILD = """
import sys, time
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack
from benchkit import stacks

stack, masks = open_stack(sys.argv[1], stacks.NAME), stacks.masks()

def reduced():
    reduce_stack(stack, sum=True, roi=stacks.ROI, masks=masks, workers=1).load()

reduced()
print("ready", flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    reduced()
    print(time.perf_counter() - began, flush=True)
"""


def two_over_one(path: Path, rounds: int) -> float:
    """Work a second of two processes over that of one, median of the rounds."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        _told(child)
    found = []
    for _ in range(rounds):
        one, two = _together(children[:1]), _together(children)
        found.append(2 * one / two)
    for child in children:
        child.communicate()
    return statistics.median(found)


def _together(children: list[subprocess.Popen[str]]) -> float:
    """Seconds until the last is done."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("again\n")
        child.stdin.flush()
    return max(float(_told(child)) for child in children)


def _told(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()
