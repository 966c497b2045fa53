"""From nearfield.yaml to sources and their tokens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from nearfield.catalogue import FederatedCatalogue, SqliteCatalogue, open_catalogue
from nearfield.catalogue._file_tokens import FileToken
from nearfield.config import parse_config
from nearfield.datasets import Principal
from nearfield.errors import BlockedError

SECRET = "a-secret-of-mine"
YAML = """
catalogue: {{name: home, path: {path}}}
catalogues:
  portal: {{driver: panosc, url: "https://portal.test/api", timeout: 1.5}}
  facility: {{driver: scicat, url: "https://scicat.test", token: file}}
"""


class Driver:
    """Stands for a driver: it keeps what it was made with."""

    made: ClassVar[dict[str, tuple[Any, Any]]] = {}

    @classmethod
    def from_settings(cls, name: str, settings: Any, *, token: Any = None) -> Driver:
        cls.made[name] = (settings, token)
        return cls()

    async def aclose(self) -> None:
        pass


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    Driver.made = {}
    for module, kind in (("panosc", "PanoscCatalogue"), ("scicat", "SciCatCatalogue")):
        stub = ModuleType(f"nearfield.catalogue.{module}")
        setattr(stub, kind, Driver)
        monkeypatch.setitem(sys.modules, stub.__name__, stub)
    return Driver


async def test_each_source_has_its_driver_its_time_and_its_token(
    tmp_path: Path, drivers: type[Driver]
) -> None:
    config = parse_config(YAML.format(path=tmp_path / "c.sqlite"), "test.yaml")
    catalogue = open_catalogue(config, create=True)
    assert isinstance(catalogue, FederatedCatalogue)
    home, portal, facility = catalogue.sources
    assert (home.name, portal.name, facility.name) == ("home", "portal", "facility")
    assert isinstance(home.catalogue, SqliteCatalogue)
    assert (home.timeout, portal.timeout, facility.timeout) == (3.0, 1.5, 3.0)
    assert drivers.made["portal"][1] is None
    assert isinstance(drivers.made["facility"][1], FileToken)
    await catalogue.aclose()


async def test_without_further_sources_it_is_the_home_alone(tmp_path: Path) -> None:
    config = parse_config(f"catalogue: {{path: {tmp_path}/c.sqlite}}", "test.yaml")
    catalogue = open_catalogue(config, create=True)
    assert isinstance(catalogue, SqliteCatalogue)
    await catalogue.aclose()


async def test_a_file_that_is_named_is_the_only_catalogue(
    tmp_path: Path, drivers: type[Driver]
) -> None:
    config = parse_config(YAML.format(path=tmp_path / "c.sqlite"), "test.yaml")
    catalogue = open_catalogue(config, file=tmp_path / "other.sqlite", create=True)
    assert isinstance(catalogue, SqliteCatalogue)
    assert not drivers.made
    await catalogue.aclose()


async def test_what_cannot_be_opened_is_a_state(
    tmp_path: Path, drivers: type[Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    # None in sys.modules is how Python says that a module cannot be imported.
    monkeypatch.setitem(sys.modules, "nearfield.catalogue.scicat", None)
    config = parse_config(YAML.format(path=tmp_path / "no" / "c.sqlite"), "test.yaml")
    catalogue = open_catalogue(config)
    assert isinstance(catalogue, FederatedCatalogue)
    states = {source.name: source.problem for source in catalogue.sources}
    assert states["portal"] is None
    assert "driver 'scicat' cannot be loaded" in str(states["facility"])
    assert "c.sqlite" in str(states["home"])
    await catalogue.aclose()


async def test_a_callers_own_tokens_and_home(tmp_path: Path, drivers: type[Driver]) -> None:
    config = parse_config(YAML.format(path=tmp_path / "c.sqlite"), "test.yaml")
    home = SqliteCatalogue.open(tmp_path / "d.sqlite", "home", Principal(name="me"), create=True)
    token = FileToken("x")
    catalogue = open_catalogue(config, tokens=lambda name, settings: token, home=home)
    assert isinstance(catalogue, FederatedCatalogue)
    assert catalogue.sources[0].catalogue is home
    assert drivers.made["portal"][1] is token
    await catalogue.aclose()


class TestFileToken:
    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
        path = tmp_path / "tokens" / "facility"
        path.parent.mkdir()
        return path

    @pytest.mark.parametrize("content", [SECRET, f"\n {SECRET}\r\n"])
    async def test_it_is_read_anew_each_time(self, path: Path, content: str) -> None:
        write(path, content)
        source = FileToken("facility")
        assert await source.token() == SECRET
        write(path, "another-one")
        assert await source.token(fresh=True) == "another-one"
        assert SECRET not in repr(source)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
    async def test_a_file_that_others_reach_is_refused(self, path: Path, mode: int) -> None:
        write(path, SECRET, mode)
        with pytest.raises(BlockedError, match="chmod 600") as refused:
            await FileToken("facility").token()
        assert SECRET not in str(refused.value)

    @pytest.mark.parametrize("content", ["", "two words", f"{SECRET}\nX: y", "tokén", "a\0b"])
    async def test_what_is_no_token_is_refused(self, path: Path, content: str) -> None:
        write(path, content)
        with pytest.raises(BlockedError, match="does not hold one token"):
            await FileToken("facility").token()

    async def test_none_there(self, path: Path) -> None:
        with pytest.raises(BlockedError, match=r"facility: no token: .*is not there"):
            await FileToken("facility").token()

    async def test_a_pipe_does_not_hang(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        with pytest.raises(BlockedError, match="is no file"):
            await FileToken("facility").token()


def write(path: Path, content: str, mode: int = 0o600) -> None:
    path.write_text(content)
    path.chmod(mode)
