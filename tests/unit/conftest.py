"""Unit tests have no network and no configuration of this machine.

Unix sockets stay, asyncio needs them. A demo leaves its nearfield.yaml in the virtual environment.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_socket import disable_socket


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    # In the environment, for the programs that tests start too.
    monkeypatch.setenv("NEARFIELD_CONFIG", str(Path(__file__).with_name("empty.yaml")))
