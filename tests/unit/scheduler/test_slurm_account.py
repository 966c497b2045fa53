"""Slurm's commands as one account runs them: outages, refusals, words that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.config import Cluster
from nearfield.errors import SchedulerError, SchedulerUnavailableError, SubmitError
from nearfield.scheduler import (
    JobState,
    staging,
)
from nearfield.scheduler import account as account_module
from nearfield.scheduler.account import GONE
from standins.commands import ACCT, ME, MUNGE, ROW, SPEC, UNKNOWN_ID, Commands, account, says


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


def test_accounting_is_asked_only_for_what_the_queue_lacks(
    commands: Commands, tmp_path: Path
) -> None:
    rows = says(ROW.format(1, "RUNNING"), ROW.format(2, "PENDING"))
    cluster = commands(squeue=rows, sacct='echo "$@" >> $0.calls', scontrol=UNKNOWN_ID)
    account(cluster, tmp_path).status(["1", "2"])
    assert not (cluster.bin / "sacct.calls").exists()
    account(cluster, tmp_path).status(["1", "2", "3"])
    assert "-j 3 " in (cluster.bin / "sacct.calls").read_text()


def test_the_queue_is_asked_of_this_accounts_jobs_alone_and_accounting_of_numbers(
    commands: Commands, tmp_path: Path
) -> None:
    log = 'echo "$0 $@" >> ${0%/*}/asked; '
    cluster = commands(
        squeue=log + says("1|nf-core"), sacct=log + says("2|x"), scontrol=log + UNKNOWN_ID
    )
    mine = account(cluster, tmp_path)
    mine.names_of(["1", "2"])
    mine.status(["1", "2"])
    mine.find("nf-1")
    mine.name_of("1")
    asked = (cluster.bin / "asked").read_text().splitlines()
    squeues = [line for line in asked if "/squeue " in line]
    assert len(squeues) == 4
    assert all(f" -u {ME} " in line for line in squeues)
    # By -u, accounting tells of an end seconds later: a session's exit code would be missed.
    saccts = [line for line in asked if "/sacct " in line]
    assert len(saccts) == 2
    assert not any(" -u " in line for line in saccts)


def test_names_come_from_the_queue_and_then_from_accounting(
    commands: Commands, tmp_path: Path
) -> None:
    cluster = commands(squeue=says("1|nf-core", "2|a|b"), sacct=says("1|x", "3|old", "3.batch|y"))
    names = account(cluster, tmp_path).names_of(["1", "2", "3", "4"])
    assert names == {"1": "nf-core", "2": "a|b", "3": "old"}
    with pytest.raises(SchedulerUnavailableError):
        account(commands(squeue=MUNGE), tmp_path).names_of(["1"])


@pytest.fixture
def after_a_killed_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a killed sbatch is given has passed."""
    monkeypatch.setattr("nearfield.scheduler.submit_lock.SETTLED_SECONDS", 0)


@pytest.mark.usefixtures("after_a_killed_submit")
@pytest.mark.parametrize(
    ("squeue", "given_up"),
    [("exit 0", True), (says("7"), False), (MUNGE, False), ("exit 1", False)],
    ids=["no job", "its job is there", "no answer", "no word"],
)
def test_a_name_that_a_killed_submit_took_is_given_up_once_no_job_can_come(
    commands: Commands, tmp_path: Path, squeue: str, given_up: bool
) -> None:
    slurm = account(commands(sbatch="echo 7", squeue=squeue), tmp_path)
    slurm.submit(SPEC)
    folder = slurm.sessions / SPEC.name
    assert slurm.withdraw(SPEC.name) is False  # what it sent may still be on its way
    assert slurm.withdraw(SPEC.name) is given_up
    # A job that comes still needs its tokens.
    assert (folder / "environment.json").exists() is not given_up
    assert (folder / "result.json").exists() is given_up


def test_a_name_is_not_given_up_while_sbatch_runs(commands: Commands, tmp_path: Path) -> None:
    slurm = account(commands(sbatch="echo 7", squeue="exit 0"), tmp_path)
    told: list[bool] = []
    run = account_module.run

    def while_it_runs(argv: list[str], **more: Any) -> Any:
        if argv[0].endswith("sbatch"):
            told.append(slurm.withdraw(SPEC.name))
        return run(argv, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(account_module, "run", while_it_runs)
        assert slurm.submit(SPEC) == "7"
    assert told == [False]


def test_a_submit_that_never_came_to_sbatch_leaves_no_tokens(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = account(commands(sbatch="touch $0.ran; echo 7"), tmp_path)

    def full(_file: int, _text: bytes, _at: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(SubmitError, match="No space left"):
        slurm.submit(SPEC)
    assert not (slurm.sessions / SPEC.name / "environment.json").exists()
    assert not (slurm.cluster.bin / "sbatch.ran").exists()
