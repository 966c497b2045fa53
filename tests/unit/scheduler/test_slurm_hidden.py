"""Jobs that the hub may not see: their owners are asked, each at a cost that stays small."""

from __future__ import annotations

import pytest

from nearfield.scheduler import (
    JobId,
    JobState,
    JobStatus,
)
from nearfield.scheduler.slurm import SlurmScheduler
from standins.commands import Commands
from standins.owners import Owners, job, row, status


async def test_owners_take_turns(commands: Commands) -> None:
    """500 sessions hidden by PrivateData must not be 500 commands in each look."""
    jobs = [job(n, f"u{n}") for n in range(1, 8)]
    owners = Owners({str(n): status(JobState.RUNNING) for n in range(1, 8)})
    scheduler = SlurmScheduler("lab", commands(squeue="exit 0"), owners, owners_per_look=3)
    for new, unknown in ((3, 4), (3, 1), (1, 0)):
        before = len(owners.asked)
        found = await scheduler.status(jobs)
        assert len(owners.asked) - before == new
        assert sum(s.state is JobState.UNKNOWN for s in found.values()) == unknown
    assert {user for user, _ in owners.asked} == {f"u{n}" for n in range(1, 8)}


async def hidden(
    commands: Commands, owners: Owners, jobs: list[JobId], looks: int, squeue: str = "exit 0"
) -> list[dict[JobId, JobStatus]]:
    """One look in each second of a clock of ours."""
    now = [1000.0]
    scheduler = SlurmScheduler("lab", commands(squeue=squeue), owners, clock=lambda: now[0])
    found = []
    for _ in range(looks):
        owners.at = now[0]
        found.append(await scheduler.status(jobs))
        now[0] += 1
    return found


def most_in(seconds: float, times: list[float]) -> int:
    return max(sum(start <= at < start + seconds for at in times) for start in times)


@pytest.mark.parametrize("people", [1, 20, 200])
async def test_hidden_running_jobs_cost_little(commands: Commands, people: int) -> None:
    """200 sessions hidden by PrivateData, looked at in each of 60 seconds."""
    jobs = [job(n, f"u{n % people}") for n in range(1, 201)]
    owners = Owners({str(n): status(JobState.RUNNING) for n in range(1, 201)})
    found = await hidden(commands, owners, jobs, 60)
    for user in {j.user for j in jobs}:
        assert most_in(30, owners.times(user)) <= 2
        assert len(owners.times(user)) <= 2
    assert len(owners.asked) <= 2 * people
    assert all(len(numbers) == 200 // people for _, numbers in owners.asked)
    assert {s.state for s in found[10].values()} == {JobState.RUNNING}
    assert {s.state for s in found[-1].values()} == {JobState.RUNNING}


async def test_a_hidden_job_that_waits_is_asked_for_more_often(commands: Commands) -> None:
    """It costs its owner's commands alone, and not one in every second."""
    jobs = [job(n, f"u{n}") for n in range(1, 11)]
    owners = Owners({str(n): status(JobState.RUNNING) for n in range(2, 11)})
    owners.answers["1"] = status(JobState.PENDING)
    found = await hidden(commands, owners, jobs, 60)
    assert most_in(3, owners.times("u1")) == 1
    assert len(owners.times("u1")) == 20
    assert {len(owners.times(f"u{n}")) for n in range(2, 11)} == {2}
    assert {f[jobs[0]].state for f in found} == {JobState.PENDING}


async def test_what_an_owner_said_is_not_repeated_for_long(commands: Commands) -> None:
    owners = Owners({"1": status(JobState.RUNNING)})
    now = [0.0]
    scheduler = SlurmScheduler("lab", commands(squeue="exit 0"), owners, clock=lambda: now[0])
    await scheduler.status([job(1)])
    owners.answers["1"] = status(JobState.COMPLETED, 0)
    now[0] = 29
    assert (await scheduler.status([job(1)]))[job(1)].state is JobState.RUNNING
    owners.answers["2"] = status(JobState.RUNNING)
    found = await scheduler.status([job(1), job(2)])  # a new job: one command tells of both
    assert [s.state for s in found.values()] == [JobState.COMPLETED, JobState.RUNNING]
    assert [numbers for _, numbers in owners.asked] == [("1",), ("1", "2")]


async def test_a_job_that_leaves_the_list_is_news(commands: Commands) -> None:
    owners = Owners({"1": status(JobState.RUNNING)})
    now = [0.0]
    cluster = commands(squeue="cat $0.rows; exit 0")
    rows = cluster.bin / "squeue.rows"
    scheduler = SlurmScheduler("lab", cluster, owners, clock=lambda: now[0])
    rows.write_text("")
    await scheduler.status([job(1)])
    rows.write_text(row(1, "RUNNING") + "\n")
    await scheduler.status([job(1)])
    owners.answers["1"] = status(JobState.FAILED, 3)
    now[0] = 4
    rows.write_text("")
    assert (await scheduler.status([job(1)]))[job(1)].exit_code == 3


async def test_an_exit_code_does_not_wait(commands: Commands) -> None:
    owners = Owners({"1": status(JobState.RUNNING), "2": status(JobState.FAILED, 9)})
    cluster = commands(squeue="cat $0.rows; exit 0")
    rows = cluster.bin / "squeue.rows"
    rows.write_text("")
    scheduler = SlurmScheduler("lab", cluster, owners, clock=lambda: 0.0)
    await scheduler.status([job(1)])
    rows.write_text(row(2, "FAILED") + "\n")
    for _ in range(3):
        assert (await scheduler.status([job(2)]))[job(2)].exit_code == 9
    assert len(owners.asked) == 2
