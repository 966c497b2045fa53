"""What becomes of a running session is told, kept, and gone with the next start."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobState, JobStatus
from nearfield_spawners import afterwards, life

Lab = Any


def endings(kind: str) -> float:
    return REGISTRY.get_sample_value("nearfield_session_endings_total", {"kind": kind}) or 0.0


async def over(lab: Lab, spawner: Any) -> int | None:
    """What a poll says after the next look."""
    await lab.live.monitor("lab").fresh(spawner.job)
    code: int | None = await spawner.poll()
    return code


@pytest.mark.parametrize(
    ("state", "code", "reason", "kind", "words"),
    [
        (JobState.NODE_FAIL, None, "NodeFail", "node-failed", "Node node1 failed; start again"),
        (JobState.OUT_OF_MEMORY, 137, "", "out-of-memory", "choose hardware with more memory"),
        (JobState.TIMEOUT, None, "TimeLimit", "time-limit", "reached its time limit"),
        (JobState.FAILED, 79, "NonZeroExitCode", "time-limit", "reached its time limit"),
        (JobState.PREEMPTED, None, "", "preempted", "took the session's place"),
        (JobState.CANCELLED, None, "by uid 0", "cancelled", "The job was cancelled by root"),
        (JobState.FAILED, 3, "NonZeroExitCode", "failed", "The server failed (exit code 3)"),
        (JobState.COMPLETED, 0, "", "ended", "The server ended by itself."),
    ],
)
async def test_each_ending_is_told_apart(  # noqa: PLR0917
    lab: Lab, state: JobState, code: int | None, reason: str, kind: str, words: str
) -> None:
    spawner = await lab.running()
    lab.scheduler.jobs[spawner.job].log = "the last words"
    assert await spawner.poll() is None
    before = endings(kind)
    lab.scheduler.finish(spawner.job, state, code, reason)
    assert await over(lab, spawner) == (1 if code is None else code)
    ending = spawner.last_ending
    assert ending.kind == kind
    assert endings(kind) == before + 1
    assert words in ending.sentence
    assert (ending.log, ending.profile, ending.host) == ("the last words", "small", "node1")
    assert not spawner.job_name

    # JupyterHub clears and saves; another hub loads.
    spawner.clear_state()
    again = lab.spawner(state=spawner.get_state())
    assert again.last_ending == ending
    assert [stage.name for stage in again.stages] == [stage.name for stage in spawner.stages]
    spawner.orm_spawner.state = None
    await lab.running()
    assert lab.user.spawners[""].last_ending is None


async def test_the_next_start_clears_it(lab: Lab, holds: Any) -> None:
    spawner = await lab.running()
    lab.scheduler.finish(spawner.job, JobState.NODE_FAIL, None)
    await over(lab, spawner)
    assert "ended" in spawner.get_state()
    start = asyncio.create_task(spawner.start())
    await holds(lambda: spawner.job is not None)
    spawner.accept_port(5000)
    await start
    assert "ended" not in spawner.get_state()


async def test_the_end_of_a_completing_job_is_told_at_once_and_its_cause_afterwards(
    lab: Lab,
) -> None:
    spawner = await lab.running()
    job, before = spawner.job, endings("out-of-memory")
    lab.scheduler.jobs[job].log = "the last words"
    lab.scheduler.finish(job, JobState.COMPLETING, None)
    asked = lab.scheduler.calls.count("log_tail")
    assert await over(lab, spawner) == 1
    assert lab.scheduler.calls.count("log_tail") == asked  # not even the log is waited for
    assert (spawner.last_ending.kind, spawner.job_name) == ("ended", "")
    lab.scheduler.finish(job, JobState.OUT_OF_MEMORY, 137)
    await asyncio.wait_for(spawner._learning_end, 5)
    ending = spawner.last_ending
    assert (ending.kind, ending.log, ending.host) == ("out-of-memory", "the last words", "node1")
    assert spawner.orm_spawner.state["ended"]["kind"] == "out-of-memory"
    assert endings("out-of-memory") == before + 1
    assert lab.live.monitor("lab").watched == 0


async def test_the_cause_is_not_sought_for_ever(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    spawner = await lab.running()
    lab.scheduler.finish(spawner.job, JobState.COMPLETING, None)
    monkeypatch.setattr(afterwards, "COMPLETING_SECONDS", -1.0)
    assert await over(lab, spawner) == 1
    await asyncio.wait_for(spawner._learning_end, 5)
    assert spawner.last_ending.kind == "ended"
    assert lab.live.monitor("lab").watched == 0


async def test_a_cause_that_comes_late_does_not_touch_the_next_session(lab: Lab) -> None:
    spawner = await lab.running()
    job = spawner.job
    lab.scheduler.finish(job, JobState.COMPLETING, None)
    assert await over(lab, spawner) == 1
    state = {"job_name": "nearfield-2"}
    spawner.orm_spawner.state = state  # another object has started the same server
    lab.scheduler.finish(job, JobState.FAILED, 3)
    await asyncio.wait_for(spawner._learning_end, 5)
    assert spawner.orm_spawner.state is state


async def test_jupyterhub_is_told_at_once(lab: Lab) -> None:
    spawner = await lab.running()
    told = asyncio.Event()

    async def poll_and_notify() -> None:
        told.set()

    spawner.poll_and_notify, spawner._poll_callback = poll_and_notify, object()
    await spawner.poll()
    lab.scheduler.finish(spawner.job, JobState.NODE_FAIL, None)
    await lab.live.monitor("lab").fresh(spawner.job)
    await asyncio.wait_for(told.wait(), 1)
    spawner._poll_callback = None


async def test_an_outage_is_no_end(lab: Lab) -> None:
    spawner = await lab.running()
    lab.scheduler.fails["status"] = SchedulerUnavailableError("munged is down")
    assert await over(lab, spawner) is None
    assert spawner.last_ending is None


async def test_a_stop_by_the_user_is_no_ending_to_tell(lab: Lab) -> None:
    spawner = await lab.running()
    job = spawner.job
    await spawner.stop()
    assert lab.scheduler.jobs[job].outcome == (JobState.CANCELLED, None)
    assert spawner.last_ending is None
    assert lab.live.monitor("lab").watched == 0


async def test_a_stop_after_too_long_idle_says_so(lab: Lab) -> None:
    spawner = await lab.running()
    text = lab.file.read_text().replace("per_user: 100", "per_user: 100, idle_minutes: 60")
    lab.file.write_text(text)
    assert lab.live.config.sessions.idle_minutes == 60
    spawner.orm_spawner.last_activity = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=2)
    await spawner.stop()
    assert spawner.last_ending.kind == "idle"
    assert "after 120 min without activity (the limit is 60 min)" in spawner.last_ending.message


async def test_polls_cost_no_looks(lab: Lab) -> None:
    spawners = [await lab.running(f"s{n}") for n in range(5)]
    await asyncio.gather(*(spawner.poll() for spawner in spawners))
    looks = lab.scheduler.calls.count("status")
    for _ in range(50):
        await asyncio.gather(*(spawner.poll() for spawner in spawners))
    assert lab.scheduler.calls.count("status") == looks


async def test_the_end_of_the_job_is_known(lab: Lab) -> None:
    spawner = await lab.running()
    ends = lab.scheduler._look(lab.scheduler.jobs[spawner.job]).ends
    assert ends is not None
    assert spawner.ends_at == ends.timestamp()
    assert lab.spawner(state=spawner.get_state()).ends_at == spawner.ends_at


async def test_when_a_job_was_over_is_not_its_time_limit(lab: Lab) -> None:
    # Preempted an hour early: Slurm tells the end of a completing job, and that is now.
    spawner = await lab.running()
    limit = spawner.ends_at
    now = datetime.now(UTC)
    spawner._heard(JobStatus(state=JobState.COMPLETING, ends=now))
    assert spawner.ends_at == limit
    assert spawner._teller()(JobStatus(state=JobState.COMPLETING, ends=now), "").kind == "ended"


async def test_a_submit_that_waited_too_long_for_its_turn_brings_no_job(
    lab: Lab, holds: Any
) -> None:
    turn = asyncio.Event()
    submit = lab.scheduler.submit

    async def in_turn(spec: Any) -> Any:
        await turn.wait()
        return await submit(spec)

    lab.scheduler.submit = in_turn
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    await holds(lambda: bool(spawner.job_name))
    name = spawner.job_name
    spawner.started_at = 1.0  # long ago
    await spawner.stop()
    await holds(lambda: len(spawner.leftovers) == 0)
    assert lab.scheduler.withdrawn == {name}
    assert await spawner.poll() == 1
    turn.set()
    with pytest.raises(Exception, match="submitted before"):
        await start
    assert not lab.scheduler.jobs


async def test_a_refused_start_is_told_although_nobody_answers_any_more(lab: Lab) -> None:
    """JupyterHub asks for the job, then stops it, and only then answers whoever asked for it."""
    silent = asyncio.Event()

    async def never(*_: Any) -> Any:
        await silent.wait()

    lab.scheduler.fails["submit"] = SchedulerUnavailableError("sbatch: Unable to contact")
    lab.scheduler.find_all = lab.scheduler.withdraw = lab.scheduler.status = never
    spawner = lab.spawner()
    with pytest.raises(Exception, match="Unable to contact"):
        await spawner.start()
    name = spawner.job_name
    spawner._stop_pending = True
    assert await asyncio.wait_for(spawner.poll(), 5) is None
    await asyncio.wait_for(spawner.stop(), 5)
    assert [kept["name"] for kept in spawner.leftovers.dump()] == [name]


async def test_a_poll_waits_for_its_answer_only_so_long_and_the_next_has_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, holds: Any
) -> None:
    answered, found = asyncio.Event(), lab.scheduler.find_all

    async def late(wanted: Any) -> Any:
        await answered.wait()
        return await found(wanted)

    lab.scheduler.find_all = late
    monkeypatch.setattr(life, "POLL_SECONDS", 0.01)
    spawner = lab.spawner(state={"job_name": "nearfield-1", "cluster_name": "lab"})
    assert await asyncio.wait_for(spawner.poll(), 5) is None
    assert await asyncio.wait_for(spawner.poll(), 5) is None
    look = spawner._looking
    answered.set()
    await holds(look.done)
    assert await asyncio.wait_for(spawner.poll(), 5) == 1
    assert lab.scheduler.calls.count("find_all") == 1, "one question for all three"


async def test_a_launcher_that_has_begun_is_given_its_time(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner = lab.spawner(
        state={"job_name": "nearfield-1", "cluster_name": "lab", "started_at": 1.0}
    )

    async def withdraw(user: str, name: str) -> bool:
        return False

    lab.scheduler.withdraw = withdraw
    assert await spawner.poll() is None
    monkeypatch.setattr(life, "LAUNCHER_SECONDS", -1.0)
    assert await spawner.poll() == 1


async def test_a_look_that_outlives_its_session_touches_no_other(lab: Lab) -> None:
    first = lab.spawner()
    start = asyncio.create_task(first.start())
    await lab.submitted(first)
    start.cancel()
    found, answer = lab.scheduler.find_all, asyncio.Event()

    async def late(wanted: Any) -> Any:
        await answer.wait()
        return await found(wanted)

    lab.scheduler.find_all = late
    old = lab.spawner(state=first.get_state() | {"job_id": ""})
    look = asyncio.create_task(old._look())
    await asyncio.sleep(0)
    old.clear_state()  # stopped, as JupyterHub does it
    old.orm_spawner.state = {"job_name": "nearfield-new"}
    answer.set()
    assert (await look).state is JobState.UNKNOWN
    assert old.orm_spawner.state == {"job_name": "nearfield-new"}
    assert old.job is None
