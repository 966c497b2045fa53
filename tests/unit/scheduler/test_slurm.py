"""The Slurm driver against commands that are scripts of ours: outages, hidden jobs, bad words."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.config import Cluster
from nearfield.errors import SchedulerError, SchedulerUnavailableError, SubmitError
from nearfield.scheduler import (
    CommandTask,
    JobId,
    JobSpec,
    JobState,
    JobStatus,
    PathAccess,
    slurm,
    staging,
)
from nearfield.scheduler.account import GONE, SlurmAccount
from nearfield.scheduler.slurm import SlurmScheduler
from nearfield.scheduler.submitters import DirectSubmitter, SudoSubmitter

ME = pwd.getpwuid(os.geteuid()).pw_name
ROW = "{0}|{1}|na1|2026-01-01T00:00:00|2026-01-01T01:00:00|None"
ACCT = "{0}|{1}|{2}|na1|2026-01-01T00:00:00|2026-01-01T01:00:00|None"
UNKNOWN_ID = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
MUNGE = "echo 'squeue: error: If munged is up, restart with --num-threads=10' >&2; exit 1"
SPEC = JobSpec(
    name="nf-1", cluster="lab", user=ME, profile="p", task=CommandTask(argv=("/bin/true",))
)

Commands = Callable[..., Cluster]


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """A folder of commands; each is the body of a shell script."""

    def make(**bodies: str) -> Cluster:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, body in bodies.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        return Cluster(bin=folder)

    return make


def says(*lines: str) -> str:
    return "cat <<'EOF'\n" + "\n".join(lines) + "\nEOF"


def account(cluster: Cluster, tmp_path: Path, **more: float) -> SlurmAccount:
    return SlurmAccount(cluster, sessions=tmp_path / "sessions", **more)


# ---------------------------------------------------------------------- one account


@pytest.mark.parametrize(
    ("squeue", "sacct", "scontrol", "state", "code"),
    [
        (says(ROW.format(7, "RUNNING")), "exit 1", "exit 1", JobState.RUNNING, None),
        (says(ROW.format(7, "FAILED")), says(ACCT.format(7, "FAILED", "3:0")), "exit 1",
         JobState.FAILED, 3),
        # Accounting lags behind the queue.
        (says(ROW.format(7, "COMPLETED")), says(ACCT.format(7, "RUNNING", "0:0")), "exit 1",
         JobState.COMPLETED, None),
        (UNKNOWN_ID, says(ACCT.format(7, "TIMEOUT", "0:0")), "exit 1", JobState.TIMEOUT, 0),
        # Slurm does not answer, its database does.
        (MUNGE, says(ACCT.format(7, "COMPLETED", "0:0")), "exit 1", JobState.COMPLETED, 0),
        (MUNGE, "exit 1", UNKNOWN_ID, JobState.UNKNOWN, None),
        # No accounting at this site: only the controller can say that the job is gone.
        ("exit 0", "exit 1", UNKNOWN_ID, JobState.FAILED, None),
        ("exit 0", "exit 1", MUNGE, JobState.UNKNOWN, None),
        ("exit 0", "exit 0", "exit 0", JobState.UNKNOWN, None),
        ("exit 0", says(ACCT.format(7, "RUNNING", "0:0")), "exit 0", JobState.UNKNOWN, None),
        ("exit 0", says(ACCT.format(8, "COMPLETED", "0:0")), "exit 0", JobState.UNKNOWN, None),
    ],
)  # fmt: skip
def test_what_became_of_a_job(  # noqa: PLR0917
    commands: Commands,
    tmp_path: Path,
    squeue: str,
    sacct: str,
    scontrol: str,
    state: JobState,
    code: int | None,
) -> None:
    cluster = commands(squeue=squeue, sacct=sacct, scontrol=scontrol)
    found = account(cluster, tmp_path).status(["7"])["7"]
    assert (found.state, found.exit_code) == (state, code)
    if state is JobState.FAILED and code is None:
        assert found.reason == GONE


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    st.permutations(
        ["exit 1", MUNGE, "exit 127", "kill -9 $$", "echo nonsense; exit 2", "exit 255"]
    )
)
def test_no_failure_of_commands_is_an_end(
    commands: Commands, tmp_path: Path, bodies: list[str]
) -> None:
    cluster = commands(squeue=bodies[0], sacct=bodies[1], scontrol=bodies[2])
    assert account(cluster, tmp_path).status(["7"])["7"].state is JobState.UNKNOWN


@pytest.mark.parametrize("name", ["nf-1", None], ids=["its name is known", "Slurm is asked"])
def test_a_cancel_forgets_the_tokens_of_a_job_that_waited(
    commands: Commands, tmp_path: Path, name: str | None
) -> None:
    slurm = account(commands(scancel="exit 0", squeue=says("nf-1")), tmp_path)
    folder = staging.stage(SPEC, slurm.sessions)
    slurm.cancel("7", name)
    assert not (folder / "environment.json").exists()


def test_a_cancel_that_did_not_get_through_forgets_nothing(
    commands: Commands, tmp_path: Path
) -> None:
    slurm = account(commands(scancel=MUNGE), tmp_path)
    folder = staging.stage(SPEC, slurm.sessions)
    with pytest.raises(SchedulerError):
        slurm.cancel("7", "nf-1")
    assert (folder / "environment.json").exists()


def test_a_missing_command_is_no_end(tmp_path: Path) -> None:
    found = account(Cluster(bin=tmp_path), tmp_path).status(["7"])["7"]
    assert found.state is JobState.UNKNOWN
    assert "cannot be run" in found.reason


def test_a_command_that_hangs_is_no_end(commands: Commands, tmp_path: Path) -> None:
    cluster = commands(squeue="exec sleep 20", sacct="exec sleep 20", scontrol="exec sleep 20")
    found = account(cluster, tmp_path, query_seconds=0.1).status(["7"])["7"]
    assert found.state is JobState.UNKNOWN
    assert "within 0.1 s" in found.reason


def test_the_words_of_sbatch_and_nothing_left_behind(commands: Commands, tmp_path: Path) -> None:
    cluster = commands(
        sbatch="echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1"
    )
    with pytest.raises(
        SubmitError, match="refused the job: Batch job submission failed: Invalid account"
    ):
        account(cluster, tmp_path).submit(SPEC)
    assert list((tmp_path / "sessions").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: If munged is up, restart with --num-threads=10",
        "sbatch: error: Batch job submission failed: Protocol authentication error",
        "sbatch: fatal: Unable to process configuration file",
    ],
)
def test_an_outage_is_no_refusal(commands: Commands, tmp_path: Path, words: str) -> None:
    cluster = commands(sbatch=f"echo '{words}' >&2; exit 1")
    with pytest.raises(SchedulerUnavailableError):
        account(cluster, tmp_path).submit(SPEC)


def test_a_lost_answer_says_that_the_job_may_exist(commands: Commands, tmp_path: Path) -> None:
    cluster = commands(sbatch="exec sleep 20")
    with pytest.raises(SchedulerUnavailableError, match="may have been queued"):
        account(cluster, tmp_path, submit_seconds=0.1).submit(SPEC)
    assert (tmp_path / "sessions/nf-1/session.json").exists()


@pytest.mark.parametrize("body", ["echo Submitted, thank you", "exit 0"])
def test_a_success_without_a_number_is_no_refusal(
    commands: Commands, tmp_path: Path, body: str
) -> None:
    with pytest.raises(SchedulerUnavailableError, match="may have been queued"):
        account(commands(sbatch=body), tmp_path).submit(SPEC)
    assert (tmp_path / "sessions/nf-1/session.json").exists()


def test_sbatch_sees_nothing_of_our_environment(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "x")
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    cluster = commands(sbatch=f"cat > {tmp_path}/script; env > {tmp_path}/env; echo 12")
    assert account(cluster, tmp_path).submit(SPEC) == "12"
    names = {line.split("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "PWD", "SHLVL", "_"}
    assert (tmp_path / "script").read_text().startswith("#!/bin/sh\n")


@pytest.mark.parametrize("number", ["--all", "1 2", "", "1_2", "x"])
def test_no_other_argument_reaches_slurm(commands: Commands, tmp_path: Path, number: str) -> None:
    cluster = commands(scancel="touch $0.was-run", squeue="touch $0.was-run")
    with pytest.raises(SchedulerError, match="not a job number"):
        account(cluster, tmp_path).cancel(number)
    with pytest.raises(SchedulerError, match="not a job number"):
        account(cluster, tmp_path).status([number])
    assert not list(cluster.bin.glob("*.was-run"))


# ---------------------------------------------------------------------- all users


class Owners:
    """A submitter that answers from a table and remembers who was asked."""

    def __init__(self, answers: dict[str, JobStatus | Exception]) -> None:
        self.answers, self.asked = answers, list[tuple[str, tuple[str, ...]]]()
        self.at, self._when = 0.0, list[tuple[str, float]]()

    def times(self, user: str) -> list[float]:
        return [at for who, at in self._when if who == user]

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        self.asked.append((user, tuple(numbers)))
        self._when.append((user, self.at))
        found = {}
        for number in self.asked[-1][1]:
            answer = self.answers.get(number)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                found[number] = answer
        return found

    async def submit(self, spec: JobSpec) -> str:
        return "1"

    async def cancel(self, user: str, number: str) -> None: ...

    async def find(self, user: str, name: str) -> str | None:
        return None

    async def withdraw(self, user: str, name: str) -> bool:
        return False

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        return ""

    async def image(self, user: str, name: str) -> dict[str, Any]:
        return {}

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return {}


def job(number: int, user: str = "alice") -> JobId:
    return JobId(cluster="lab", user=user, number=str(number))


def status(state: JobState, code: int | None = None) -> JobStatus:
    return JobStatus(state=state, exit_code=code)


def row(number: int, word: str, user: str = "alice") -> str:
    """As the hub's own look has it."""
    return f"{user}|{ROW.format(number, word)}"


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


