"""What scontrol and sacctmgr say, as recorded and in the odd shapes that sites have."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from nearfield.checking.asking import Ask, ask_facts
from nearfield.checking.facts import (
    Facts,
    minutes,
    parse_nodes,
    parse_partitions,
    parse_reservations,
    records,
)
from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler.commands import Result


def test_the_recorded_cluster(facts: Facts) -> None:
    assert list(facts.partitions) == ["short", "gpu-sim", "beamline", "small"]
    short = facts.partitions["short"]
    assert short.default and facts.default_partition == short
    assert (short.minutes, short.cores, short.memory_mb, short.qos) == (240, None, None, None)
    nodes = {node.name: node for node in facts.nodes}
    assert set(nodes) == {"gpu1", "na1", "na2", "nb1", "small1"}
    assert nodes["gpu1"].gpus == {"sim": 2}
    assert (nodes["small1"].cores, nodes["small1"].memory_mb) == (2, 4000)
    assert nodes["na1"].partitions == {"short", "beamline"}
    assert facts.features == {"storage-a", "storage-b", "cpu", "gpu"}
    assert facts.reservations == {"beam-1"}
    assert facts.accounts == {"chem", "physics", "root"}
    assert facts.qos_minutes == {
        "normal": None,
        "interactive": 240,
        "limited": 10,
        "scavenge": None,
        "scavenge-requeue": None,
        "scavenge-grace": None,
    }
    assert facts.problems == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("04:00:00", 240),
        ("1-12:00:00", 2160),
        ("30:00", 30),
        ("00:00:30", 1),
        ("UNLIMITED", None),
        ("", None),
        ("INFINITE", None),
    ],
)
def test_times(text: str, value: int | None) -> None:
    assert minutes(text) == value


def test_odd_nodes() -> None:
    lines = [
        "NodeName=a CPUTot=8 RealMemory=1000 Gres=gpu:a100:4(S:0-1),gpu:t4:1,nvme:2"
        " State=DOWN*+DRAIN Partitions=p Reason=State=IDLE Partitions=x [root@2026]",
        "NodeName=b CPUEfctv=6 CPUTot=8 RealMemory=1000 Gres=gpu:2 State=MIXED+PLANNED",
        "NodeName=c State=IDLE+NOT_RESPONDING AvailableFeatures=(null) Gres=(null)",
        "No nodes in the system",
    ]
    a, b, c = parse_nodes("\n".join(lines))
    assert a.gpus == {"a100": 4, "t4": 1} and (a.gpus_of(None), a.gpus_of("h100")) == (5, 0)
    assert not a.usable and a.partitions == {"p"}
    assert (b.cores, b.usable, b.gpus) == (6, True, {None: 2})
    assert not c.usable and c.features == frozenset()


def test_odd_partitions() -> None:
    found = parse_partitions(
        "PartitionName=p State=DRAIN RootOnly=YES ReqResv=YES MaxTime=1-00:00:00"
        " AllowAccounts=a,b DenyQos=x QoS=part MaxMemPerNode=4000 MaxCPUsPerNode=8"
    )["p"]
    assert (found.up, found.root_only, found.needs_reservation) == (False, True, True)
    assert (found.accounts, found.denied_qoses, found.qoses) == ({"a", "b"}, {"x"}, None)
    assert (found.minutes, found.qos, found.memory_mb, found.cores) == (1440, "part", 4000, 8)


def test_nothing_to_list() -> None:
    assert parse_reservations("No reservations in the system\n") == frozenset()
    assert records("") == []


def test_a_silent_controller_is_an_error_a_silent_database_is_not(
    monkeypatch: pytest.MonkeyPatch, answers: Ask
) -> None:
    def no_database(command: str, *args: str) -> Result:
        if command == "sacctmgr":
            return Result(1, "", "sacctmgr: error: Unable to contact slurmdbd")
        return answers(command, *args)

    found = ask_facts(no_database)
    assert found.accounts is None and found.qos_minutes is None
    assert "Unable to contact slurmdbd" in found.problems[0]
    with pytest.raises(SchedulerUnavailableError, match="munge"):
        ask_facts(lambda *_: Result(1, "", "scontrol: error: munge is down"))

    def private(command: str, *args: str) -> Result:
        done = answers(command, *args)
        hides = "PrivateData = accounts,reservations,jobs"
        return replace(done, out=done.out.replace("PrivateData             = none", hides))

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    hidden = ask_facts(private)
    assert hidden.accounts is None and hidden.reservations is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert ask_facts(private).accounts
