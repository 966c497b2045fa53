"""What Slurm prints, recorded and in the manner of releases that were not at hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.scheduler import JobState
from nearfield.scheduler.slurm_output import (
    is_job_number,
    parse_named,
    parse_owned,
    parse_queue,
    parse_sacct,
    parse_squeue,
    parse_submitted,
    state_of,
)

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


def test_squeue_as_recorded() -> None:
    found = parse_squeue(sample("squeue-22.05.txt"))
    assert {n: (s.state, s.host, s.reason) for n, s in found.items()} == {
        "1186": (JobState.CANCELLED, "na1", ""),
        "1184": (JobState.FAILED, "na1", "NonZeroExitCode"),
        "1187": (JobState.FAILED, "na1", "JobLaunchFailure"),
        "1185": (JobState.PENDING, None, "JobHeldUser"),
        "1183": (JobState.RUNNING, "na1", ""),
    }
    assert found["1183"].ends == datetime(2026, 11, 21, 10, 41, 48, tzinfo=UTC)
    assert found["1185"].ends is None


def test_the_account_comes_before_the_same_row() -> None:
    rows = sample("squeue-22.05.txt").splitlines()
    found = parse_owned("".join(f"u{n}|{row}\n" for n, row in enumerate(rows)))
    assert {n: status for n, (_, status) in found.items()} == parse_squeue("\n".join(rows))
    assert sorted(owner for owner, _ in found.values()) == [f"u{n}" for n in range(len(rows))]
    assert parse_owned(f"{rows[0]}\nalice\n\n|\n") == {}


def test_sacct_as_recorded() -> None:
    found = parse_sacct(sample("sacct-22.05.txt"))
    assert {n: (s.state, s.exit_code) for n, s in found.items()} == {
        "1183": (JobState.RUNNING, None),
        "1184": (JobState.FAILED, 3),
        "1185": (JobState.PENDING, None),
        "1186": (JobState.CANCELLED, 0),
        "1187": (JobState.FAILED, 137),
    }


def test_every_kind_of_end_that_the_cluster_has_had() -> None:
    found = parse_sacct(sample("sacct-22.05-kinds.txt"))
    assert len(found) == len(sample("sacct-22.05-kinds.txt").splitlines())
    assert {s.state for s in found.values()} >= {
        JobState.OUT_OF_MEMORY, JobState.NODE_FAIL, JobState.PREEMPTED, JobState.COMPLETED,
    }  # fmt: skip
    assert JobState.UNKNOWN not in {s.state for s in found.values()}


def test_squeue_in_the_manner_of_23_11() -> None:
    found = parse_squeue(sample("squeue-like-23.11.txt"))
    assert [s.state for s in found.values()] == [
        JobState.RUNNING, JobState.PENDING, JobState.PENDING, JobState.RUNNING,
        JobState.COMPLETING, JobState.SUSPENDED, JobState.COMPLETING, JobState.TIMEOUT,
        JobState.PENDING,
    ]  # fmt: skip
    assert found["4102"].started is None  # an estimate is no start
    assert found["4103"].reason == "ReqNodeNotAvail, UnavailableNodes:cn[0003-0009]"
    assert found["4108"].reason == "TimeLimit"


def test_sacct_in_the_manner_of_24_05() -> None:
    found = parse_sacct(sample("sacct-like-24.05.txt"))
    assert "5209" not in found
    assert "5210" not in found
    assert found["5201"].host == "cn0001"
    assert found["5203"].host == "gpu-a100-3"
    assert found["5202"].host is None
    assert found["5204"].state is JobState.TIMEOUT
    assert found["5205"].reason == "BOOT_FAIL"
    assert found["5207"].exit_code == 143
    assert found["5208"].state is JobState.UNKNOWN
    assert "NEW_FANCY_STATE" in found["5208"].reason
    assert not found["5208"].state.finished


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("CANCELLED by 1000", JobState.CANCELLED),
        ("CANCELLED+", JobState.CANCELLED),
        ("COMPLETING", JobState.COMPLETING),
        ("CONFIGURING", JobState.RUNNING),
        ("DEADLINE", JobState.TIMEOUT),
        ("REQUEUED", JobState.PENDING),
        ("REQUEUE_HOLD", JobState.PENDING),
        ("RESIZING", JobState.RUNNING),
        ("RESV_DEL_HOLD", JobState.PENDING),
        ("REVOKED", JobState.CANCELLED),
        ("SIGNALING", JobState.RUNNING),
        ("SPECIAL_EXIT", JobState.PENDING),
        ("STAGE_OUT", JobState.COMPLETING),
        ("STOPPED", JobState.SUSPENDED),
        ("SUSPENDED", JobState.SUSPENDED),
        ("", JobState.UNKNOWN),
        ("SOMETHING", JobState.UNKNOWN),
    ],
)
def test_a_word_and_its_state(word: str, state: JobState) -> None:
    assert state_of(word) is state


@pytest.mark.parametrize(
    ("out", "number"),
    [("123\n", "123"), ("123;lab\n", "123"), ("sbatch: welcome\n77\n", "77")],
)
def test_the_number_of_a_submitted_job(out: str, number: str) -> None:
    assert parse_submitted(out) == number


@pytest.mark.parametrize("out", ["", "Submitted batch job", "0\n", "-1\n", "1_2\n"])
def test_no_number(out: str) -> None:
    with pytest.raises(ValueError, match="no job number"):
        parse_submitted(out)


@pytest.mark.parametrize("text", ["1", "4294967294"])
def test_numbers(text: str) -> None:
    assert is_job_number(text)


@pytest.mark.parametrize(
    "text", ["", "0", "01", "1,2", "1_2", "1.batch", "1+0", "--all", "1\n", "\u0661"]
)
def test_what_is_no_number(text: str) -> None:
    assert not is_job_number(text)


@given(st.text(alphabet="0123456789|:-TNA/ COMPLETEDFAILED\n[],abc", max_size=300))
def test_no_text_is_an_exception_or_an_invented_end(out: str) -> None:
    for found in (parse_squeue(out), parse_sacct(out)):
        for number, status in found.items():
            assert is_job_number(number)
            if status.state.finished:
                assert "COMPLETED" in out or "FAILED" in out


def test_waiting_jobs() -> None:
    found = parse_queue(
        "12|short|4294901757|N/A\n13|short,long|0|2026-01-01T10:00:00\n13|short|1|N/A\nx|y|1|N/A\n"
        "14|short|-1|N/A\nnonsense\n"
    )
    assert [(job.number, job.partitions, job.priority) for job in found] == [
        ("12", ("short",), 4294901757),
        ("13", ("short",), 1),
    ]
    assert found[0].start is None


def test_names_with_their_owners() -> None:
    found = parse_named("7|alice|nearfield-1\n9|alice|nearfield-1\n8|bob|nearfield-1\n|x|y\n1|2\n")
    assert found == {("alice", "nearfield-1"): "9", ("bob", "nearfield-1"): "8"}


def test_who_cancelled() -> None:
    [found] = parse_sacct("7|CANCELLED by 20001|0:0|na1|Unknown|Unknown|None").values()
    assert (found.state, found.reason) == (JobState.CANCELLED, "by uid 20001")
