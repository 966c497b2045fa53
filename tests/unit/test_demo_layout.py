"""The demo's folder: what its sessions are given, and which demo the command line means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nearfield.config import load_config
from nearfield.demo import layout
from nearfield.errors import BlockedError

PORTS = {"port": 1, "hub_port": 2, "api_port": 3, "catalogue_port": 4}


@pytest.fixture
def demo(tmp_path: Path) -> layout.Layout:
    words = dict.fromkeys(("password", "driver_token", "proxy_token"), "x")
    made = layout.Layout(folder=tmp_path / "a demo", user="alice", **words, **PORTS)  # type: ignore[arg-type]
    made.home.mkdir(parents=True)
    layout.write_config(made)
    return made


def start(demo: layout.Layout, data: Path, server: str = "") -> str:
    """As a session starts its server; a program that prints stands for that."""
    command = load_config(demo.config_file).environments["default"].command
    (at,) = (n for n, word in enumerate(command) if word.endswith("nearfield-singleuser"))
    data.mkdir(exist_ok=True)
    done = subprocess.run(
        [*command[:at], "/usr/bin/printenv", "NEARFIELD_CONFIG"],
        env={"NEARFIELD_DATA": str(data), "JUPYTERHUB_SERVER_NAME": server},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_session_means_its_own_demo(demo: layout.Layout, tmp_path: Path) -> None:
    assert start(demo, tmp_path / "s1") == str(demo.config_file)


def test_the_data_of_each_session_are_in_the_home(demo: layout.Layout, tmp_path: Path) -> None:
    start(demo, tmp_path / "s 1")
    assert (demo.home / "data").readlink() == tmp_path / "s 1"
    start(demo, tmp_path / "s2", server="two")
    (tmp_path / "s 1").rmdir()
    start(demo, tmp_path / "s3")
    links = {path.name: path.readlink() for path in demo.home.iterdir()}
    assert links == {"data": tmp_path / "s3", "data-two": tmp_path / "s2"}


def test_a_folder_of_the_users_own_stays(demo: layout.Layout, tmp_path: Path) -> None:
    (demo.home / "data").mkdir()
    start(demo, tmp_path / "s1")
    assert list((demo.home / "data").iterdir()) == []


def test_the_command_line_uses_the_demo_that_was_started_last(
    demo: layout.Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert f"uses the demo in {demo.folder}" in layout.remember(demo)
    kept = tmp_path / "venv/etc/nearfield/nearfield.yaml"
    assert kept.read_text() == demo.config_file.read_text()
    kept.write_text("catalogue: {name: the-sites}\n")
    said = layout.remember(demo)
    assert f"keeps {kept}" in said and f"--config '{demo.config_file}'" in said
    assert "the-sites" in kept.read_text()


def test_a_demo_that_runs_says_how_to_have_another(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with layout.claimed(folder), pytest.raises(BlockedError) as refused, layout.claimed(folder):
        pass
    assert "--dir DIR" in str(refused.value) and "DEMO_DIR=DIR" in str(refused.value)
