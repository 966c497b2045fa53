"""batchspawner's settings keep their meaning and never override nearfield.yaml."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nearfield.config import parse_config
from nearfield.errors import ConfigError
from nearfield_spawners.migration import memory_mb, minutes, with_req_traits

NOTHING = {"req_memory": "", "req_runtime": "", "req_nprocs": "", "req_ngpus": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [("2000", 2000), ("2000M", 2000), ("4G", 4096), ("4gb", 4096), ("512k", 1), ("1T", 1048576)],
)
def test_memory(text: str, value: int) -> None:
    assert memory_mb(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("30", 30), ("30:00", 30), ("30:01", 31), ("8:00:00", 480), ("1-0", 1440), ("1-12:30", 2190)],
)
def test_time(text: str, value: int) -> None:
    assert minutes(text) == value


@pytest.mark.parametrize("text", ["", "lots", "-1", "1G\n#SBATCH"])
def test_nonsense_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError):
        memory_mb(text)
    with pytest.raises(ConfigError):
        minutes(text or "x")


def test_the_file_wins() -> None:
    config = parse_config(
        "hardware:\n  h: {cluster: local, partition: short}\nprofiles: {}\n", "x.yaml"
    )
    spawner = SimpleNamespace(**NOTHING | {"req_partition": "long", "req_runtime": "8:00:00"})
    merged = with_req_traits(config, spawner).hardware["h"]
    assert (merged.partition, merged.minutes) == ("short", 480)
    assert with_req_traits(config, SimpleNamespace(**NOTHING)) is config
