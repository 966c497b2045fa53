"""Stages: each told once, all of them to a page that comes late, and no more than are kept."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import REGISTRY

from nearfield_spawners import metrics
from nearfield_spawners.stages import KEPT, PERCENT, StageName, Stages


def ticking() -> Stages:
    ticks = iter(range(10_000))
    return Stages(clock=lambda: float(next(ticks)))


def test_the_same_word_is_told_once() -> None:
    stages = ticking()
    assert stages.add(StageName.QUEUED, "third in line")
    assert not stages.add(StageName.QUEUED, "third in line")
    assert stages.add(StageName.QUEUED, "second in line")
    assert [stage.message for stage in stages] == ["third in line", "second in line"]


def test_percentages_grow_along_the_way() -> None:
    stages = ticking()
    for name in StageName:
        stages.add(name, name.value)
    percents = [stage.percent for stage in stages]
    assert percents == sorted(set(percents))
    assert percents[-1] < 100, "the last step is JupyterHub's own"


def test_saved_and_loaded() -> None:
    stages = ticking()
    stages.add(StageName.RIGHTS, "Checking rights")
    stages.add(StageName.SUBMITTED, "Submitted as job 7")
    again = ticking()
    again.load([*stages.dump(), {"name": "of another release"}, 7])
    assert again.dump() == stages.dump()
    again.load(None)
    assert len(again) == 0


async def test_a_page_that_comes_late_sees_all_and_then_each() -> None:
    stages = ticking()
    stages.add(StageName.RIGHTS, "one")
    events = stages.events()
    assert await anext(events) == {
        **{"progress": 5, "message": "one"},
        **{"stage": "rights", "at": 0.0},
    }
    for number in range(2 * KEPT):
        stages.add(StageName.QUEUED, f"word {number}")
    assert len(stages) == KEPT
    stages.add(StageName.READY, "ready")
    last = {}
    while last.get("message") != "ready":
        last = await anext(events)
    await events.aclose()


def test_the_page_knows_every_stage() -> None:
    steps = Path(__file__).resolve().parents[3] / "js/src/pending/steps.ts"
    known = re.findall(r'^  \["(\w+)", "[^"]+", (\d+)\],$', steps.read_text(), re.MULTILINE)
    assert known == [(name.value, str(PERCENT[name])) for name in StageName]


def test_an_image_verified_before_the_submit_is_no_end_of_the_queue() -> None:
    stages = ticking()  # a second for each
    for name in StageName:
        stages.add(name, name.value)
    cluster = "of-the-queue-test"
    metrics.started("p", cluster, stages)
    waited = REGISTRY.get_sample_value("nearfield_queue_wait_seconds_sum", {"cluster": cluster})
    order = list(StageName)
    assert waited == order.index(StageName.ALLOCATED) - order.index(StageName.SUBMITTED)
