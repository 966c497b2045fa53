"""How much more two processes of one thread do than one: a limit that a lock would set.

Beside it the same of two loops that share nothing: decoding from memory, and counting in Python.
What these lose, the machine takes (memory's bandwidth, other people's work), and no program can
have back. By CPU time is told too: what waits for a core is not in it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

CHILD = """
import sys, time
from benchkit import decoding, stacks
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

stack, masks = open_stack(sys.argv[1], stacks.NAME), stacks.masks()

def reduced():
    reduce_stack(stack, sum=True, roi=stacks.ROI, masks=masks, workers=1).load()

def counted():
    for _ in range(10_000_000):
        pass

runs = {"ours": reduced, "decode only": decoding.limit(stack, 1), "counting": counted}
for run in runs.values():
    run()
print("ready", flush=True)
for line in sys.stdin:
    began, cpu = time.perf_counter(), time.process_time()
    runs[line.strip()]()
    print(time.perf_counter() - began, time.process_time() - cpu, flush=True)
"""
WORK = ("ours", "decode only", "counting")
ROUNDS = 15
"""Many, as each is short."""


def two_over_one(path: Path) -> dict[str, dict[str, float]]:
    """Of each kind of work what two processes do in a second over what one does; medians."""
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
    found: dict[str, list[tuple[float, float]]] = {work: [] for work in WORK}
    for _ in range(ROUNDS):
        for work in WORK:
            one, both = _together(children[:1], work), _together(children, work)
            # Until the last is done; CPU time as if there were as many cores as processes.
            found[work].append((2 * one[0] / both[0], 2 * one[1] / both[1]))
    for child in children:
        child.communicate()
    names = "by_time", "by_cpu_time"
    return {
        work: dict(zip(names, map(statistics.median, zip(*each, strict=True)), strict=True))
        for work, each in found.items()
    }


def _together(children: list[subprocess.Popen[str]], work: str) -> tuple[float, float]:
    """Seconds until the last is done, and the most CPU seconds of one."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write(f"{work}\n")
        child.stdin.flush()
    told = [tuple(map(float, _told(child).split())) for child in children]
    return max(took for took, _ in told), max(cpu for _, cpu in told)


def _told(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()
