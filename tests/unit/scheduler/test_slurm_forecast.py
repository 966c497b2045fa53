"""What Slurm says is free, and when a job would start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.scheduler import NodeGroup
from nearfield.scheduler.slurm_forecast import (
    parse_availability,
    parse_sinfo,
    parse_test_only,
    parse_waiting,
    slurm_time,
)

SAMPLES = Path(__file__).parent / "samples"


def test_sinfo_of_a_real_cluster() -> None:
    groups, default = parse_sinfo((SAMPLES / "sinfo-22.05.txt").read_text())
    assert default == "short"
    assert [(g.partition, g.nodes, g.cores_idle) for g in groups] == [
        ("short", 2, 512),
        ("short", 1, 256),
        ("gpu-sim", 1, 64),
        ("beamline", 2, 512),
        ("small", 1, 2),
    ]
    assert groups[2] == NodeGroup(
        partition="gpu-sim",
        nodes=1,
        nodes_idle=1,
        cores=64,
        cores_idle=64,
        gpus=2,
        gpus_idle=2,
        features=frozenset({"storage-a", "storage-b", "gpu"}),
    )


@pytest.mark.parametrize(
    ("state", "idle", "cores"),
    [
        ("idle", 3, 5),
        ("idle~", 3, 5),
        ("planned", 3, 5),
        ("idle*", 0, 0),  # it does not answer
        ("mixed", 0, 5),
        ("drained", 0, 0),
        ("down*", 0, 0),
        ("mixed-", 0, 0),
    ],
)
def test_what_counts_as_free(state: str, idle: int, cores: int) -> None:
    [group], _ = parse_sinfo(f"p|{state}|10/5/0/15|3|(null)|(null)|gpu:0|\n")
    assert (group.nodes_idle, group.cores_idle, group.cores) == (idle, cores, 15)
    assert group.features == frozenset()


@pytest.mark.parametrize(
    ("gres", "used", "total", "free"),
    [
        ("gpu:a100:4(S:0-1)", "gpu:a100:1(IDX:0)", 4, 3),
        ("gpu:a100:2(S:0),gpu:h100:2,nvme:4", "gpu:a100:2(IDX:0,1),gpu:h100:0(IDX:N/A)", 4, 2),
        ("gpu:2", "gpu:2", 2, 0),
        ("gpu:mig-1g.5gb:7", "gpu:mig-1g.5gb:3(IDX:0-2)", 7, 4),
        ("nvme:4", "", 0, 0),
        ("(null)", "gpu:0", 0, 0),
    ],
)
def test_gpus_of_any_type(gres: str, used: str, total: int, free: int) -> None:
    [group], _ = parse_sinfo(f"p|mixed|1/1/0/2|1|f|{gres}|{used}|\n")
    assert (group.gpus, group.gpus_idle) == (total, free)


def test_gpus_of_alike_nodes_add_up() -> None:
    [group], _ = parse_sinfo("p|mixed|1/1/0/2|10|f|gpu:4|gpu:1(IDX:0)|\n")
    assert (group.gpus, group.gpus_idle) == (40, 30)


def test_who_waits_and_until_when() -> None:
    pending, last = parse_waiting(
        "short|2026-11-21T15:00:00\nshort|N/A\ngpu,short|2026-11-21T17:00:00\nlong|N/A\n"
    )
    assert pending == {"short": 3, "gpu": 1, "long": 1}
    five = datetime(2026, 11, 21, 17, tzinfo=UTC)
    assert last == {"short": five, "gpu": five}


def test_the_start_that_test_only_names() -> None:
    said = (
        "sbatch: Job 307 to start at 2026-11-21T15:57:19 using 1 processors on nodes nb1 in "
        "partition short\n"
    )
    assert parse_test_only(said) == datetime(2026, 11, 21, 15, 57, 19, tzinfo=UTC)
    refused = "allocation failure: Requested node configuration is not available\n"
    assert parse_test_only(refused) is None


@given(st.text(), st.text())
def test_no_output_is_too_strange(sinfo: str, squeue: str) -> None:
    found = parse_availability(sinfo, squeue)
    assert all(g.cores_idle >= 0 and g.gpus_idle >= 0 for g in found.groups)
    assert parse_test_only(sinfo) is None or "to start at" in sinfo
    assert slurm_time(squeue) is None or squeue.strip()[4] == "-"


@pytest.mark.parametrize(
    ("constraint", "answer"),
    [
        (None, True),
        ("a", True),
        ("a&b", True),
        ("a&c", False),
        ("a|c", True),
        ("c|d", False),
        ("a&(b|c)", None),
        ("[a|b]", None),
        ("a*2", None),
    ],
)
def test_which_nodes_meet_a_constraint(constraint: str | None, answer: bool | None) -> None:
    group = NodeGroup(partition="p", nodes=1, features=frozenset({"a", "b"}))
    assert group.meets(constraint) is answer
