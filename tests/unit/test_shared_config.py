"""A session in an image has no nearfield.yaml: it is told the catalogues and storages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue import FederatedCatalogue, open_catalogue
from nearfield.config import Config, for_sessions, load_config, loading, parse_config
from nearfield.datasets import Principal
from nearfield.scheduler.policy import check
from nearfield.scheduler.sessions import session_spec

SITE = parse_config(
    """
catalogue: {name: lab, path: /secret/place.sqlite, url: https://hub.example/services/catalogue}
catalogues:
  scicat: {driver: scicat, url: 'https://s.example', token: hub, audience: scicat, title: Ours}
  panosc: {driver: panosc, url: 'https://p.example', timeout: 5}
  icat: {driver: icat, url: 'https://i.example', facility: F}
storages:
  raw: {prefix: /raw, places: [{cluster: lab}], also: ['https://door.example/raw']}
  done: {prefix: /done, read_only: false}
clusters: {lab: {scheduler: local}}
environments: {plain: {command: [server]}}
hardware: {small: {cluster: lab}}
profiles: {small: {environment: plain, hardware: small}}
sessions: {}
"""
)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session's folder, on a machine without any nearfield.yaml."""
    monkeypatch.delenv("NEARFIELD_CONFIG", raising=False)
    monkeypatch.setattr(loading, "candidates", list)
    monkeypatch.setenv("NEARFIELD_SESSION_DIR", str(tmp_path))
    return tmp_path / "session.json"


def spec(config: Config) -> Any:
    return session_spec(
        config, name="nearfield-0123456789abcdef", user="alice", profile_name="small", datasets=()
    )


def test_a_session_has_the_sites_catalogues_and_storages(session: Path) -> None:
    task = spec(SITE).task.model_dump(mode="json", exclude={"environment"})
    session.write_text(json.dumps({"task": task}))
    found = load_config()
    assert found.catalogues == SITE.catalogues
    assert found.catalogue.name == "lab"
    assert {n: (s.prefix, s.also, s.read_only) for n, s in found.storages.items()} == {
        n: (s.prefix, s.also, s.read_only) for n, s in SITE.storages.items()
    }
    catalogue = open_catalogue(found)
    assert isinstance(catalogue, FederatedCatalogue)
    assert [source.name for source in catalogue.sources] == ["lab", "scicat", "panosc", "icat"]


def test_what_it_need_not_know_it_is_not_told() -> None:
    text = json.dumps(for_sessions(SITE))
    for word in ("/secret", "hub.example", "clusters", "places", "hardware"):
        assert word not in text
    assert for_sessions(Config()) == {}


def test_its_own_file_counts_more(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.write_text(json.dumps({"task": {"sources": for_sessions(SITE)}}))
    own = tmp_path / "own.yaml"
    own.write_text("sessions: {}")
    monkeypatch.setenv("NEARFIELD_CONFIG", str(own))
    assert load_config().catalogues == {}
    monkeypatch.delenv("NEARFIELD_CONFIG")
    assert load_config(own).catalogues == {}
    assert set(load_config().catalogues) == {"scicat", "panosc", "icat"}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "{}",
        '{"task": {}}',
        '{"task": {"sources": {}}}',
        '{"task": {"sources": {"later": 1}}}',
        '{"task": {"sources": {"catalogues": {"x": {"driver": "unheard-of"}}}}}',
    ],
)
def test_what_is_not_understood_counts_as_not_told(session: Path, said: str) -> None:
    session.write_text(said)
    assert load_config() == Config()
    session.unlink()
    assert load_config() == Config()


def test_the_launcher_tells_its_own_whatever_the_hub_says() -> None:
    asked = spec(SITE)
    false = {"catalogues": {"scicat": {"driver": "scicat", "url": "https://thief.example"}}}
    forged = asked.model_copy(update={"task": asked.task.model_copy(update={"sources": false})})
    made = check(forged, SITE, Principal(name="alice"))
    assert made.task.sources == for_sessions(SITE)  # type: ignore[union-attr]