class Slow(Owners):
    """Owners of whom some keep the hub waiting until they are let go."""

    def __init__(self, answers: dict[str, JobStatus | Exception], *slow: str) -> None:
        super().__init__(answers)
        self.slow, self.let_go = slow, asyncio.Event()

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        found = await super().status(user, numbers)
        if user in self.slow:
            await self.let_go.wait()
        return found


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


def test_accounting_is_asked_only_for_what_the_queue_lacks(
    commands: Commands, tmp_path: Path
) -> None:
    rows = says(ROW.format(1, "RUNNING"), ROW.format(2, "PENDING"))
    cluster = commands(squeue=rows, sacct='echo "$@" >> $0.calls', scontrol=UNKNOWN_ID)
    account(cluster, tmp_path).status(["1", "2"])
    assert not (cluster.bin / "sacct.calls").exists()
    account(cluster, tmp_path).status(["1", "2", "3"])
    assert "-j 3 " in (cluster.bin / "sacct.calls").read_text()


def test_names_come_from_the_queue_and_then_from_accounting(
    commands: Commands, tmp_path: Path
) -> None:
    cluster = commands(squeue=says("1|nf-core", "2|a|b"), sacct=says("1|x", "3|old", "3.batch|y"))
    names = account(cluster, tmp_path).names_of(["1", "2", "3", "4"])
    assert names == {"1": "nf-core", "2": "a|b", "3": "old"}
    with pytest.raises(SchedulerUnavailableError):
        account(commands(squeue=MUNGE), tmp_path).names_of(["1"])


