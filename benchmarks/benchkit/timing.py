"""Contenders timed in the same rounds: medians, and ratios within a round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

ROUNDS = 5


class Took(NamedTuple):
    """What a contender that runs in processes of its own says of a run."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Contender:
    run: Callable[[], Any]
    """May give a :class:`Took`; else it is timed from here."""
    frames: int
    """That one run takes."""


def rounds(contenders: Mapping[str, Contender]) -> dict[str, list[Took]]:
    """What each contender takes for a frame, in each round."""
    found: dict[str, list[Took]] = {name: [] for name in contenders}
    for each in contenders.values():
        each.run()  # what is compiled or imported is so before the first round
    for _ in range(ROUNDS):
        for name, each in contenders.items():
            cpu, began = time.process_time(), time.perf_counter()
            said = each.run()
            took = Took(time.perf_counter() - began, time.process_time() - cpu)
            took = said if isinstance(said, Took) else took
            found[name].append(Took(*(seconds / each.frames for seconds in took)))
    return found


def compared(
    contenders: Mapping[str, Contender], bytes_a_frame: int
) -> dict[str, dict[str, float]]:
    """Speeds, and how many times as fast as each of the others the one called ``ours`` is."""
    times = rounds(contenders)
    found = {}
    for name, taken in times.items():
        both = list(zip(taken, times["ours"], strict=True))
        found[name] = {
            "gb_per_s": bytes_a_frame / statistics.median(t.seconds for t in taken) / 1e9,
            "gb_per_cpu_s": bytes_a_frame
            / max(statistics.median(t.cpu_seconds for t in taken), 1e-12)
            / 1e9,
            "ours_over": statistics.median(it.seconds / ours.seconds for it, ours in both),
            "ours_over_by_cpu": statistics.median(
                it.cpu_seconds / ours.cpu_seconds for it, ours in both
            ),
        }
    return found
