"""``nearfield profiles show``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nearfield.cli import run_command

SITE = """
clusters: {main: {scheduler: slurm}}
hardware:
  large:
    cluster: main
    cores: 8
    choices: {cores: {least: 4, most: 64, step: 4}, qos: [normal, high]}
profiles:
  open: {environment: default, hardware: large}
  closed: {title: '[b]Closed[/b]', environment: default, hardware: large, groups: [staff], per_user: 1, workers: 0}
sessions: {per_user: 3, idle_minutes: 60}
"""  # noqa: E501


@pytest.fixture
def site(tmp_path: Path) -> str:
    path = tmp_path / "nearfield.yaml"
    path.write_text(SITE)
    return str(path)


def test_all(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--config", site, "profiles", "show"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].split() == ["open", "everybody", "default", "large"]
    assert shown[2].split() == ["closed", "[b]Closed[/b]", "group", "staff", "default", "large"]


def test_one(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--config", site, "profiles", "show", "closed"]) == 0
    shown = capsys.readouterr().out
    for words in (
        "1 of this profile, 3 of all profiles",
        "ended after 60 min",
        "a whole number from 4 to 64 in steps of 4",
        "one of normal, high",
    ):
        assert words in shown


def test_json(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--config", site, "profiles", "show", "closed", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["groups"] == ["staff"]
    assert (told["limits"]["per_user"], told["limits"]["workers"]) == (1, 0)
    large = told["hardware"][0]
    assert (large["defaults"]["cores"], large["choices"]["cores"]["most"]) == (8, 64)
    assert large["choices_in_words"]["qos"] == "one of normal, high"


def test_unknown(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--config", site, "profiles", "show", "clsed"]) == 2
    assert "did you mean 'closed'?" in capsys.readouterr().err
