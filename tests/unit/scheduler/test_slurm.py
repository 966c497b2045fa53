"""The Slurm driver's look for all users: one squeue, and owners only for what it lacks."""

from __future__ import annotations

import pytest

from nearfield.errors import SchedulerError
from nearfield.scheduler import (
    JobId,
    JobState,
    JobStatus,
    slurm,
)
from nearfield.scheduler.slurm import SlurmScheduler
from standins.commands import MUNGE, Commands, says
from standins.owners import Owners, Slow, job, row, status


@pytest.mark.parametrize("word", ["RUNNING", "PENDING", "FAILED"])
async def test_a_number_of_somebody_elses_job_tells_nothing(commands: Commands, word: str) -> None:
    """A launcher of mallory's may have answered with any number."""
    owners = Owners({"1": status(JobState.RUNNING)})
    scheduler = SlurmScheduler("lab", commands(squeue=says(row(1, word))), owners)
    found = await scheduler.status([job(1, "mallory")])
    assert found[job(1, "mallory")].state is JobState.UNKNOWN
    assert "another account" in found[job(1, "mallory")].reason
    assert owners.asked == []


async def test_one_look_for_all_and_a_second_only_for_what_is_missing(commands: Commands) -> None:
    rows = says(row(1, "RUNNING"), row(2, "PENDING", "bob"), row(3, "FAILED", "carol"))
    cluster = commands(squeue=f"echo x >> $0.calls; {rows}")
    owners = Owners({"3": status(JobState.FAILED, 9), "4": status(JobState.RUNNING)})
    found = await SlurmScheduler("lab", cluster, owners).status(
        [job(1), job(2, "bob"), job(3, "carol"), job(4, "dave"), job(5, "dave")]
    )
    assert [s.state for s in found.values()] == [
        JobState.RUNNING, JobState.PENDING, JobState.FAILED, JobState.RUNNING, JobState.UNKNOWN,
    ]  # fmt: skip
    assert found[job(3, "carol")].exit_code == 9
    assert sorted(owners.asked) == [("carol", ("3",)), ("dave", ("4", "5"))]
    assert (cluster.bin / "squeue.calls").read_text() == "x\n"


async def test_an_end_is_not_doubted_because_the_owners_look_failed(commands: Commands) -> None:
    cluster = commands(squeue=says(row(1, "CANCELLED")))
    owners = Owners({"1": SchedulerError("sudo says no")})
    found = await SlurmScheduler("lab", cluster, owners).status([job(1)])
    assert found[job(1)].state is JobState.CANCELLED


async def test_a_failed_look_is_unknown_for_all_and_asks_nobody(commands: Commands) -> None:
    owners = Owners({"1": status(JobState.FAILED)})
    found = await SlurmScheduler("lab", commands(squeue=MUNGE), owners).status([job(1), job(2)])
    assert {s.state for s in found.values()} == {JobState.UNKNOWN}
    assert "munged" in found[job(1)].reason
    assert owners.asked == []


async def test_a_broken_sudo_is_unknown(commands: Commands) -> None:
    owners = Owners({"1": SchedulerError("sudo says no")})
    found = await SlurmScheduler("lab", commands(squeue="exit 0"), owners).status([job(1)])
    assert found[job(1)] == JobStatus(state=JobState.UNKNOWN, reason="sudo says no")


async def test_one_owners_broken_answer_is_that_owners_alone(commands: Commands) -> None:
    owners = Owners({"1": RecursionError("deep"), "2": status(JobState.RUNNING)})
    scheduler = SlurmScheduler("lab", commands(squeue="exit 0"), owners)
    found = await scheduler.status([job(1), job(2, "bob")])
    assert found[job(1)] == JobStatus(state=JobState.UNKNOWN, reason="RecursionError")
    assert found[job(2, "bob")].state is JobState.RUNNING


async def test_a_slow_owner_delays_nobody(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops the own launcher is not waited for; the answer counts once it is there."""
    monkeypatch.setattr(slurm, "QUICK_SECONDS", 0.05)
    owners = Slow({"1": status(JobState.FAILED, 9), "2": status(JobState.FAILED, 3)}, "alice")
    rows = says(row(1, "FAILED"), row(2, "FAILED", "bob"))
    now = [0.0]
    scheduler = SlurmScheduler("lab", commands(squeue=rows), owners, clock=lambda: now[0])
    for _ in range(3):
        found = await scheduler.status([job(1), job(2, "bob")])
        assert (found[job(1)].state, found[job(1)].exit_code) == (JobState.FAILED, None)
        assert found[job(2, "bob")].exit_code == 3
        now[0] += 10
    assert [user for user, _ in owners.asked].count("alice") == 1, "one look at a time"
    owners.let_go.set()
    await scheduler.settled()
    assert (await scheduler.status([job(1)]))[job(1)].exit_code == 9


async def test_slow_owners_are_bounded(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "QUICK_SECONDS", 0.05)
    jobs = [job(n, f"u{n}") for n in range(1, 6)]
    owners = Slow({str(n): status(JobState.RUNNING) for n in range(1, 6)}, "u1", "u2")
    scheduler = SlurmScheduler("lab", commands(squeue="exit 0"), owners, owners_per_look=3)
    for asked in (3, 4, 5):  # two never answer, so that one at a time is asked besides
        found = await scheduler.status(jobs)
        assert len(owners.asked) == asked
    assert [found[j].state for j in jobs] == [JobState.UNKNOWN] * 2 + [JobState.RUNNING] * 3
    owners.let_go.set()
    await scheduler.settled()
    found = await scheduler.status(jobs)
    assert {s.state for s in found.values()} == {JobState.RUNNING}
    assert len(owners.asked) == 5


async def test_ids_that_are_none_of_ours(commands: Commands) -> None:
    cluster = commands(squeue=says(row(1, "FAILED")))
    strange = [
        JobId(cluster="other", user="a", number="1"),
        job(1).model_copy(update={"number": "x"}),
    ]
    found = await SlurmScheduler("lab", cluster, Owners({})).status(strange)
    assert {s.state for s in found.values()} == {JobState.UNKNOWN}
