"""What a job may tell the hub, and that batchspawner's route is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jupyterhub import apihandlers

import nearfield_spawners
from nearfield_spawners._batchspawner import remove_route
from nearfield_spawners.callback import PortHandler, parse_port, parse_stage


def test_port_alone() -> None:
    assert parse_port(b'{"port": 45678}') == 45678


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        7,
        None,
        {"port": 80},
        {"port": 65536},
        {"port": "8888"},
        {"port": True},
        {"port": 8888.0},
        {"port": 8888, "ip": "10.0.0.1"},
        {"ip": "10.0.0.1"},
    ],
)
def test_everything_else_is_refused(body: Any) -> None:
    with pytest.raises(ValueError):
        parse_port(json.dumps(body).encode())


@pytest.mark.parametrize("word", ["checks", "container", "server"])
def test_a_stage_of_the_node(word: str) -> None:
    assert parse_stage(json.dumps({"stage": word}).encode()).value == word


@pytest.mark.parametrize(
    "body",
    [
        {},
        7,
        {"stage": "ready"},
        {"stage": "image"},
        {"stage": "queued"},
        {"stage": "<b>"},
        {"stage": ["checks"]},
        {"stage": None},
        {"stage": "checks", "message": "x"},
        {"port": 8888},
    ],
)
def test_no_other_word_is_a_stage(body: Any) -> None:
    with pytest.raises(ValueError):
        parse_stage(json.dumps(body).encode())


def test_not_json() -> None:
    with pytest.raises(ValueError):
        parse_port(b"port=8888")


def test_routes() -> None:
    assert nearfield_spawners.NearfieldSpawner  # its import is what takes the route away
    routes = [entry[0] for entry in apihandlers.default_handlers]
    assert "/api/nearfield/port" in routes
    assert not any("batchspawner" in route for route in routes)
    from batchspawner.api import BatchSpawnerAPIHandler

    handlers = [("/x", BatchSpawnerAPIHandler), ("/y", PortHandler)]
    remove_route(handlers)
    assert handlers == [("/y", PortHandler)]
