"""A changed file is read at the next look; one that is not in order changes nothing and is told."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from nearfield.errors import ConfigError
from nearfield.scheduler import JobId
from nearfield_spawners.live_config import LiveConfig

SITE = """
clusters: {{here: {{scheduler: local}}}}
hardware: {{one: {{cluster: here}}}}
profiles: {{p: {{environment: default, hardware: one}}}}
sessions: {{per_user: {per_user}}}
"""


class File:
    """A nearfield.yaml whose every version has a time of its own."""

    def __init__(self, path: Path) -> None:
        self.path, self._version = path, 0

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self._version += 1
        os.utime(self.path, ns=(self._version, self._version))


@pytest.fixture
def file(tmp_path: Path) -> File:
    made = File(tmp_path / "nearfield.yaml")
    made.write(SITE.format(per_user=1))
    return made


def in_use(file: File) -> float | None:
    return REGISTRY.get_sample_value("nearfield_config_in_use", {"file": str(file.path)})


def test_a_changed_file_is_read(file: File) -> None:
    live = LiveConfig(file.path)
    assert (live.config.sessions.per_user, in_use(file)) == (1, 1)
    file.write(SITE.format(per_user=7))
    assert (live.config.sessions.per_user, live.problem) == (7, "")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("sessions: {per_user: many}\n", "line 1, sessions.per_user"),
        ("clusters: [\n", "not valid YAML"),
        ("", "is empty"),
        ("catalogue: {}\n", "has no 'clusters'"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "line 1"),
    ],
)
def test_an_invalid_file_changes_nothing_and_is_told(
    file: File, broken: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveConfig(file.path)
    before = live.config
    with caplog.at_level(logging.INFO, "nearfield.config"):
        file.write(broken)
        assert live.config is before
        assert words in live.problem
        assert in_use(file) == 0
        assert live.config is before
        (told,) = caplog.records  # once for each version of the file, not for each look
        assert told.levelno == logging.ERROR
        assert "the old one stays" in told.message and words in told.message
        file.write(SITE.format(per_user=3))
        assert (live.config.sessions.per_user, live.problem, in_use(file)) == (3, "", 1)


def test_the_metrics_find_out_by_themselves(file: File) -> None:
    live = LiveConfig(file.path)
    file.write("clusters: [\n")
    assert in_use(file) == 0  # before anybody has asked for the configuration
    assert "not valid YAML" in live.problem


def test_a_file_that_is_gone_is_told(file: File) -> None:
    live = LiveConfig(file.path)
    file.path.unlink()
    assert live.config.sessions.per_user == 1
    assert "cannot be read" in live.problem
    assert in_use(file) == 0
    file.write(SITE.format(per_user=2))
    assert (live.config.sessions.per_user, in_use(file)) == (2, 1)


def test_a_file_that_was_searched_for_is_read_again_too(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARFIELD_CONFIG", str(file.path))
    live = LiveConfig(None)
    file.write(SITE.format(per_user=5))
    assert live.config.sessions.per_user == 5


def test_a_hub_does_not_start_with_an_invalid_file(file: File) -> None:
    file.write("clusters: [\n")
    with pytest.raises(ConfigError):
        LiveConfig(file.path)


async def test_jobs_are_watched_on_by_the_new_monitor_of_a_changed_cluster(file: File) -> None:
    live = LiveConfig(file.path)
    job = JobId(cluster="here", user="alice", number="1")
    old = live.monitor("here")
    old.watch(job)
    file.write(SITE.format(per_user=1).replace("local}", "local, poll_seconds: 7}"))
    new = live.config and live.monitor("here")
    assert new is not old
    assert (old.watched, new.watched, new.fast_seconds) == (0, 1, 7)
    new.close()
    await asyncio.sleep(0)