async def test_ids_that_are_none_of_ours(commands: Commands) -> None:
    cluster = commands(squeue=says(row(1, "FAILED")))
    strange = [
        JobId(cluster="other", user="a", number="1"),
        job(1).model_copy(update={"number": "x"}),
    ]
    found = await SlurmScheduler("lab", cluster, Owners({})).status(strange)
    assert {s.state for s in found.values()} == {JobState.UNKNOWN}


# ---------------------------------------------------------------------- submitters


async def test_direct_acts_for_itself_only(commands: Commands) -> None:
    submitter = DirectSubmitter(commands(squeue="echo 5"))
    assert await submitter.find(ME, "nf-1") == "5"
    with pytest.raises(SchedulerError, match=f"runs as {ME} and cannot act for somebody"):
        await submitter.find("somebody", "nf-1")


def sudo(commands: Commands, body: str, **more: float) -> SudoSubmitter:
    cluster = commands(sudo=body)
    return SudoSubmitter("lab", Path("/opt/launch"), sudo=cluster.bin / "sudo", **more)  # type: ignore[arg-type]


async def test_the_request_goes_to_standard_input(commands: Commands, tmp_path: Path) -> None:
    body = (
        f'printf "%s " "$@" > {tmp_path}/argv; env > {tmp_path}/env; cat > {tmp_path}/in; '
        + says('{"ok": true, "result": "77"}')
    )
    assert await sudo(commands, body).submit(SPEC) == "77"
    assert (tmp_path / "argv").read_text() == f"-n -u {ME} -- /opt/launch "
    assert '"verb": "submit"' in (tmp_path / "in").read_text()
    assert "PYTHON" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("echo 'sudo: a password is required' >&2; exit 1", SchedulerError, "sudoers needs"),
        ("echo 'Sorry, jhub is not allowed to execute' >&2; exit 1", SchedulerError, "NOSETENV"),
        ("echo 'Traceback: oops' >&2; exit 1", SchedulerUnavailableError, "oops"),
        ("exit 0", SchedulerUnavailableError, "failed as"),
        ("echo '<html>'", SchedulerUnavailableError, "cannot be read"),
        ("echo '{\"ok\": false}'", SchedulerUnavailableError, "cannot be read"),
        ("echo '[]'", SchedulerUnavailableError, "cannot be read"),
        ("head -c 200000 /dev/zero | tr '\\0' '['", SchedulerUnavailableError, "cannot be read"),
        (says('{"ok": false, "error": {"kind": "SubmitError", "message": "no", "hint": null}}'),
         SubmitError, "no"),
        (says('{"ok": false, "error": {"kind": "SystemExit", "message": "no"}}'),
         SchedulerError, "no"),
        (says('{"ok": false, "error": {"kind": "ConfigError", "message": "line 3"}}'),
         SchedulerUnavailableError, "line 3"),
        ("exec sleep 20", SchedulerUnavailableError, "did not answer within 0.2 s"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_with_the_launcher(
    commands: Commands, body: str, error: type[Exception], words: str
) -> None:
    submitter = sudo(commands, body, seconds=0.2 if "sleep" in body else 10)
    with pytest.raises(error, match=words) as caught:
        await submitter.find(ME, "nf-1")
    assert type(caught.value) is error
    await submitter.exchange.settled()


@pytest.mark.parametrize(
    "told",
    [
        '{"state": "running", "host": "evil.example:80/x?"}',
        '{"state": "running", "host": "user@evil"}',
        '{"state": "running", "host": "na1\\n"}',
        '{"state": "running", "host": ""}',
        '{"state": "running", "host": "[::1]"}',
        '{"state": "running", "host": "../x"}',
        '{"state": "running", "host": 7}',
        '{"state": "flying"}',
        '"running"',
        "null",
    ],
)
async def test_a_launchers_word_that_is_none_is_unknown(commands: Commands, told: str) -> None:
    body = says(f'{{"ok": true, "result": {{"7": {told}, "9": {{"state": "running"}}}}}}')
    found = await sudo(commands, body).status(ME, ["7", "8"])
    assert list(found) == ["7"]
    assert (found["7"].state, found["7"].host) == (JobState.UNKNOWN, None)


async def test_a_launchers_host_is_taken(commands: Commands) -> None:
    body = says('{"ok": true, "result": {"7": {"state": "running", "host": "na-1.lab"}}}')
    found = await sudo(commands, body).status(ME, ["7"])
    assert found["7"] == JobStatus(state=JobState.RUNNING, host="na-1.lab")
    with pytest.raises(SchedulerUnavailableError, match="holds no states"):
        await sudo(commands, says('{"ok": true, "result": ["7"]}')).status(ME, ["7"])


def answers(commands: Commands, tmp_path: Path, result: object) -> SudoSubmitter:
    (tmp_path / "answer").write_text(json.dumps({"ok": True, "result": result}))
    return sudo(commands, f"exec cat {tmp_path}/answer")


@pytest.mark.parametrize("told", ["", "7,8", "7\n", "--all", "7_1", 7, ["7"], {"7": 1}, "1" * 99])
async def test_a_number_that_is_none_is_no_job(
    commands: Commands, tmp_path: Path, told: object
) -> None:
    submitter = answers(commands, tmp_path, told)
    with pytest.raises(SchedulerUnavailableError, match="no job number"):
        await submitter.submit(SPEC)
    with pytest.raises(SchedulerUnavailableError, match="no job number"):
        await submitter.find(ME, "nf-1")


@pytest.mark.parametrize(
    "told",
    [None, [], "yes", 7, {"/a": "maybe"}, {"/a": []}, {"/a": None}, {"/a": {}}, {"/a": True}],
)
async def test_what_is_no_answer_about_paths(
    commands: Commands, tmp_path: Path, told: object
) -> None:
    with pytest.raises(SchedulerUnavailableError, match="the launcher's answer"):
        await answers(commands, tmp_path, told).access(ME, ["/a", "/b"])


async def test_of_paths_it_is_heard_about_those_that_were_asked_for(
    commands: Commands, tmp_path: Path
) -> None:
    told = {"/a": "no", "/c": "yes", "/d": "nonsense"}
    found = await answers(commands, tmp_path, told).access(ME, ["/a", "/b"])
    assert found == {"/a": PathAccess.NO, "/b": PathAccess.UNKNOWN}


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 4.2e9, -1e10]
)
async def test_times_and_codes_that_nothing_can_be_made_of_are_left_out(
    commands: Commands, tmp_path: Path, when: object
) -> None:
    forged = {"state": "running", "started": when, "ends": when, "exit_code": 10**30}
    forged |= {"reason": "a\nb\x1b[2J", "name": "n\r"}
    found = await answers(commands, tmp_path, {"7": forged}).status(ME, ["7"])
    assert found["7"] == JobStatus(state=JobState.RUNNING, reason="a b [2J", name="n")
    if isinstance(when, str):
        with pytest.raises(SchedulerUnavailableError, match="names no time"):
            await answers(commands, tmp_path, when.removesuffix("Z")).estimate(SPEC)


