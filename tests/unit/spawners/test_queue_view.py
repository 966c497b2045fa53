"""Places in the queue, spans in words, and every reason told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.scheduler import QueuedJob
from nearfield_spawners.queue_view import QueueView, within
from nearfield_spawners.reasons import REASONS, words_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def queued(number: int, priority: int, *partitions: str, minutes: int | None = None) -> QueuedJob:
    start = None if minutes is None else NOW + timedelta(minutes=minutes)
    return QueuedJob(number=str(number), partitions=partitions, priority=priority, start=start)


def test_the_order_is_by_priority_then_by_age() -> None:
    view = QueueView(
        [queued(5, 10, "short"), queued(4, 10, "short"), queued(6, 99, "short"), queued(7, 1, "x")]
    )
    assert [view.place(str(n)) for n in (6, 4, 5, 7)] == [
        (1, 3, "short"),
        (2, 3, "short"),
        (3, 3, "short"),
        (1, 1, "x"),
    ]


def test_of_several_partitions_the_best_place_counts() -> None:
    view = QueueView([queued(1, 9, "short"), queued(2, 5, "short", "long")])
    assert view.place("2") == (1, 1, "long")


def test_a_job_that_is_hidden_has_no_place() -> None:
    assert QueueView().place("7") is None
    assert QueueView([queued(7, 1)]).place("7") is None
    assert QueueView([queued(7, 1, "short")]).start("7", NOW) is None


def test_a_start_is_a_range_from_now() -> None:
    view = QueueView([queued(1, 1, "short", minutes=20), queued(2, 1, "short", minutes=-5)])
    assert view.start("1", NOW) == (NOW, NOW + timedelta(minutes=20))
    assert view.start("2", NOW) is None, "an estimate in the past is none"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0.2, "1 min"), (7, "7 min"), (22, "25 min"), (100, "2 h"), (60 * 72, "3 days")],
)
def test_spans_are_coarse(minutes: float, words: str) -> None:
    assert within(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Priority", "other jobs come first"),
        ("(Resources)", "as soon as enough of a node is free"),
        ("ReqNodeNotAvail, UnavailableNodes:na1,na2", "down, reserved or being serviced"),
        ("QOSMaxJobsPerUserLimit", "your limit on jobs, set by the QOS, is reached"),
        ("QOSMaxCpuPerUserLimit", "your limit on processors, set by the QOS, is reached"),
        ("QOSMaxMemoryPerJob", "it asks for more memory than the QOS allows one job"),
        ("AssocGrpCPUMinutesLimit", "the limit of your account in Slurm on processor time"),
        ("AssocGrpGRES", "the limit of your account in Slurm on GPUs or the like"),
        ("QOSMinGRES", "it asks for fewer GPUs or the like than the QOS demands"),
        ("MaxGRESPerAccount", "GPUs or the like"),
        ("AssocMaxJobsLimit", "your limit on jobs"),
        ("QOSMaxWallDurationPerJobLimit", "more time than the QOS allows one job"),
        ("SomethingNew", "Slurm says 'SomethingNew'"),
    ],
)
def test_reasons_in_plain_words(reason: str, words: str) -> None:
    found = words_for(reason)
    assert found is not None
    assert words in found.meaning


@pytest.mark.parametrize("reason", ["", "None", "(null)", " "])
def test_no_reason_no_words(reason: str) -> None:
    assert words_for(reason) is None


@pytest.mark.parametrize("reason", [name for name in REASONS if name != "None"])
def test_every_reason_of_the_table_is_found(reason: str) -> None:
    found = words_for(reason)
    assert found is REASONS[reason]
    assert not found.meaning.endswith(".")


@given(st.text(max_size=300))
def test_any_text_gives_words_or_none(reason: str) -> None:
    found = words_for(reason)
    assert found is None or 0 < len(found.meaning) < 600
