"""Where a job goes for its data, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nearfield.config import Config, Place, parse_config
from nearfield.datasets import DatasetFiles
from nearfield.placement import (
    held_by,
    human_size,
    nearest_hardware,
    place_all,
    place_job,
)
from nearfield.scheduler import Availability, NodeGroup
from nearfield.scheduler.jobspec import Chosen
from nearfield.scheduler.sessions import hardware_of
from nearfield.storage import locate

SITE = parse_config(
    """
storages:
  a: {prefix: /data/a, places: [{cluster: lab, constraint: storage-a}]}
  b: {prefix: /data/b, places: [{cluster: lab, constraint: storage-b}]}
  both:
    prefix: /data/both
    places:
      - {cluster: lab, partition: beamline}
      - {cluster: lab, constraint: storage-b}
      - {cluster: other}
  far: {prefix: /data/far, places: [{cluster: other}]}
  all: {prefix: /data/all}
clusters:
  lab: {scheduler: slurm}
  other: {scheduler: slurm}
hardware:
  open: {cluster: lab}
  short: {cluster: lab, partition: short}
  gpu: {cluster: lab, partition: gpu, gpus: 1}
  fixed: {cluster: lab, partition: short, constraint: storage-a}
  other: {cluster: other}
environments:
  e: {}
profiles:
  p: {environment: e, hardware: [open, short, gpu, fixed, other]}
  first: {environment: e, hardware: [gpu, short]}
  bound: {environment: e, hardware: open, storages: [a]}
