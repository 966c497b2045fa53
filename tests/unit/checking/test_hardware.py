"""Every kind of mistake in hardware and storages, against the recorded cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nearfield.checking.ends import ends_of, variants
from nearfield.checking.facts import Facts
from nearfield.checking.hardware import check_hardware
from nearfield.checking.storages import check_storages
from nearfield.config import Config, HardwareConfig, Range


def hardware(**given: Any) -> HardwareConfig:
    return HardwareConfig.model_validate({"cluster": "lab"} | given)


def findings(facts: Facts, **given: Any) -> list[tuple[str, str, str]]:
    return [
        (f.severity, f.key.removeprefix("hardware.h"), f.what)
        for f in check_hardware("h", hardware(**given), facts)
    ]


GOOD: list[dict[str, Any]] = [
    {},
    {"partition": "short", "minutes": 240, "cores": 256, "memory_mb": 512000},
    {"partition": "gpu-sim", "gpus": 2, "gpu_type": "sim", "constraint": "storage-a&storage-b"},
    {"partition": "gpu-sim", "choices": {"gpus": [0, 1, 2], "gpu_type": ["sim"]}},
    {"account": "physics", "qos": "interactive", "reservation": "beam-1"},
    {
        "partition": "short",
        "choices": {
            "cores": {"least": 1, "most": 256},
            "minutes": {"least": 60, "most": 250, "step": 60},
            "reservation": {"pattern": "beam-.*"},
        },
    },
]


@pytest.mark.parametrize("given", GOOD)
def test_nothing_is_found(facts: Facts, given: dict[str, Any]) -> None:
    assert findings(facts, **given) == []


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"partition": "shrt"}, ".partition", "no partition 'shrt'"),
        ({"minutes": 241}, ".minutes", "241 min, but partition short (the default one) allows 240"),
        ({"qos": "limited"}, ".minutes", "60 min, but QOS limited allows 10 min"),
        ({"choices": {"minutes": [60, 300]}}, ".choices.minutes", "300 min"),
        (
            {"choices": {"minutes": {"least": 60, "most": 600, "step": 60}}},
            ".choices.minutes",
            "600 min",
        ),
        ({"cores": 300}, ".cores", "300 cores, but the largest of its nodes has 256"),
        ({"choices": {"cores": {"least": 1, "most": 257}}}, ".choices.cores", "257 cores"),
        ({"partition": "small", "memory_mb": 4001}, ".memory_mb", "has 4000"),
        ({"constraint": "storage-z"}, ".constraint", "no feature 'storage-z'"),
        ({"constraint": "gpu"}, ".constraint", "no node of partition short has gpu"),
        ({"account": "physix"}, ".account", "no account 'physix'"),
        ({"qos": "nosuch"}, ".qos", "no QOS 'nosuch'"),
        ({"choices": {"qos": ["normal", "nosuch"]}}, ".choices.qos", "no QOS 'nosuch'"),
        ({"reservation": "beam-2"}, ".reservation", "no reservation 'beam-2'"),
        ({"gpus": 1}, ".gpus", "1 GPUs, but the largest of its nodes has 0"),
        ({"partition": "gpu-sim", "gpus": 3}, ".gpus", "3 GPUs"),
        ({"partition": "gpu-sim", "gpus": 1, "gpu_type": "a100"}, ".gpu_type", "type 'a100'"),
    ],
)
def test_errors(facts: Facts, given: dict[str, Any], key: str, words: str) -> None:
    ((severity, where, what),) = findings(facts, **given)
    assert (severity, where) == ("error", key)
    assert words in what


def test_warnings(facts: Facts) -> None:
    assert findings(facts, choices={"reservation": ["beam-1", "beam-9"]})[0][0] == "warning"
    assert findings(facts, gpu_type="sim")[0][:2] == ("warning", ".gpu_type")
    down = replace(facts, nodes=tuple(replace(node, usable=False) for node in facts.nodes))
    assert findings(down)[0][0] == "warning"
    closed = replace(facts, partitions={"short": replace(facts.partitions["short"], up=False)})
    assert findings(closed, partition="short")[0][:2] == ("warning", ".partition")


def test_what_a_partition_takes(facts: Facts) -> None:
    only = replace(
        facts.partitions["short"],
        accounts=frozenset({"chem"}),
        denied_qoses=frozenset({"limited"}),
        needs_reservation=True,
        root_only=True,
        memory_mb=1000,
        cores=4,
    )
    narrow = replace(facts, partitions={"short": only})
    found = findings(narrow, account="physics", minutes=5, qos="limited", memory_mb=1001, cores=5)
    assert {key for _, key, _ in found} == {"", ".account", ".qos", ".memory_mb", ".cores"}
    whats = " / ".join(what for _, _, what in found)
    for words in ("of root alone", "in a reservation only", "account 'physics'", "allows 1000"):
        assert words in whats


def test_what_cannot_be_told_is_a_note(facts: Facts) -> None:
    hidden = replace(facts, accounts=None, qos_minutes=None, problems=("no database",))
    found = findings(hidden, account="physics", qos="normal")
    assert [(severity, key) for severity, key, _ in found] == [
        ("note", ".account"),
        ("note", ".qos"),
    ]


def test_no_default_partition(facts: Facts) -> None:
    without = replace(
        facts, partitions={n: replace(p, default=False) for n, p in facts.partitions.items()}
    )
    assert "no default one" in findings(without)[0][2]


SITE: dict[str, Any] = {
    "clusters": {"lab": {}, "other": {}},
    "environments": {"e": {}},
    "hardware": {"h": {"cluster": "lab", "partition": "short"}},
    "profiles": {"p": {"environment": "e", "hardware": "h"}},
}


def storage_findings(facts: Facts, **place: str) -> list[tuple[str, str, str]]:
    storages = {"s": {"prefix": "/s", "places": [{"cluster": "lab"} | place]}}
    config = Config.model_validate(SITE | {"storages": storages})
    return [(f.severity, f.key, f.what) for f in check_storages(config, "lab", facts)]


def test_places(facts: Facts) -> None:
    assert storage_findings(facts) == []
    assert storage_findings(facts, constraint="storage-a") == []
    assert storage_findings(facts, cluster="other", partition="nosuch") == []
    for place, key, words in [
        ({"partition": "nosuch"}, "storages.s.places.0.partition", "no partition 'nosuch'"),
        ({"constraint": "storage-z"}, "storages.s.places.0.constraint", "no feature 'storage-z'"),
        (
            {"partition": "small", "constraint": "gpu"},
            "storages.s.places.0.constraint",
            "no node of partition small has gpu",
        ),
    ]:
        ((severity, where, what),) = storage_findings(facts, **place)
        assert (severity, where) == ("error", key)
        assert words in what


def test_a_profile_that_is_near_none_of_its_storages_nodes(facts: Facts) -> None:
    ((severity, key, what),) = storage_findings(facts, constraint="gpu")
    assert (severity, key) == ("warning", "profiles.p.hardware")
    assert "near storage 's'" in what


def test_the_ends_of_choices() -> None:
    assert ends_of(Range(least=1, most=10, step=4)) == (1, 9)
    entry = hardware(
        choices={"cores": [4, 1, 2], "gpus": {"least": 0, "most": 2}, "qos": ["a", "b"]}
    )
    shown = [(v.key.removeprefix("hardware.h"), v.values) for v in variants("h", entry)]
    assert shown == [
        ("", {}),
        (".choices.cores", {"cores": 1}),
        (".choices.cores", {"cores": 4}),
        (".choices.gpus", {"gpus": 0}),
        (".choices.gpus", {"gpus": 2}),
        (".choices.qos", {"qos": "a"}),
        (".choices.qos", {"qos": "b"}),
        (".choices", {"cores": 4, "gpus": 2}),
    ]