async def test_words_of_a_launcher_are_one_line(commands: Commands, tmp_path: Path) -> None:
    error = {"kind": "SubmitError", "message": "no\nevent=fine\x1b[2J", "hint": "h\n"}
    with pytest.raises(SubmitError) as caught:
        await sudo(commands, says(json.dumps({"ok": False, "error": error}))).find(ME, "nf-1")
    assert (caught.value.message, caught.value.hint) == ("no event=fine [2J", "h")
    with pytest.raises(SchedulerUnavailableError) as failed:
        await sudo(commands, "printf 'a\\033b\\nc' >&2; exit 1").find(ME, "nf-1")
    assert failed.value.message.endswith(": a b c")
    image = {"path": "p\n", "digest": "d", "verdict": "\x1b", "signers": [], "warnings": ["w\nw"]}
    kept = await answers(commands, tmp_path, image).image(ME, "nf-1")
    assert (kept["path"], kept["verdict"], kept["warnings"]) == ("p", "", ["w w"])


async def test_of_a_launchers_words_no_more_is_kept_than_is_shown(
    commands: Commands, tmp_path: Path
) -> None:
    log = "\n".join(["\x1b[2J" + "y" * 9000] * 500)
    shown = await answers(commands, tmp_path, log).log_tail(ME, "nf-1", 30)
    assert shown.split("\n") == ["[2J" + "y" * 497] * 30
    assert not await answers(commands, tmp_path, {"x": 1}).log_tail(ME, "nf-1", 30)
    image: dict[str, Any] = dict.fromkeys(("path", "digest", "verdict"), "z" * 9000)
    image |= {"signers": ["s" * 999] * 99, "warnings": ["w" * 9999] * 99, "more": "m" * 9000}
    kept = await answers(commands, tmp_path, image).image(ME, "nf-1")
    assert list(kept) == ["path", "digest", "verdict", "signers", "warnings"]
    assert len(json.dumps(kept)) < 16_000
    for none in ({}, [], "x", None, 7, image | {"signers": 7}):
        assert await answers(commands, tmp_path, none).image(ME, "nf-1") == {}
    long = {"7": {"state": "running", "reason": "r" * 9000}}
    found = await answers(commands, tmp_path, long).status(ME, ["7"])
    assert len(found["7"].reason) == 500
    error = {"kind": "SubmitError", "message": "m" * 9000, "hint": "h" * 9000}
    with pytest.raises(SubmitError) as caught:
        await sudo(commands, says(json.dumps({"ok": False, "error": error}))).find(ME, "nf-1")
    assert (len(caught.value.message), len(caught.value.hint or "")) == (2000, 2000)


async def test_not_too_many_at_once(commands: Commands, tmp_path: Path) -> None:
    body = (
        f"mkdir {tmp_path}/$$.on; ls -d {tmp_path}/*.on | wc -l >> {tmp_path}/count; sleep 0.05; "
        f"rmdir {tmp_path}/$$.on; " + says('{"ok": true, "result": null}')
    )
    submitter = sudo(commands, body, at_once=2)
    await asyncio.gather(*(submitter.find(ME, f"nf-{n}") for n in range(6)))
    assert max(map(int, (tmp_path / "count").read_text().split())) <= 2