"""
)
LAB = Availability(
    groups=(
        NodeGroup(partition="short", nodes=2, features=frozenset({"storage-a", "cpu"})),
        NodeGroup(partition="short", nodes=1, features=frozenset({"storage-b", "cpu"})),
        NodeGroup(partition="beamline", nodes=2, features=frozenset({"storage-a"})),
        NodeGroup(partition="gpu", nodes=1, features=frozenset({"storage-b", "gpu"})),
    ),
    default_partition="short",
)
LOOKS = {"lab": LAB}


def dataset(storage: str, size: int, name: str = "x") -> DatasetFiles:
    return DatasetFiles(
        pid=f"pid-{storage}-{name}",
        slug=f"{storage}-{name}",
        paths=(f"/data/{storage}/{name}.h5",),
        size=size,
    )


def on(hardware: str, *datasets: DatasetFiles, profile: str = "p", looks: Any = LOOKS) -> Any:
    return place_job(SITE, SITE.profiles[profile], hardware, datasets, looks)


def test_next_to_the_storage() -> None:
    found = on("short", dataset("b", 12 * 10**9))
    assert (found.near, found.place) == ("b", Place(cluster="lab", constraint="storage-b"))
    assert (found.bytes_near, found.bytes_far) == (12 * 10**9, 0)
    assert found.reason == "next to 12 GB in b, on nodes with storage-b"


def test_two_storages_the_one_with_most_bytes_and_said_so() -> None:
    found = on("short", dataset("a", 3 * 10**9), dataset("b", 12 * 10**9))
    assert (found.near, found.bytes_near, found.bytes_far) == ("b", 12 * 10**9, 3 * 10**9)
    assert "12 GB in b, most of the data, on nodes with storage-b" in found.reason
    assert "3 GB in a would have to cross the network: a is near other nodes" in found.reason


def test_many_small_datasets_weigh_by_bytes_not_by_number() -> None:
    small = [dataset("a", 10, str(n)) for n in range(20)]
    assert on("short", *small, dataset("b", 1000)).near == "b"


def test_hardware_that_contradicts_the_storage_says_so() -> None:
    found = on("gpu", dataset("a", 12 * 10**9))
    assert (found.near, found.place, found.bytes_far) == (None, None, 12 * 10**9)
    assert found.reason == (
        "12 GB in a would have to cross the network: "
        "hardware gpu is not near a, no node of partition gpu has storage-a"
    )


def test_a_fixed_constraint_is_not_joined_to_one_that_no_node_has() -> None:
    found = on("fixed", dataset("b", 5000))
    assert found.near is None
    assert "no node of partition short has storage-b and storage-a" in found.reason


def test_a_fixed_constraint_that_is_the_storages_own() -> None:
    found = on("fixed", dataset("a", 5000))
    assert (found.near, found.bytes_far) == ("a", 0)


def test_nothing_near_is_still_possible() -> None:
    found = on("short", dataset("far", 5000))
    assert (found.near, found.place, found.bytes_far) == (None, None, 5000)
    assert "far is near cluster other only" in found.reason


def test_a_storage_near_several_places_takes_the_one_that_fits_the_hardware() -> None:
    second = Place(cluster="lab", constraint="storage-b")
    assert on("open", dataset("both", 1)).place == Place(cluster="lab", partition="beamline")
    assert on("short", dataset("both", 1)).place == second
    assert on("gpu", dataset("both", 1)).place == second
    assert on("other", dataset("both", 1)).place == Place(cluster="other")


def test_the_place_that_serves_two_storages_wins() -> None:
    """Both of ``both``'s places are open; one of them has the other dataset's storage too."""
    found = on("open", dataset("both", 100), dataset("b", 1))
    assert (found.near, found.bytes_far) == ("both", 0)
    assert found.place == Place(cluster="lab", constraint="storage-b")


def test_near_everywhere() -> None:
    found = on("gpu", dataset("all", 7), dataset("b", 7))
    assert (found.bytes_near, found.bytes_far, found.near) == (14, 0, "b")


def test_no_dataset() -> None:
    found = on("short")
    assert (found.near, found.bytes_near, found.bytes_far) == (None, 0, 0)
    assert found.reason == "no dataset chosen: any node will do"


def test_a_path_in_no_storage_is_far() -> None:
    lost = DatasetFiles(pid="lost", slug="lost", paths=("/elsewhere/x.h5",), size=9)
    assert "none of the configured storages" in on("short", lost).reason


def test_without_storages_everything_is_near() -> None:
    config = Config()
    found = place_job(config, config.profiles["default"], "local", [dataset("a", 9)], {})
    assert (found.bytes_near, found.bytes_far, found.near) == (9, 0, None)


def test_what_the_profile_does_not_bind_does_not_move_the_job() -> None:
    assert on("open", dataset("b", 9), profile="bound").near is None
    assert "does not bind b" in on("open", dataset("b", 9), profile="bound").reason


def test_a_silent_cluster_is_taken_at_its_configurations_word() -> None:
    assert on("gpu", dataset("a", 1), looks={}).near == "a"


def test_a_partition_that_sinfo_does_not_list_is_no_contradiction() -> None:
    look = Availability(groups=(NodeGroup(partition="elsewhere", nodes=1),))
    assert on("gpu", dataset("a", 1), looks={"lab": look}).near == "a"


def test_the_profiles_nearest_hardware_else_the_first() -> None:
    first = SITE.profiles["first"]
    assert nearest_hardware(SITE, first, [dataset("a", 1)], LOOKS).hardware == "short"
    assert nearest_hardware(SITE, first, [dataset("b", 1)], LOOKS).hardware == "gpu"
    assert nearest_hardware(SITE, first, [], LOOKS).hardware == "gpu"


def test_alternatives_nearest_first() -> None:
    every = place_all(SITE, {"p": SITE.profiles["p"]}, [dataset("far", 9)], LOOKS)
    assert [p.hardware for _, p in every] == ["other", "open", "short", "gpu", "fixed"]


def test_sizes_as_people_say_them() -> None:
    said = [human_size(n) for n in (0, 999, 1000, 999_499, 999_500, 12_345_678_901, 10**19)]
    assert said == ["0 bytes", "999 bytes", "1 kB", "999 kB", "1 MB", "12.3 GB", "1e+04 PB"]


# ------------------------------------------------------------------ whatever the site looks like

FEATURES = ("f1", "f2", "f3")
words = st.sampled_from(["p1", "p2"])
constraints = st.sampled_from([*FEATURES, "f1&f2", "f1|f3", None])
places = st.builds(
    dict,
    cluster=st.sampled_from(["c1", "c2"]),
    partition=st.none() | words,
    constraint=constraints,
)
sites = st.fixed_dictionaries(
    {
        "storages": st.dictionaries(
            st.sampled_from(["s1", "s2", "s3"]), st.lists(places, max_size=3), min_size=1
        ),
        "hardware": st.lists(places, min_size=1, max_size=3),
    }
)
groups = st.builds(
    NodeGroup,
    partition=words,
    nodes=st.integers(1, 3),
    features=st.frozensets(st.sampled_from(FEATURES)),
)
looks = st.dictionaries(
    st.sampled_from(["c1", "c2"]),
    st.builds(
        Availability, groups=st.lists(groups, max_size=4).map(tuple), default_partition=words
    ),
)
chosen_data = st.lists(
    st.tuples(st.sampled_from(["s1", "s2", "s3", "nowhere"]), st.integers(0, 10**12)), max_size=6
)


def build(drawn: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "storages": {
                name: {"prefix": Path(f"/data/{name}"), "places": where}
                for name, where in drawn["storages"].items()
            },
            "clusters": {"c1": {}, "c2": {}},
            "hardware": {f"h{n}": entry for n, entry in enumerate(drawn["hardware"])},
            "environments": {"e": {}},
            "profiles": {
                "p": {
                    "environment": "e",
                    "hardware": [f"h{n}" for n, _ in enumerate(drawn["hardware"])],
                }
            },
        }
    )


@settings(max_examples=1500, deadline=None)
@given(sites, looks, chosen_data)
def test_every_placement_keeps_its_word(
    drawn: dict[str, Any], seen: dict[str, Availability], data: list[tuple[str, int]]
) -> None:
    config = build(drawn)
    profile = config.profiles["p"]
    datasets = [dataset(name, size, str(n)) for n, (name, size) in enumerate(data)]
    total = sum(size for _, size in data)
    for _, found in place_all(config, {"p": profile}, datasets, seen):
        entry = config.hardware[found.hardware]
        # No byte is lost or counted twice.
        assert found.bytes_near + found.bytes_far == total
        assert found.bytes_near >= 0 <= found.bytes_far
        assert found.reason
        # The launcher makes the same job of it: it does not refuse, and asks for no other
        # partition than the hardware's own.
        chosen = Chosen(hardware=found.hardware, near=found.near, place=found.place)
        cluster, asked = hardware_of(config, profile, chosen)
        assert cluster == found.cluster == entry.cluster
        assert entry.partition in {None, asked.partition}
        if found.place is None:
            assert asked.constraint == entry.constraint
            continue
        # A place that was chosen holds what it says, and the cluster has such a node.
        assert found.near is not None
        assert found.place in config.storages[found.near].places
        assert found.bytes_near >= sum(
            d.size for d in datasets if locate(config, str(d.root))[0] == found.near
        )
        nodes = seen[cluster].of(asked.partition) if cluster in seen else ()
        assert not nodes or any(g.meets(asked.constraint) is not False for g in nodes)


@settings(max_examples=500, deadline=None)
@given(sites, looks, chosen_data)
def test_no_hardware_of_the_profile_is_nearer(
    drawn: dict[str, Any], seen: dict[str, Availability], data: list[tuple[str, int]]
) -> None:
    config = build(drawn)
    datasets = [dataset(name, size, str(n)) for n, (name, size) in enumerate(data)]
    best = nearest_hardware(config, config.profiles["p"], datasets, seen)
    every = place_all(config, config.profiles, datasets, seen)
    assert best.bytes_far == min(p.bytes_far for _, p in every)
    assert every[0][1].cost == best.cost


@given(chosen_data)
def test_what_each_storage_holds_adds_up(data: list[tuple[str, int]]) -> None:
    config = build({"storages": {"s1": [], "s2": []}, "hardware": [{"cluster": "c1"}]})
    held = held_by(config, [dataset(name, size, str(n)) for n, (name, size) in enumerate(data)])
    assert sum(h.size for h in held) == sum(size for _, size in data)
    assert sum(h.datasets for h in held) == len(data)
    assert [h.size for h in held] == sorted((h.size for h in held), reverse=True)
